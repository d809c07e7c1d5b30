package abi

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
)

// SessionKeyManager returns the interface of the session key manager (SKM).
func SessionKeyManager() *Contract { return sessionKeyManager() }

var sessionKeyManager = sync.OnceValue(func() *Contract {
	return MustParseContract(`
function setMerkleRoot(bytes32 _merkleRoot)
function getSessionKeys(address smartAccount) view returns ((bytes32 merkleRoot))
function validateSessionKey(address smartAccount, uint48 validUntil, uint48 validAfter, address sessionValidationModule, bytes sessionKeyData, bytes32[] merkleProof)
`)
})

var (
	selectorSetMerkleRoot  = newSelector(0x7cb64759)
	selectorGetSessionKeys = newSelector(0xfde5354d)
)

// SetMerkleRoot returns the calldata of setMerkleRoot(bytes32), with which the account replaces the root of
// its sessions. The zero hash revokes all of them.
func SetMerkleRoot(root common.Hash) []byte {
	return AppendWord(newCall(selectorSetMerkleRoot, WordSize), root)
}

// GetSessionKeys returns the calldata of getSessionKeys(address), the root of the account's sessions.
// [DecodeHash] reads the result.
func GetSessionKeys(account common.Address) []byte {
	return AppendAddress(newCall(selectorGetSessionKeys, WordSize), account)
}
