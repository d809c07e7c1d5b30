// Package signature checks the 65 bytes that keyrings and owners sign with, and brings them into the one form
// that contracts take.
package signature

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// Normalize checks that sig is key's signature of digest and returns it in the one form the contracts take:
// 65 bytes, v 27 or 28, low s.
func Normalize(sig []byte, digest common.Hash, key common.Address) ([]byte, error) {
	sig, err := Form(sig)
	if err != nil {
		return nil, err
	}
	sig[64] -= 27
	pub, err := crypto.SigToPub(digest[:], sig)
	if err != nil {
		return nil, fmt.Errorf("signature recovers no key: %w", err)
	}
	if signer := crypto.PubkeyToAddress(*pub); signer != key {
		return nil, fmt.Errorf("%s signed, not %s", signer, key)
	}
	sig[64] += 27
	return sig, nil
}

// Form returns a copy of sig with v 27 or 28, or an error for what no contract takes. Whose signature it is,
// it does not look at.
func Form(sig []byte) ([]byte, error) { return AppendForm(nil, sig) }

// AppendForm is [Form] into memory of the caller's, which is empty.
func AppendForm(dst, sig []byte) ([]byte, error) {
	if len(sig) != crypto.SignatureLength {
		return nil, fmt.Errorf("signature has %d bytes, want %d", len(sig), crypto.SignatureLength)
	}
	sig = append(dst[:0], sig...)
	if sig[64] < 27 {
		sig[64] += 27
	}
	var r, s uint256.Int
	r.SetBytes32(sig[:32])
	s.SetBytes32(sig[32:64])
	switch {
	case sig[64] > 28 || r.IsZero() || s.IsZero():
		return nil, errors.New("signature recovers no key")
	case HighS(&s):
		return nil, errors.New("signature has a high s, which the contracts refuse")
	}
	return sig, nil
}

// HighS reports whether the s of a signature is one that OpenZeppelin's ECDSA refuses: with the other s, the
// same signature would have another form.
func HighS(s *uint256.Int) bool { return s.Gt(&halfOrder) }

// halfOrder is half of the order of secp256k1: the largest s that OpenZeppelin's ECDSA takes.
var halfOrder = *uint256.MustFromHex("0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")

// Dummy stands for a signature where gas is estimated: it has the right form, recovers an address that is
// nobody's, and costs as much to check as any. It is the one that the TypeScript SDK uses.
func Dummy() []byte { return bytes.Clone(dummy) }

var dummy = hexutil.MustDecode("0x73c3ac716c487ca34bb858247b5ccf1dc354fbaabdd089af3b2ac8e78ba85a4959a2d76250325bd67c11771c31fccda87c33ceec17cc0de912690521bb95ffcb1b")

// Warm has what the first signature of a process makes be there before: the tables of the curve.
func Warm() { warm() }

var warm = sync.OnceFunc(func() {
	if key, err := crypto.ToECDSA(common.Hash{31: 1}.Bytes()); err == nil {
		_, _ = crypto.Sign(common.Hash{}.Bytes(), key)
	}
})
