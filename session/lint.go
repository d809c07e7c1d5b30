package session

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-sesame/sesame/session/policy"
)

// Lint looks for what is dangerous, too wide or useless in leaves, in their order: what [policy.Lint] finds
// in their policies, and a leaf that belongs to another key than its data says. Revoked leaves that have left
// the tree are passed over. That it finds nothing does not make a session safe: what the allowed functions do
// is up to their contracts.
func Lint(leaves []Leaf, c policy.LintConfig) []policy.Finding {
	c.Modules = c.Modules.WithDefaults()
	policies := make([]*policy.Compiled, len(leaves))
	for i := range leaves {
		if leaf := &leaves[i]; leaf.Status != StatusRevoked || leaf.InTree {
			policies[i] = &leaf.Compiled
		}
	}
	findings := policy.Lint(c, policies...)
	for i, compiled := range policies {
		if compiled == nil {
			continue
		}
		if named, ok := compiled.SessionKey(c.Modules); ok && named != leaves[i].Key {
			findings = append(findings, policy.Finding{
				Leaf: i, Rule: policy.NoRule, Code: policy.FindingKey, Severity: policy.SeverityDanger,
				Message: fmt.Sprintf("it belongs to key %s, but its data lets key %s sign", leaves[i].Key, named),
			})
		}
	}
	for n := range findings {
		findings[n].Session = leaves[findings[n].Leaf].ID
	}
	slices.SortStableFunc(findings, func(a, b policy.Finding) int { return cmp.Compare(a.Leaf, b.Leaf) })
	return findings
}
