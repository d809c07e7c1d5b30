package session

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/internal/line"
	"github.com/go-sesame/sesame/session/policy"
)

// Lint looks for what is dangerous, too wide or useless in leaves, in their order: what [policy.Lint] finds
// in their policies, and a leaf that belongs to another key than its data says. Revoked leaves that have left
// the tree are passed over. That it finds nothing does not make a session safe: what the allowed functions do
// is up to their contracts.
func Lint(leaves []Leaf, c policy.LintConfig) []policy.Finding {
	policies := make([]*policy.Compiled, len(leaves))
	c.Keys = make([]common.Address, len(leaves))
	for i := range leaves {
		if leaf := &leaves[i]; leaf.Status != StatusRevoked || leaf.InTree {
			policies[i], c.Keys[i] = &leaf.Compiled, leaf.Key
		}
	}
	findings := policy.Lint(c, policies...)
	for n := range findings {
		if at := findings[n].Leaf; at != policy.NoLeaf {
			findings[n].Session = line.Text(leaves[at].ID)
		}
	}
	return findings
}
