package policy_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/policy"
)

// spoken is a function with its one dynamic argument, and what its paths lead to in decoded arguments.
type spoken struct {
	signature string
	dynamic   int // position of the head of the dynamic argument
	make      func(r *rand.Rand) []any
	paths     map[string]func(args []any) (any, bool) // nil for an offset
}

func text(r *rand.Rand) string { return strings.Repeat("x", r.IntN(70)) + string(rune('0'+r.IntN(3))) }

func lengthOf(s string) (any, bool) { return len(s), true }

func wordOf(s string, i int) (any, bool) {
	if len(s) <= 32*i {
		return nil, false
	}
	var word common.Hash
	copy(word[:], s[32*i:])
	return word, true
}

var spokenFunctions = []spoken{
	{"vote(uint256 n, string reason, uint8 k)", 1,
		func(r *rand.Rand) []any { return []any{r.IntN(3), text(r), r.IntN(3)} },
		map[string]func([]any) (any, bool){
			"n": func(a []any) (any, bool) { return a[0], true }, "k": func(a []any) (any, bool) { return a[2], true },
			"reason.length":   func(a []any) (any, bool) { return lengthOf(a[1].(string)) },
			"reason.words[0]": func(a []any) (any, bool) { return wordOf(a[1].(string), 0) },
			"reason.words[1]": func(a []any) (any, bool) { return wordOf(a[1].(string), 1) },
			"reason.offset":   nil,
		}},
	{"run(bytes data)", 0,
		func(r *rand.Rand) []any { return []any{[]byte(text(r))} },
		map[string]func([]any) (any, bool){
			"data.length":   func(a []any) (any, bool) { return lengthOf(string(a[0].([]byte))) },
			"data.words[0]": func(a []any) (any, bool) { return wordOf(string(a[0].([]byte)), 0) },
			"data.offset":   nil,
		}},
	{"fill((uint8 kind, string note) order, bool on)", 0,
		func(r *rand.Rand) []any { return []any{[]any{r.IntN(3), text(r)}, r.IntN(2) == 0} },
		map[string]func([]any) (any, bool){
			"on":                  func(a []any) (any, bool) { return a[1], true },
			"order.kind":          func(a []any) (any, bool) { return a[0].(abi.Tuple)[0].Value, true },
			"order.note.length":   func(a []any) (any, bool) { return lengthOf(a[0].(abi.Tuple)[1].Value.(string)) },
			"order.note.words[0]": func(a []any) (any, bool) { return wordOf(a[0].(abi.Tuple)[1].Value.(string), 0) },
			"order.offset":        nil, "order.note.offset": nil,
		}},
}

// Whatever a sentence says of a value holds for that value in every call that passes, however it is encoded.
// A rule on where a value begins says nothing of the value, and neither does one on a place that a caller can
// leave empty.
func TestDescribeClaimsNothingThatAPassingCallBreaks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	claims, offsets, elsewhere := 0, 0, 0
	for range 3_000 {
		s := &spokenFunctions[r.IntN(len(spokenFunctions))]
		f := abi.MustParseFunction(s.signature)
		data, err := f.Pack(s.make(r)...)
		require.NoError(t, err)
		p := mintPolicy()
		p.Function, p.Rules = s.signature, nil
		for path := range s.paths {
			if w, err := f.Word(path); err == nil && r.IntN(2) == 0 && int(w.Offset)+4+32 <= len(data) {
				p.Rules = append(p.Rules, policy.WordRule(w.Offset, policy.Condition(r.IntN(6)), common.Hash(data[4+w.Offset:])))
			}
		}
		leaf, err := p.Compile(policy.Modules{})
		require.NoError(t, err)
		sentence := leaf.Describe(policy.Modules{})

		other, err := f.Pack(s.make(r)...)
		require.NoError(t, err)
		args, err := f.Unpack(other)
		require.NoError(t, err)
		if r.IntN(2) == 0 { // the dynamic argument is another one, behind what the rules look at
			head := 4 + 32*s.dynamic
			begins := binary.BigEndian.Uint64(other[head+24:])
			moved := append(bytes.Clone(data), other[4+begins:]...)
			binary.BigEndian.PutUint64(moved[head+24:], uint64(len(data)-4))
			other = moved
			dynamic := args[s.dynamic]
			args, err = f.Unpack(data)
			require.NoError(t, err)
			args[s.dynamic] = dynamic
		}
		if policy.CheckCall(policy.Modules{}, &leaf, abi.Call{To: policyNFT, Data: other}) != nil {
			continue
		}
		for path, value := range s.paths {
			at, err := f.Word(path)
			require.NoError(t, err)
			if value == nil {
				require.NotContains(t, sentence, " "+path+" ")
				offsets += strings.Count(sentence, " the offset of "+strings.TrimSuffix(path, ".offset")+" ")
				continue
			}
			got, there := value(args)
			if !there {
				continue
			}
			word, err := at.Encode(got)
			require.NoError(t, err)
			for i, rule := range p.Rules {
				claim := path + " " + rule.Condition.String() + " " + at.Format(rule.Word)
				if !strings.Contains(sentence, "with "+claim) && !strings.Contains(sentence, "and "+claim) {
					elsewhere++
					continue
				}
				claims++
				require.True(t, holds(rule.Condition, word, rule.Word), "%s: rule %d of %x", sentence, i, other)
			}
		}
	}
	require.Greater(t, claims, 50)
	require.Greater(t, offsets, 50)
	require.Greater(t, elsewhere, 50)
}

// holds compares as the contract does.
func holds(c policy.Condition, word, with common.Hash) bool {
	order := bytes.Compare(word[:], with[:])
	return [...]bool{
		policy.Equal: order == 0, policy.NotEqual: order != 0, policy.LessThan: order < 0, policy.LessThanOrEqual: order <= 0,
		policy.GreaterThan: order > 0, policy.GreaterThanOrEqual: order >= 0,
	}[c]
}

// A rule meant for a proposal was one on where its text begins, and let the proposal pass that it was to
// forbid.
func TestARuleOnADynamicArgument(t *testing.T) {
	p := mintPolicy()
	p.Function = "function castVote(string proposalId, uint8 support)"
	for _, c := range []policy.Condition{policy.Equal, policy.NotEqual, policy.LessThan} {
		for _, value := range []any{"42", 42} {
			p.Rules = []policy.Rule{policy.Arg("proposalId", c, value)}
			_, err := p.Compile(policy.Modules{})
			require.ErrorIs(t, err, policy.ErrInvalid)
			for _, way := range []string{"proposalId.length", "proposalId.words[0]", "proposalId.offset"} {
				require.ErrorContains(t, err, way)
			}
		}
	}
	// What allows one proposal alone: a text of two bytes, which are these.
	p.Rules = []policy.Rule{
		policy.Arg("proposalId.offset", policy.Equal, 64), policy.Arg("proposalId.length", policy.Equal, 2),
		policy.Arg("proposalId.words[0]", policy.Equal, common.Hash{'4', '2'}),
	}
	leaf, err := p.Compile(policy.Modules{})
	require.NoError(t, err)
	for id, ok := range map[string]bool{"41": false, "42": true, "421": false} {
		data, err := abi.Pack(p.Function, id, 1)
		require.NoError(t, err)
		err = policy.CheckCall(policy.Modules{}, &leaf, abi.Call{To: policyNFT, Data: data})
		require.Equal(t, ok, err == nil, "%s: %v", id, err)
	}
	require.Empty(t, policy.Lint(policy.LintConfig{}, &leaf))

	// No rule forbids one text: contracts do not look at what fills its last word up, which the rule sees.
	p.Rules[2].Condition = policy.NotEqual
	leaf, err = p.Compile(policy.Modules{})
	require.NoError(t, err)
	forbidden, err := abi.Pack(p.Function, "42", 1)
	require.NoError(t, err)
	require.Error(t, policy.CheckCall(policy.Modules{}, &leaf, abi.Call{To: policyNFT, Data: forbidden}))
	forbidden[len(forbidden)-1] = 1
	require.NoError(t, policy.CheckCall(policy.Modules{}, &leaf, abi.Call{To: policyNFT, Data: forbidden}))
	require.Len(t, policy.LintCall(policy.Modules{}, &leaf, abi.Call{To: policyNFT, Data: forbidden}), 1)
	findings := policy.Lint(policy.LintConfig{}, &leaf)
	require.Len(t, findings, 1)
	require.Equal(t, policy.FindingLayout, findings[0].Code)
	require.Equal(t, policy.SeverityWarning, findings[0].Severity)

	// A leaf from elsewhere that has the old rule is called what it is.
	p.Rules = []policy.Rule{policy.WordRule(0, policy.NotEqual, common.Hash{31: 42})}
	leaf, err = p.Compile(policy.Modules{})
	require.NoError(t, err)
	require.Contains(t, leaf.Describe(policy.Modules{}), " with the offset of proposalId ≠ 42, ")
	findings = policy.Lint(policy.LintConfig{}, &leaf)
	require.Len(t, findings, 1)
	require.Equal(t, policy.FindingOffset, findings[0].Code)
	require.Equal(t, policy.SeverityWarning, findings[0].Severity)
	back, err := leaf.Policy(policy.Modules{}, p.Key)
	require.NoError(t, err)
	again, err := back.Compile(policy.Modules{})
	require.NoError(t, err)
	require.Equal(t, leaf, again, "and can be granted again as it is")

	data, err := abi.Pack(p.Function, "42", 1)
	require.NoError(t, err)
	require.NoError(t, policy.CheckCall(policy.Modules{}, &leaf, abi.Call{To: policyNFT, Data: data}), "as the contract has it")
	p.Rules = []policy.Rule{policy.WordRule(0, policy.LessThan, common.Hash{31: 64})}
	leaf, err = p.Compile(policy.Modules{})
	require.NoError(t, err)
	require.ErrorContains(t, policy.CheckCall(policy.Modules{}, &leaf, abi.Call{To: policyNFT, Data: data}), "rule 0 (the offset of proposalId): 64 must be < 64")
}
