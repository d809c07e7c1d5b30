package abi

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
)

// OwnershipModule returns the interface of the ECDSA ownership module, and of the multichain module, which
// is the same.
func OwnershipModule() *Contract { return ownershipModule() }

var ownershipModule = sync.OnceValue(func() *Contract {
	return MustParseContract(`
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
	selectorGetOwner            = newSelector(0xfa544161)
)

// InitForSmartAccount returns the calldata with which a new account registers its owner at the
// module: initForSmartAccount(address).
func InitForSmartAccount(owner common.Address) []byte {
	return AppendAddress(newCall(selectorInitForSmartAccount, WordSize), owner)
}

// TransferOwnership returns the calldata of transferOwnership(address), with which the account gives itself
// a new owner at the module.
func TransferOwnership(owner common.Address) []byte {
	return AppendAddress(newCall(selectorTransferOwnership, WordSize), owner)
}

// GetOwner returns the calldata of getOwner(address), the owner that the module has for the account. It reverts
// with NoOwnerRegisteredForSmartAccount where there is none. [DecodeAddress] reads the result.
func GetOwner(account common.Address) []byte {
	return AppendAddress(newCall(selectorGetOwner, WordSize), account)
}
