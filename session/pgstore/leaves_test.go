package pgstore_test

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

var testRef = session.Ref{ChainID: 80002, Account: common.HexToAddress("0x1111111111111111111111111111111111111111")}

// newLeaf returns an active leaf that never ends, of a module that is not judged locally.
func newLeaf(n int) session.Leaf {
	return session.Leaf{
		ID: fmt.Sprint("leaf-", n), Status: session.StatusActive, InTree: true, Key: common.BigToAddress(big.NewInt(int64(n + 1))),
		Compiled: policy.Compiled{
			Module: common.HexToAddress("0x2222222222222222222222222222222222222222"), Data: fmt.Append(nil, "data ", n),
		},
	}
}

func newLeaves(from, to int) []session.Leaf {
	var leaves []session.Leaf
	for n := from; n < to; n++ {
		leaves = append(leaves, newLeaf(n))
	}
	return leaves
}

// rootOf returns the root of the tree over leaves.
func rootOf(leaves ...session.Leaf) common.Hash {
	hashes := make([]common.Hash, len(leaves))
	for i := range leaves {
		hashes[i] = leaves[i].Hash()
	}
	return merkle.New(hashes).Root()
}
