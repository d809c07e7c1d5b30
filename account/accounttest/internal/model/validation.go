package model

import (
	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/signature"
)

// endless is the latest time that a validation can name.
const endless = 1<<48 - 1

// validation is what an account or a paymaster says of an operation.
type validation struct {
	failed       bool // the signature is somebody else's
	until, after uint64
}

// word is the validation as the EntryPoint takes it: failed ‖ until ‖ after, from the right.
func (v validation) word() common.Hash {
	packed := new(uint256.Int).Lsh(uint256.NewInt(v.after), 48)
	packed.Or(packed, uint256.NewInt(v.until&endless))
	packed.Lsh(packed, 160)
	if v.failed {
		packed.AddUint64(packed, 1)
	}
	return packed.Bytes32()
}

// due reports whether now is within the window, ends included. No end is no bound.
func (v validation) due(now uint64) bool {
	return now >= v.after && (v.until == 0 || now <= v.until)
}

// refused is the validation of an operation that somebody else signed.
var refused = validation{failed: true}

// recoverSigner returns who signed, or reverts, as OpenZeppelin's ECDSA.recover does.
func recoverSigner(digest common.Hash, sig []byte) (common.Address, error) {
	if len(sig) != crypto.SignatureLength {
		return common.Address{}, reason("ECDSA: invalid signature length")
	}
	r, s, v := sig[:32], sig[32:64], sig[64]
	if signature.HighS(new(uint256.Int).SetBytes(s)) {
		return common.Address{}, reason("ECDSA: invalid signature 's' value")
	}
	if v != 27 && v != 28 {
		return common.Address{}, reason("ECDSA: invalid signature")
	}
	compact := append(append(make([]byte, 0, crypto.SignatureLength), r...), s...)
	key, err := crypto.SigToPub(digest[:], append(compact, v-27))
	if err != nil {
		return common.Address{}, reason("ECDSA: invalid signature")
	}
	return crypto.PubkeyToAddress(*key), nil
}

// messageHash is the digest of the EIP-191 message of a hash.
func messageHash(hash common.Hash) common.Hash { return common.BytesToHash(accounts.TextHash(hash[:])) }
