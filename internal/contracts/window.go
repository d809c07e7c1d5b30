package contracts

import (
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

var (
	wrappedSignature = sync.OnceValue(func() *abi.Function {
		return abi.MustParseFunction("function signature() returns (bytes moduleSignature, address module)")
	})
	batchSignature = sync.OnceValue(func() *abi.Function {
		return abi.MustParseFunction("function signature() returns (address manager, " +
			"(uint48 validUntil, uint48 validAfter, address module, bytes data, bytes32[] proof, bytes callData)[] sessions, bytes signature)")
	})
	jointSignature = sync.OnceValue(func() *abi.Function {
		return abi.MustParseFunction("function signature() returns (uint48 validUntil, uint48 validAfter, bytes32 root, bytes32[] proof, bytes signature)")
	})
)

// plainSignatureSize tells an owner's signature from one for several operations, at the multichain module.
const plainSignatureSize = 65

// OperationEnd returns the last second, by the time of a block, at which the EntryPoint takes the operation:
// the earliest end that its signature and its sponsorship name, where they are of contracts of d. A block
// that is later can never include it. It is 0 where no end is known, which says nothing of there being one.
func OperationEnd(op *UserOperation, d *Deployment) (until uint64) {
	return earliest(signatureEnd(op.Signature, d), sponsorshipEnd(op.PaymasterAndData, d))
}

// earliest returns the smallest of the ends that are known.
func earliest(ends ...uint64) (until uint64) {
	for _, end := range ends {
		if end != 0 && (until == 0 || end < until) {
			until = end
		}
	}
	return until
}

// signatureEnd is the validUntil that the module which judges the signature reads in it.
func signatureEnd(signature []byte, d *Deployment) uint64 {
	v, err := wrappedSignature().UnpackResult(signature)
	if err != nil {
		return 0
	}
	inner := v[0].([]byte)
	switch v[1].(common.Address) {
	case d.Multichain:
		if len(inner) == plainSignatureSize {
			return 0
		}
		return endAt(inner, 0)
	case d.SessionKeyManager:
		return endAt(inner, 0)
	case d.BatchedSessionRouter:
		return batchEnd(inner)
	}
	return 0
}

// batchEnd is the earliest end of the sessions in the router's signature.
func batchEnd(signature []byte) (until uint64) {
	v, err := batchSignature().UnpackResult(signature)
	if err != nil {
		return 0
	}
	for _, session := range v[1].([]abi.Tuple) {
		end := session[0].Value.(*big.Int)
		until = earliest(until, end.Uint64())
	}
	return until
}

// sponsorshipEnd is the validUntil that the paymaster reads in its data.
func sponsorshipEnd(paymasterAndData []byte, d *Deployment) uint64 {
	if len(paymasterAndData) < common.AddressLength {
		return 0
	}
	switch common.BytesToAddress(paymasterAndData[:common.AddressLength]) {
	case d.VerifyingPaymaster:
		return endAt(paymasterAndData[common.AddressLength:], abiword.Size)
	case d.TokenPaymaster:
		return endAt(paymasterAndData, tokenTermsAt)
	}
	return 0
}

// endAt reads the uint48 word at that place, where contracts read it whatever comes after. A word that is
// none is no end: the contract reverts.
func endAt(data []byte, at int) uint64 {
	if len(data) < at+abiword.Size {
		return 0
	}
	var word uint256.Int
	word.SetBytes32(data[at : at+abiword.Size])
	if !word.IsUint64() || word.Uint64() > abiword.MaxUint48 {
		return 0
	}
	return word.Uint64()
}
