package contracts

import (
	"bytes"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// OwnershipModule returns the interface of the ECDSA ownership module, and of the multichain module, which is
// the same.
func OwnershipModule() *Contract { return ownershipModule() }

var ownershipModule = sync.OnceValue(func() *Contract {
	return mustParse(`
function initForSmartAccount(address eoaOwner) returns (address)
function transferOwnership(address owner)
function renounceOwnership()
function getOwner(address smartAccount) view returns (address)
function isValidSignature(bytes32 dataHash, bytes moduleSignature) view returns (bytes4)
function isValidSignatureForAddress(bytes32 dataHash, bytes moduleSignature, address smartAccount) view returns (bytes4)

event OwnershipTransferred(address indexed smartAccount, address indexed oldOwner, address indexed newOwner)

error NoOwnerRegisteredForSmartAccount(address smartAccount)
error AlreadyInitedForSmartAccount(address smartAccount)
error WrongSignatureLength()
error NotEOA(address account)
error ZeroAddressNotAllowedAsOwner()
`)
})

var (
	selectorInitForSmartAccount = newSelector(0x2ede3bc0)
	selectorTransferOwnership   = newSelector(0xf2fde38b)
	selectorRenounceOwnership   = newSelector(0x715018a6)
	selectorGetOwner            = newSelector(0xfa544161)
)

// InitForSmartAccount returns the calldata with which a new account registers its owner at the module:
// initForSmartAccount(address).
func InitForSmartAccount(owner common.Address) []byte {
	return abiword.AppendAddress(newCall(selectorInitForSmartAccount, abiword.Size), owner)
}

// DecodeInitForSmartAccount returns the owner in calldata of exactly [InitForSmartAccount]; false for all
// else.
func DecodeInitForSmartAccount(callData []byte) (owner common.Address, ok bool) {
	words, ok := wordsAfter(selectorInitForSmartAccount, callData, 1)
	if !ok {
		return common.Address{}, false
	}
	return addressWord(words[0])
}

// TransferOwnership returns the calldata of transferOwnership(address), with which the account gives itself a
// new owner at the module.
func TransferOwnership(owner common.Address) []byte {
	return abiword.AppendAddress(newCall(selectorTransferOwnership, abiword.Size), owner)
}

// DecodeTransferOwnership returns the new owner in calldata of exactly transferOwnership(address); false for
// all else.
func DecodeTransferOwnership(callData []byte) (owner common.Address, ok bool) {
	words, ok := wordsAfter(selectorTransferOwnership, callData, 1)
	if !ok {
		return common.Address{}, false
	}
	return addressWord(words[0])
}

// IsRenounceOwnership reports whether calldata calls renounceOwnership(), after which nobody owns the account
// at the module.
func IsRenounceOwnership(callData []byte) bool {
	return bytes.HasPrefix(callData, selectorRenounceOwnership[:])
}

// GetOwner returns the calldata of getOwner(address), the owner that the module has for the account. It
// reverts with NoOwnerRegisteredForSmartAccount where there is none. [DecodeAddress] reads the result.
func GetOwner(account common.Address) []byte {
	return abiword.AppendAddress(newCall(selectorGetOwner, abiword.Size), account)
}

// OwnershipTransferredTopic is the first topic of the log about a new owner.
var OwnershipTransferredTopic = common.HexToHash("0xc8894f26f396ce8c004245c8b7cd1b92103a6e4302fcbab883987149ac01b7ec")

// OwnershipTransferred is what an ownership module logs when an account's owner changes.
type OwnershipTransferred struct {
	Account, OldOwner, NewOwner common.Address
}

// DecodeOwnershipTransferred reads an OwnershipTransferred. See [abi.Event.Decode] for the errors, and for
// what the caller has to check.
func DecodeOwnershipTransferred(log *types.Log) (OwnershipTransferred, error) {
	v, err := ownershipModule().events[OwnershipTransferredTopic].Decode(log)
	if err != nil {
		return OwnershipTransferred{}, err
	}
	return OwnershipTransferred{
		Account:  v[0].(common.Address),
		OldOwner: v[1].(common.Address),
		NewOwner: v[2].(common.Address),
	}, nil
}

// SetupOwner returns the owner that the calldata of [InitForSmartAccount] registers, zero where it is not of
// that length.
func SetupOwner(setupData []byte) (owner common.Address) {
	if len(setupData) == abi.SelectorSize+abiword.Size {
		owner = common.BytesToAddress(setupData[abi.SelectorSize:])
	}
	return owner
}

// OwnerSigned returns what the owner signed of an operation with that hash, through the ECDSA ownership
// module or the multichain module, and the signature of it, 65 bytes: the hash itself, or the root over those
// of several operations. It is false for other signatures.
func OwnerSigned(signature []byte, userOpHash common.Hash, ecdsa, multichain common.Address) (message common.Hash, sig []byte, ok bool) {
	v, err := wrappedSignature().UnpackResult(signature)
	if err != nil {
		return common.Hash{}, nil, false
	}
	message, sig = userOpHash, v[0].([]byte)
	switch v[1].(common.Address) {
	case ecdsa:
	case multichain:
		if len(sig) == plainSignatureSize {
			break
		}
		joint, err := jointSignature().UnpackResult(sig)
		if err != nil {
			return common.Hash{}, nil, false
		}
		message, sig = joint[2].(common.Hash), joint[4].([]byte)
	default:
		return common.Hash{}, nil, false
	}
	return message, sig, len(sig) == plainSignatureSize
}

// MultichainLeaf returns what the multichain module looks for in the tree of a signature for several
// operations: keccak256(uint48 validUntil ‖ uint48 validAfter ‖ userOpHash).
func MultichainLeaf(validUntil, validAfter uint64, userOpHash common.Hash) common.Hash {
	packed := make([]byte, 0, 2*abiword.Uint48Size+common.HashLength)
	packed = abiword.AppendUint48(packed, validUntil)
	packed = abiword.AppendUint48(packed, validAfter)
	return crypto.Keccak256Hash(append(packed, userOpHash[:]...))
}

// MultichainSignature returns the multichain module's signature of one operation of several:
// abi.encode(uint48 validUntil, uint48 validAfter, bytes32 root, bytes32[] proof, bytes sig).
func MultichainSignature(validUntil, validAfter uint64, root common.Hash, proof []common.Hash, sig []byte) []byte {
	const head = 5 * abiword.Size
	proofSize := abiword.HashesSize(len(proof))
	dst := make([]byte, 0, head+proofSize+abiword.BytesSize(len(sig)))
	dst = abiword.AppendUint64(dst, validUntil)
	dst = abiword.AppendUint64(dst, validAfter)
	dst = abiword.AppendWord(dst, root)
	dst = abiword.AppendUint64(dst, head)
	dst = abiword.AppendUint64(dst, uint64(head+proofSize))
	dst = abiword.AppendHashes(dst, proof)
	return abiword.AppendBytes(dst, sig)
}
