package merkle_test

import (
	"fmt"
	"log"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/merkle"
)

func ExampleNew() {
	leaves := []common.Hash{{1}, {2}, {3}}
	tree := merkle.New(leaves)
	proof, err := tree.Proof(2)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(proof), merkle.Verify(tree.Root(), leaves[2], proof))
	// Output: 1 true
}
