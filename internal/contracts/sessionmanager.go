package contracts

import (
	"bytes"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/keccak"
)

// SessionKeyManager returns the interface of the session key manager (SKM).
func SessionKeyManager() *Contract { return sessionKeyManager() }

var sessionKeyManager = sync.OnceValue(func() *Contract {
	return mustParse(`
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
	return abiword.AppendWord(newCall(selectorSetMerkleRoot, abiword.Size), root)
}

// IsSetMerkleRoot reports whether callData calls setMerkleRoot, whatever comes after its selector.
func IsSetMerkleRoot(callData []byte) bool {
	return bytes.HasPrefix(callData, selectorSetMerkleRoot[:])
}

// DecodeSetMerkleRoot returns the root in what [SetMerkleRoot] makes; false for all else.
func DecodeSetMerkleRoot(callData []byte) (root common.Hash, ok bool) {
	if !IsSetMerkleRoot(callData) || len(callData) != abi.SelectorSize+abiword.Size {
		return common.Hash{}, false
	}
	return common.Hash(callData[abi.SelectorSize:]), true
}

// GetSessionKeys returns the calldata of getSessionKeys(address), the root of the account's sessions.
// [DecodeHash] reads the result.
func GetSessionKeys(account common.Address) []byte {
	return abiword.AppendAddress(newCall(selectorGetSessionKeys, abiword.Size), account)
}

// PackSessionLeaf returns a leaf's bytes as the session key manager hashes them: uint48 validUntil ‖ uint48
// validAfter ‖ address module ‖ bytes sessionKeyData.
func PackSessionLeaf(validUntil, validAfter uint64, module common.Address, sessionKeyData []byte) []byte {
	packed := make([]byte, 0, 2*abiword.Uint48Size+common.AddressLength+len(sessionKeyData))
	return AppendSessionLeaf(packed, validUntil, validAfter, module, sessionKeyData)
}

// AppendSessionLeaf is [PackSessionLeaf] behind what is in dst.
func AppendSessionLeaf(dst []byte, validUntil, validAfter uint64, module common.Address, sessionKeyData []byte) []byte {
	dst = abiword.AppendUint48(dst, validUntil)
	dst = abiword.AppendUint48(dst, validAfter)
	dst = append(dst, module[:]...)
	return append(dst, sessionKeyData...)
}

// SessionLeafHash returns the node that a leaf is in the account's tree: keccak256 of [PackSessionLeaf].
func SessionLeafHash(validUntil, validAfter uint64, module common.Address, sessionKeyData []byte) common.Hash {
	h := keccak.Get()
	defer h.Put()
	return h.Sum(AppendSessionLeaf(h.Buffer(), validUntil, validAfter, module, sessionKeyData))
}

// Authorization is a session with the proof that it is one of the account's.
type Authorization struct {
	// ValidUntil and ValidAfter are unix seconds below 2^48.
	ValidUntil, ValidAfter uint64
	// Module is the session validation module, and Data its sessionKeyData.
	Module common.Address
	Data   []byte
	Proof  []common.Hash
}

// authorizationHead is the length of an authorization's head.
const authorizationHead = 6 * abiword.Size

func (a *Authorization) size(last []byte) int {
	return authorizationHead + abiword.BytesSize(len(a.Data)) + abiword.HashesSize(len(a.Proof)) + abiword.BytesSize(len(last))
}

// append appends abi.encode(uint48 validUntil, uint48 validAfter, address module, bytes sessionKeyData,
// bytes32[] proof, bytes last).
func (a *Authorization) append(dst, last []byte) []byte {
	dataSize, proofSize := abiword.BytesSize(len(a.Data)), abiword.HashesSize(len(a.Proof))
	dst = abiword.AppendUint64(dst, a.ValidUntil)
	dst = abiword.AppendUint64(dst, a.ValidAfter)
	dst = abiword.AppendAddress(dst, a.Module)
	dst = abiword.AppendUint64(dst, authorizationHead)
	dst = abiword.AppendUint64(dst, uint64(authorizationHead+dataSize))
	dst = abiword.AppendUint64(dst, uint64(authorizationHead+dataSize+proofSize))
	dst = abiword.AppendBytes(dst, a.Data)
	dst = abiword.AppendHashes(dst, a.Proof)
	return abiword.AppendBytes(dst, last)
}

// SessionSignature returns the session key manager's signature: the authorization with the key's signature as
// its last member.
func SessionSignature(a *Authorization, keySignature []byte) []byte {
	return a.append(make([]byte, 0, a.size(keySignature)), keySignature)
}

// WrappedSessionSignature is [WrapSignature] of a [SessionSignature] for the manager.
func WrappedSessionSignature(manager common.Address, a *Authorization, keySignature []byte) []byte {
	size := a.size(keySignature) // whole words, which need no padding
	dst := abiword.AppendUint64(newWrapped(size, manager), uint64(size))
	return a.append(dst, keySignature)
}
