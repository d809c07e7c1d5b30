package tsstore

import (
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// Report is what [Store.Inspect] found in an account's files.
type Report struct {
	Ref session.Ref
	// Root is the file's merkleRoot, zero where it has none.
	Root common.Hash
	// Chain is the root that the chain showed; nil if it was not asked, see [WithChain].
	Chain *common.Hash
	// LeavesRoot is the root of all leaf nodes, each once and in their order: the tree that the SDK builds
	// when it reads the file.
	LeavesRoot common.Hash
	// Leaves are the leaves that could be read, in the order of the store.
	Leaves []session.Leaf
	// Tree are the positions of the tree's leaves, in the tree's order: the tree of Chain if that is known,
	// of Root otherwise. A leaf that the SDK put in twice is there twice. It is nil where no known way leads
	// to the root.
	Tree []int
	// Findings are in the order of the files: the file of sessions, its root, its leaves, the signers.
	Findings []Finding
}

// Err returns an error that lists the fatal findings, a [*RefusedError]; nil if there are none.
func (r *Report) Err() error {
	var fatal []Finding
	for _, f := range r.Findings {
		if f.Fatal {
			fatal = append(fatal, f)
		}
	}
	if len(fatal) == 0 {
		return nil
	}
	return &RefusedError{Ref: r.Ref, Findings: fatal}
}

// RefusedError says why an account's files cannot be taken over as they are. It matches [policy.ErrInvalid],
// and [session.ErrRootMismatch] if a root is part of it.
type RefusedError struct {
	Ref session.Ref
	// Findings are the fatal ones.
	Findings []Finding
}

// Error returns the findings in one line.
func (e *RefusedError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.String()
	}
	return fmt.Sprintf("the TypeScript SDK's files of %s cannot be taken over: %s", e.Ref, strings.Join(lines, "; "))
}

// Is makes a RefusedError match what it says above.
func (e *RefusedError) Is(target error) bool {
	if target == session.ErrRootMismatch {
		for _, f := range e.Findings {
			if f.Code == FindingRootMismatch || f.Code == FindingRepeatedLeaves {
				return true
			}
		}
	}
	return target == policy.ErrInvalid
}
