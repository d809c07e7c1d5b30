package account

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// MultichainOperation is one of the operations that a multichain signature is for.
type MultichainOperation struct {
	// Module is the multichain ownership module on the operation's chain.
	Module common.Address
	// Hash is the userOpHash, which the operation's chain and EntryPoint are part of.
	Hash common.Hash
	// ValidUntil and ValidAfter are when the operation may be included, in unix seconds and inclusive;
	// a ValidUntil of 0 is for ever.
	ValidUntil, ValidAfter uint64
}

// leaf is what the multichain module looks for in the tree: keccak256(uint48 validUntil ‖ uint48
// validAfter ‖ userOpHash).
func (m *MultichainOperation) leaf() common.Hash {
	packed := make([]byte, 0, 2*6+common.HashLength)
	packed = appendUint48(packed, m.ValidUntil)
	packed = appendUint48(packed, m.ValidAfter)
	return crypto.Keccak256Hash(append(packed, m.Hash[:]...))
}

// SignMultichain returns the signature of each operation, in their order and ready for userOp.signature,
// for one signature that the owner makes: of the EIP-191 message of the root of a Merkle tree over all.
// [SendTogether] makes and sends the operations as well.
func SignMultichain(ctx context.Context, owner Owner, ops ...MultichainOperation) ([][]byte, error) {
	if len(ops) == 0 {
		return nil, fmt.Errorf("%w: a multichain signature for no operation", policy.ErrInvalid)
	}
	leaves := make([]common.Hash, len(ops))
	for i := range ops {
		if ops[i].ValidUntil > policy.MaxTime || ops[i].ValidAfter > policy.MaxTime {
			return nil, fmt.Errorf("%w: the window of operation %d does not fit into 48 bits", policy.ErrInvalid, i)
		}
		leaves[i] = ops[i].leaf()
	}
	tree := merkle.New(leaves)
	root := tree.Root()
	sig, err := ownerSignature(ctx, owner, root[:])
	if err != nil {
		return nil, err
	}
	signatures := make([][]byte, len(ops))
	for i := range ops {
		proof, err := tree.Proof(i)
		if err != nil {
			return nil, err
		}
		signatures[i] = session.WrapSignature(ops[i].encode(root, proof, sig), ops[i].Module)
	}
	return signatures, nil
}

// encode returns abi.encode(uint48 validUntil, uint48 validAfter, bytes32 root, bytes32[] proof, bytes sig).
func (m *MultichainOperation) encode(root common.Hash, proof []common.Hash, sig []byte) []byte {
	const head = 5 * abi.WordSize
	proofSize := abi.HashesSize(len(proof))
	dst := make([]byte, 0, head+proofSize+abi.BytesSize(len(sig)))
	dst = abi.AppendUint64(dst, m.ValidUntil)
	dst = abi.AppendUint64(dst, m.ValidAfter)
	dst = abi.AppendWord(dst, root)
	dst = abi.AppendUint64(dst, head)
	dst = abi.AppendUint64(dst, uint64(head+proofSize))
	dst = abi.AppendHashes(dst, proof)
	return abi.AppendBytes(dst, sig)
}

func appendUint48(dst []byte, v uint64) []byte {
	return append(dst, byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// maxLegs is how many operations a [multichainDummy] can stand for.
const maxLegs = 32

// multichainDummy stands for the signature of one operation of several while gas is estimated. The module
// reverts for a proof that does not fit, and so for any dummy proof: the dummy is that of a single
// operation, followed by as many bytes, which nothing reads, as the real signature is longer. Validating it
// takes more gas than the real one, since the module tries a wrong signature in two ways, for a proof of up to
// five hashes.
type multichainDummy struct {
	module common.Address
	legs   int
}

// DummySignature is that of a [userop.Signer].
func (d multichainDummy) DummySignature(*userop.Operation) ([]byte, error) {
	var m MultichainOperation
	proof := make([]common.Hash, bits.Len(uint(d.legs-1)))
	size := len(session.WrapSignature(m.encode(common.Hash{}, proof, dummyOwnerSignature), d.module))
	dummy := session.WrapSignature(dummyOwnerSignature, d.module)
	// As calldata a byte that is not zero costs most: those of the hashes, the two times, the offsets.
	filled := common.HashLength*(1+len(proof)) + 20
	dummy = append(dummy, bytes.Repeat([]byte{0xff}, filled)...)
	return append(dummy, make([]byte, size-len(dummy))...), nil
}
