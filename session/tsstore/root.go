package tsstore

import (
	"crypto/sha256"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
)

// The SDK's fields of the file.
const (
	merkleRootField = "merkleRoot"
	leafNodesField  = "leafNodes"
)

// merkleRoot reads the file's root. Before its first one the SDK has none, and merkletreejs writes 0x for the
// root of no leaves.
func (f *sessions) merkleRoot() (root common.Hash, known bool, err error) {
	if _, ok := f.top[merkleRootField]; !ok {
		return common.Hash{}, false, nil
	}
	r := reader{object: f.top}
	if text, _ := r.text(merkleRootField); text == "" || text == "0x" {
		return common.Hash{}, false, r.err()
	}
	b := r.bytes(merkleRootField)
	if len(b) != common.HashLength {
		r.fail(merkleRootField, fmt.Sprintf("root has %d bytes, want 32", len(b)))
	}
	return common.BytesToHash(b), true, r.err()
}

// setMerkleRoot writes the root of a tree of that many leaves as the SDK would.
func (f *sessions) setMerkleRoot(leaves int) {
	if leaves == 0 && f.header.Root == (common.Hash{}) {
		f.top.setText(merkleRootField, "")
		return
	}
	f.top.setText(merkleRootField, f.header.Root.Hex())
}

// digest covers the root and every field of leaf nodes that has a meaning.
func (f *sessions) digest(nodes []*node) common.Hash {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", f.top[merkleRootField])
	for _, n := range nodes {
		fmt.Fprintf(h, "%q %q %x %x\n", n.leaf.ID, n.word, n.leaf.Key, n.leaf.Pack())
	}
	return common.BytesToHash(h.Sum(nil))
}

// findTree marks the nodes that the root covers. Without a root these are all.
func findTree(root common.Hash, known bool, nodes []*node) (common.Hash, error) {
	finder := newTreeFinder(nodes)
	if !known {
		root = finder.rootOf(finder.all())
	}
	tree, ok := finder.choice(root)
	if !ok {
		return common.Hash{}, fmt.Errorf("%w: merkleRoot is %s, but the %d leaf nodes hash to %s, and no choice of them by status fits; "+
			"the TypeScript SDK's revokeSessions and clearPendingSessions leave such a file: Inspect tells which, and Transfer with RepeatLeaves or RootOfLeaves takes the sessions over into another store; "+
			"to stay with this one, remove the nodes that are not in the account's root on chain, "+
			"or set merkleRoot to \"\" to take all nodes, and have the owner grant or revoke with account.ReplaceRoot", session.ErrRootMismatch, root, len(nodes), finder.rootOf(finder.all()))
	}
	markAll(nodes, false)
	for _, i := range tree {
		nodes[i].leaf.InTree = true
	}
	return root, nil
}

func markAll(nodes []*node, inTree bool) {
	for _, n := range nodes {
		n.leaf.InTree = inTree
	}
}
