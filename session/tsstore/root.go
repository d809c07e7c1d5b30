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

// merkleRoot reads the file's root. Before its first one the SDK has none, and merkletreejs writes 0x
// for the root of no leaves.
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

// memberships are the ways in which leaf nodes make up the tree of a root, by status. The SDK takes
// all; the others are of programs that clean up around it.
var memberships = []func(word string) bool{
	func(string) bool { return true },
	func(w string) bool { return w != revoked && w != inactive },
	func(w string) bool { return w == active || w == pending },
	func(w string) bool { return w == active || w == expired },
	func(w string) bool { return w == active },
	func(w string) bool { return w != pending },
	func(string) bool { return false },
}

// maxTrailing bounds how many new leaves at the end are tried to be outside the tree.
const maxTrailing = 32

// findTree marks the nodes that the root covers. Without a root these are all.
func findTree(root common.Hash, known bool, nodes []*node) (common.Hash, error) {
	all := treeOf(nodes, memberships[0])
	if !known || all == root {
		return all, nil
	}
	for _, member := range memberships[1:] {
		if treeOf(nodes, member) == root {
			return root, nil
		}
	}
	// The SDK writes leaves down one by one, then the root.
	for n := len(nodes) - 1; n >= max(0, len(nodes)-maxTrailing) && nodes[n].word == pending; n-- {
		if treeOf(nodes[:n], memberships[0]) == root {
			markAll(nodes[n:], false)
			return root, nil
		}
	}
	return common.Hash{}, fmt.Errorf("%w: merkleRoot is %s, but the %d leaf nodes hash to %s, and no choice of them by status fits; "+
		"the TypeScript SDK's revokeSessions and clearPendingSessions leave such a file: remove the nodes that are not in the account's root on chain, "+
		"or set merkleRoot to \"\" to take all nodes, and have the owner grant or revoke with account.ReplaceRoot", session.ErrRootMismatch, root, len(nodes), all)
}

// treeOf marks which nodes are in the tree and returns its root.
func treeOf(nodes []*node, member func(word string) bool) common.Hash {
	hashes := make([]common.Hash, 0, len(nodes))
	for _, n := range nodes {
		if n.leaf.InTree = member(n.word); n.leaf.InTree {
			hashes = append(hashes, n.leaf.Hash())
		}
	}
	return session.NewTree(hashes).Root()
}

func markAll(nodes []*node, inTree bool) {
	for _, n := range nodes {
		n.leaf.InTree = inTree
	}
}
