package account

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
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
		leaves[i] = contracts.MultichainLeaf(ops[i].ValidUntil, ops[i].ValidAfter, ops[i].Hash)
	}
	tree := session.NewTree(leaves)
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
		signature := contracts.MultichainSignature(ops[i].ValidUntil, ops[i].ValidAfter, root, proof, sig)
		signatures[i] = contracts.WrapSignature(signature, ops[i].Module)
	}
	return signatures, nil
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
	proof := make([]common.Hash, bits.Len(uint(d.legs-1)))
	size := len(contracts.WrapSignature(contracts.MultichainSignature(0, 0, common.Hash{}, proof, dummyOwnerSignature), d.module))
	dummy := contracts.WrapSignature(dummyOwnerSignature, d.module)
	// As calldata a byte that is not zero costs most: those of the hashes, the two times, the offsets.
	filled := common.HashLength*(1+len(proof)) + 20
	dummy = append(dummy, bytes.Repeat([]byte{0xff}, filled)...)
	return append(dummy, make([]byte, size-len(dummy))...), nil
}
