package tsstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/policy"
)

// inspectRoot finds the tree of the chain's root or, where that is not known, of the file's. Leaf nodes that
// are not whole lack some that could not be read.
func (in *inspection) inspectRoot(leafNodes []*node, whole bool) {
	finder := newTreeFinder(leafNodes)
	in.report.LeavesRoot = finder.rootOf(finder.all())
	tree, ok := in.findTree(finder, whole)
	for _, at := range tree {
		leafNodes[at].leaf.InTree = true
	}
	position := in.positions()
	for _, n := range leafNodes {
		in.leafNodes = append(in.leafNodes, position[n])
	}
	if ok {
		in.report.Tree = make([]int, len(tree))
	}
	for i, at := range tree {
		in.report.Tree[i] = in.leafNodes[at]
	}
	for _, n := range in.file.nodes {
		in.report.Leaves = append(in.report.Leaves, n.leaf.Clone())
	}
}

func (in *inspection) findTree(finder *treeFinder, whole bool) (tree []int, ok bool) {
	root, known, err := in.file.merkleRoot()
	if bad, ok := errors.AsType[*FormatError](err); ok {
		in.addBad(FindingMalformed, bad, `set it to "" to take all leaf nodes`)
	}
	in.report.Root = root
	switch chain := in.report.Chain; {
	case chain != nil && *chain == (common.Hash{}) && len(finder.nodes) > 0:
		in.addRoot(FindingRootMismatch, policy.SeverityWarning, !in.rootOfLeaves,
			"the chain has no root: the grant never landed, or all sessions were revoked; "+outOfMismatch)
		return nil, false
	case chain != nil:
		if known && *chain != root {
			in.addRoot(FindingChainRoot, policy.SeverityWarning, false, fmt.Sprintf("the chain shows %s, and the file %s: the operation that sets it never landed, "+
				"or another backend changed the sessions; what is in the tree of the chain's root is taken over", chain, root))
		}
		root = *chain
	case err != nil:
		return nil, false
	case !known && !whole:
		return nil, false
	case !known:
		if len(finder.nodes) > 0 {
			in.addRoot(FindingNoRoot, policy.SeverityNote, false, "no root is written down, and all leaf nodes are taken to be in the tree; compare with the chain")
		}
		return finder.all(), true
	}
	return in.findTreeOf(root, finder, whole)
}

func (in *inspection) findTreeOf(root common.Hash, finder *treeFinder, whole bool) (tree []int, ok bool) {
	if tree, ok = finder.choice(root); ok {
		return tree, true
	}
	if tree, ok = finder.repetition(root); ok {
		in.repeated = true
		in.addRoot(FindingRepeatedLeaves, policy.SeverityDanger, !in.repeatLeaves && !in.rootOfLeaves, fmt.Sprintf(
			"%s is the root that the SDK's revokeSessions makes: its tree has %d leaves of %d leaf nodes, %s, so that each can still be proven on chain, the revoked too; "+
				"export with RepeatLeaves, then have the owner grant or revoke, which sets a root without them", root, len(tree), len(finder.nodes), finder.describe(tree)))
		return tree, true
	}
	why := "since some were removed, as by clearPendingSessions, or changed"
	if !whole {
		why = "since not all of them can be read"
	}
	in.addRoot(FindingRootMismatch, policy.SeverityWarning, !in.rootOfLeaves,
		fmt.Sprintf("no known way leads from the leaf nodes, which hash to %s, to root %s, %s; %s", in.report.LeavesRoot, root, why, outOfMismatch))
	return nil, false
}

// outOfMismatch is the way out of a root that the leaves do not make.
const outOfMismatch = "export with RootOfLeaves, which takes the leaf nodes with a root that the chain does not show, then have the owner grant or revoke with account.ReplaceRoot"

func (in *inspection) addRoot(code policy.FindingCode, severity policy.Severity, fatal bool, message string) {
	f := finding(code, severity, message)
	f.Fatal, f.Entry = fatal, merkleRootField
	in.add(f)
}

// describe says which leaves of a tree are there once only.
func (t *treeFinder) describe(tree []int) string {
	times := make([]int, len(t.nodes))
	for _, at := range tree {
		times[at]++
	}
	var once []string
	for at, n := range times {
		if n == 1 {
			once = append(once, t.nodes[at].leaf.ID)
		}
	}
	if len(once) == 0 {
		return "all of them more than once"
	}
	return "all more than once but " + strings.Join(once, ", ")
}
