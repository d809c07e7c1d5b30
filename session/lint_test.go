package session_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

func TestLint(t *testing.T) {
	tests := []struct {
		name   string
		policy policy.Policy
		change func(*session.Leaf)
		want   []string
	}{
		{"clean", mintPolicy(), nil, nil},
		{"no rules", policy.ABI{Key: policyKey, Contract: policyNFT, Function: "safeMint(address to)", Window: policy.Until(policyEnd)}, nil,
			[]string{"abc: warning: it has no rules: all arguments are allowed (no-rules)"}},
		{"another key", mintPolicy(), func(l *session.Leaf) { l.Key = policyTo },
			[]string{"abc: danger: it belongs to key 0x3333333333333333333333333333333333333333, but its data lets key 0x1111111111111111111111111111111111111111 sign (key-mismatch)"}},
		{"another key, ERC-20", transferPolicy(), func(l *session.Leaf) { l.Key = policyTo }, []string{
			"abc: danger: it belongs to key 0x3333333333333333333333333333333333333333, but its data lets key 0x1111111111111111111111111111111111111111 sign (key-mismatch)",
			"abc: warning: the ERC-20 module does not look at the function: approve passes as well as transfer; use an ABI policy (any-selector)"}},
		{"left the tree", transferPolicy(), func(l *session.Leaf) { l.Status, l.InTree = session.StatusRevoked, false }, nil},
		{"left the tree with another key", mintPolicy(), func(l *session.Leaf) { l.Status, l.InTree, l.Key = session.StatusRevoked, false, policyTo }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf := leafOf(t, "abc", tt.policy)
			if tt.change != nil {
				tt.change(&leaf)
			}
			var got []string
			for _, f := range session.Lint([]session.Leaf{leaf}, policy.LintConfig{}) {
				got = append(got, f.String())
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestLintDuplicates(t *testing.T) {
	mint := leafOf(t, "", mintPolicy())
	revoked := mint.Clone()
	revoked.Status, revoked.InTree = session.StatusRevoked, false
	stake := mintPolicy()
	stake.Function, stake.Rules = "stake()", nil
	other := leafOf(t, "", stake)

	findings := session.Lint([]session.Leaf{revoked, mint, other, mint}, policy.LintConfig{})
	require.Equal(t, []policy.Finding{{
		Leaf: 3, Rule: policy.NoRule, Code: policy.FindingDuplicate, Severity: policy.SeverityWarning,
		Message: "it is the same as leaf 1; revoking one of them alone revokes nothing",
	}}, findings)

	revoked.InTree = true
	require.Len(t, session.Lint([]session.Leaf{revoked, mint}, policy.LintConfig{}), 1, "the chain still takes a leaf in the tree")
}

// Findings stay in the order of the leaves, each with the name of its session.
func TestLintOrder(t *testing.T) {
	first, second := leafOf(t, "first", mintPolicy()), leafOf(t, "second", transferPolicy())
	first.Key = policyTo
	findings := session.Lint([]session.Leaf{first, second}, policy.LintConfig{})
	require.Len(t, findings, 2)
	require.Equal(t, []string{"first", "second"}, []string{findings[0].Session, findings[1].Session})
	require.Equal(t, []policy.FindingCode{policy.FindingKey, policy.FindingAnySelector}, []policy.FindingCode{findings[0].Code, findings[1].Code})

	open := mintPolicy()
	open.Window, open.Rules = policy.Forever(), nil
	first = leafOf(t, "first", open)
	first.Key = policyTo
	var codes []policy.FindingCode
	for _, finding := range session.Lint([]session.Leaf{first}, policy.LintConfig{}) {
		codes = append(codes, finding.Code)
	}
	require.Equal(t, []policy.FindingCode{policy.FindingNoEnd, policy.FindingKey, policy.FindingNoRules}, codes)
}

// What is about the account is about no session.
func TestLintOfTheAccount(t *testing.T) {
	leaf := leafOf(t, "abc", mintPolicy())
	findings := session.Lint([]session.Leaf{leaf}, policy.LintConfig{SelfPaid: true})
	require.Len(t, findings, 1)
	require.Equal(t, policy.NoLeaf, findings[0].Leaf)
	require.Equal(t, policy.FindingGas, findings[0].Code)
	require.Empty(t, findings[0].Session)
	leaf.Status, leaf.InTree = session.StatusRevoked, false
	require.Empty(t, session.Lint([]session.Leaf{leaf}, policy.LintConfig{SelfPaid: true}), "no key is left")
}
