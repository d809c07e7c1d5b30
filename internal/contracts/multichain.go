package contracts

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/abiword"
)

// MultichainLeaf returns what the multichain module looks for in the tree of a signature for several
// operations: keccak256(uint48 validUntil ‖ uint48 validAfter ‖ userOpHash).
func MultichainLeaf(validUntil, validAfter uint64, userOpHash common.Hash) common.Hash {
	packed := make([]byte, 0, 2*abiword.Uint48Size+common.HashLength)
	packed = abiword.AppendUint48(packed, validUntil)
	packed = abiword.AppendUint48(packed, validAfter)
	return crypto.Keccak256Hash(append(packed, userOpHash[:]...))
}

// MultichainSignature returns the multichain module's signature of one operation of several: abi.encode(uint48
// validUntil, uint48 validAfter, bytes32 root, bytes32[] proof, bytes sig).
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
