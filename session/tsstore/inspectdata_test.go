package tsstore

import (
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
)

const (
	padAddress = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e" // testContract
	zeros12    = "000000000000000000000000"
)

// findRule returns what is found in a leaf of the ABI module with that rule alone.
func findRule(t *testing.T, rule []byte, functions ...*abi.Function) []string {
	t.Helper()
	selector := []byte{0xa9, 0x05, 0x9c, 0xbb}
	if len(functions) > 0 {
		s := functions[0].Selector()
		selector = s[:]
	}
	data := abiData(newSigner(t, "a").address, new(uint256.Int), rule)
	copy(data[contracts.ABISelectorAt:], selector)
	return findData(t, policy.Modules{}.WithDefaults().ABI.Hex(), data, WithFunctions(functions...))
}

// findData returns what is found in a leaf with that data.
func findData(t *testing.T, module string, data []byte, opts ...InspectOption) (found []string) {
	t.Helper()
	f := soundFiles(t)
	f.nodes = []object{abiNode(t, newSigner(t, "a").address, 0, data)}
	f.nodes[0].setText("sessionValidationModule", module)
	report, err := f.write(t).Inspect(t.Context(), testRef, opts...)
	require.NoError(t, err)
	for _, f := range report.Findings {
		if f.Code != FindingClearKeys {
			require.Equal(t, 0, f.Leaf)
			found = append(found, strings.TrimPrefix(f.String(), "leafNodes[0]."+dataField))
		}
	}
	return found
}

func word(digits string) string { return "0x" + strings.Repeat("0", 64-len(digits)) + digits }

func wordRight(digits string) string { return "0x" + digits + strings.Repeat("0", 64-len(digits)) }

// What the SDK made of a rule on a text is a rule on where the text begins.
func TestRulesOnDynamicArguments(t *testing.T) {
	vote := abi.MustParseFunction("function castVote(string proposalId, uint8 support)")
	require.Empty(t, findRule(t, ruleData(0, 0, word("40")), vote), "it keeps callers to one encoding")
	require.Equal(t, []string{
		`.rules[0] (session s0): warning: it compares the offset of proposalId, where its content begins, and says nothing of proposalId itself: any value of it can pass; revoke it and grant it anew with rules on its length and its words (offset-rule)`,
	}, findRule(t, ruleData(0, 5, word("42")), vote))
	require.Equal(t, []string{
		`.rules[0] (session s0): warning: it compares the offset of proposalId, where its content begins, and in the standard encoding that is 64: only a call that is encoded otherwise passes, with any value; revoke it and grant it anew with rules on its length and its words (offset-rule)`,
	}, findRule(t, ruleData(0, 0, wordRight("3432")), vote))
}

// What the rules of a function that is not known look like.
func TestRuleFindings(t *testing.T) {
	for name, test := range map[string]struct {
		rule []byte
		want []string
	}{
		"number":                {rule: ruleData(32, 1, word("64"))},
		"one digit":             {rule: ruleData(32, 1, word("5"))},
		"with letters":          {rule: ruleData(32, 1, word("3e8"))},
		"round in decimal":      {rule: ruleData(32, 1, word("2710"))},
		"address":               {rule: ruleData(0, 0, word(padAddress[2:]))},
		"address of digits":     {rule: ruleData(0, 0, word("1111111111111111111111111111111111111111"))},
		"zero":                  {rule: ruleData(0, 0, word("0"))},
		"where an array begins": {rule: ruleData(0, 0, word("40"))},
		"largest number":        {rule: ruleData(0, 1, "0x"+strings.Repeat("f", 64))},
		"hash":                  {rule: ruleData(0, 0, "0x"+strings.Repeat("a7", 32))},
		"text":                  {rule: ruleData(0, 0, wordRight("55534443"))},
		"selector":              {rule: ruleData(0, 0, wordRight("40d097c3"))},
		"17 bytes":              {rule: ruleData(0, 0, wordRight("40d097c340d097c340d097c340d097c340"))},
		`"100" of fault 6`: {rule: ruleData(32, 1, word("100")), want: []string{
			`.rules[0] (session s0): warning: the reference is 256, and its hex digits read 100: the SDK takes the text "100" for hex; if 100 was meant, revoke it and grant it anew with a bigint (decimal-as-hex)`,
		}},
		`"1000000000000000000"`: {rule: ruleData(32, 1, word("1000000000000000000")), want: []string{
			`.rules[0] (session s0): warning: the reference is 4722366482869645213696, and its hex digits read 1000000000000000000: the SDK takes the text "1000000000000000000" for hex; if 1000000000000000000 was meant, revoke it and grant it anew with a bigint (decimal-as-hex)`,
		}},
		"as round either way": {rule: ruleData(32, 1, word("15")), want: []string{
			`.rules[0] (session s0): note: the reference is 21, and its hex digits read 15: the SDK takes the text "15" for hex; if 15 was meant, revoke it and grant it anew with a bigint (decimal-as-hex)`,
		}},
		"known address": {rule: ruleData(0, 0, padAddress+zeros12), want: []string{
			`.rules[0] (session s0): warning: the reference 0x1758f42af7026fbbb559dc60ece0de3ef81f665e000000000000000000000000 is padded on the right, and as the module reads it no call passes; revoke it and grant it anew padded on the left, as a bigint or an address is (padded-right)`,
		}},
		"any address": {rule: ruleData(0, 0, wordRight("9999994e4610bfcd43e19a373a02e3026aa46123")), want: []string{
			`.rules[0] (session s0): warning: the reference 0x9999994e4610bfcd43e19a373a02e3026aa46123000000000000000000000000 is padded on the right, and as the module reads it no call passes; revoke it and grant it anew padded on the left, as a bigint or an address is (padded-right)`,
		}},
		"number for equality": {rule: ruleData(0, 0, wordRight("64")), want: []string{
			`.rules[0] (session s0): note: the reference 0x6400000000000000000000000000000000000000000000000000000000000000 looks padded on the right, and as the module reads it no call passes; if so, revoke it and grant it anew padded on the left, as a bigint or an address is (padded-right)`,
		}},
		"number as upper bound": {rule: ruleData(0, 1, wordRight("64")), want: []string{
			`.rules[0] (session s0): danger: the reference 0x6400000000000000000000000000000000000000000000000000000000000000 is padded on the right, and as the module reads it every call passes the rule; revoke it and grant it anew padded on the left, as a bigint or an address is (padded-right)`,
		}},
		"number as lower bound": {rule: ruleData(0, 3, wordRight("64")), want: []string{
			`.rules[0] (session s0): warning: the reference 0x6400000000000000000000000000000000000000000000000000000000000000 is padded on the right, and as the module reads it no call passes; revoke it and grant it anew padded on the left, as a bigint or an address is (padded-right)`,
		}},
		"number to differ from": {rule: ruleData(0, 5, wordRight("64")), want: []string{
			`.rules[0] (session s0): note: the reference 0x6400000000000000000000000000000000000000000000000000000000000000 looks padded on the right, and as the module reads it every call passes the rule; if so, revoke it and grant it anew padded on the left, as a bigint or an address is (padded-right)`,
		}},
		"misspelt condition": {rule: ruleData(0, 255, word("64")), want: []string{
			`.rules[0] (session s0): warning: condition 255 never holds: the SDK's RuleHelpers.Condition makes -1, which is 255, of a name that it does not know, and it spells one LASS_THAN_OR_EQUAL; revoke it and grant it anew with a number from 0 to 5 (bad-condition)`,
		}},
		"condition as text": {rule: ruleData(0, '1', word("64")), want: []string{
			`.rules[0] (session s0): warning: condition 49 spells "1" and never holds: the SDK writes a text by its characters; revoke it and grant it anew with a number (number-as-text)`,
		}},
		"offset as text": {rule: ruleData(0x3332, 0, word("64")), want: []string{
			`.rules[0] (session s0): danger: the offset 13106 spells "32": the SDK writes a text by its characters, and the rule looks elsewhere; revoke it and grant it anew with a number (number-as-text)`,
		}},
		"raw value of one byte": {rule: ruleData(32, 1, "0x64"), want: []string{
			`.rules[0] (session s0): danger: its reference value has length 1, since the SDK pads no raw one, and the module reads other rules than were meant, or fails; revoke it and grant it anew with 32 bytes (bad-data)`,
		}},
		"raw value of 20 bytes": {rule: ruleData(32, 1, padAddress), want: []string{
			`.rules[0] (session s0): danger: its reference value has length 20, since the SDK pads no raw one, and the module reads other rules than were meant, or fails; revoke it and grant it anew with 32 bytes (bad-data)`,
		}},
		"raw value of 33 bytes": {rule: ruleData(32, 1, word("64")+"00"), want: []string{
			`.rules[0] (session s0): danger: its reference value has length 33, since the SDK pads no raw one, and the module reads other rules than were meant, or fails; revoke it and grant it anew with 32 bytes (bad-data)`,
		}},
		"raw value without bytes": {rule: ruleData(32, 1, "0x"), want: []string{
			`.rules[0] (session s0): danger: its reference value has length 0, since the SDK pads no raw one, and the module reads other rules than were meant, or fails; revoke it and grant it anew with 32 bytes (bad-data)`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, findRule(t, test.rule))
		})
	}
}

// With the function known, the argument's type tells what its reference can be.
func TestTypedRuleFindings(t *testing.T) {
	for name, test := range map[string]struct {
		function string
		rule     []byte
		want     []string
	}{
		"address":           {"f(address a)", ruleData(0, 0, word(padAddress[2:])), nil},
		"address of digits": {"f(address a)", ruleData(0, 0, word("1000")), nil},
		"bool":              {"f(bool a)", ruleData(0, 0, word("1")), nil},
		"negative":          {"f(int256 a)", ruleData(0, 0, "0x"+strings.Repeat("f", 64)), nil},
		"bytes4":            {"f(bytes4 a)", ruleData(0, 0, wordRight("40d097c3")), nil},
		"bytes32":           {"f(bytes32 a)", ruleData(0, 0, word("64")), nil},
		"offset word":       {"f(bytes a)", ruleData(0, 0, word("20")), nil},
		"equal to a number": {"f(uint256 a)", ruleData(0, 0, word("20")), []string{
			`.rules[0] (session s0): warning: the reference is 32, and its hex digits read 20: the SDK takes the text "20" for hex; if 20 was meant, revoke it and grant it anew with a bigint (decimal-as-hex)`,
		}},
		"length": {"f(bytes a)", ruleData(32, 1, word("100")), []string{
			`.rules[0] (session s0): warning: the reference is 256, and its hex digits read 100: the SDK takes the text "100" for hex; if 100 was meant, revoke it and grant it anew with a bigint (decimal-as-hex)`,
		}},
		"uint8": {"f(uint8 a)", ruleData(0, 0, word("1ff")), []string{
			`.rules[0] (session s0): warning: no uint8 encodes to the reference 0x00000000000000000000000000000000000000000000000000000000000001ff; revoke it and grant it anew (bad-data)`,
		}},
		"bool out of range": {"f(bool a)", ruleData(0, 0, word("2")), []string{
			`.rules[0] (session s0): warning: no bool encodes to the reference 0x0000000000000000000000000000000000000000000000000000000000000002; revoke it and grant it anew (bad-data)`,
		}},
		"bool on the right": {"f(bool a)", ruleData(0, 0, wordRight("01")), []string{
			`.rules[0] (session s0): warning: the reference 0x0100000000000000000000000000000000000000000000000000000000000000 is padded on the right, and as the module reads it no call passes; revoke it and grant it anew padded on the left, as a bigint or an address is (padded-right)`,
		}},
		"address on the right": {"f(address a)", ruleData(0, 5, padAddress+zeros12), []string{
			`.rules[0] (session s0): danger: the reference 0x1758f42af7026fbbb559dc60ece0de3ef81f665e000000000000000000000000 is padded on the right, and as the module reads it every call passes the rule; revoke it and grant it anew padded on the left, as a bigint or an address is (padded-right)`,
		}},
		"no address": {"f(address a)", ruleData(0, 0, "0x"+strings.Repeat("a7", 32)), []string{
			`.rules[0] (session s0): warning: no address encodes to the reference 0xa7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7; revoke it and grant it anew (bad-data)`,
		}},
		"number on the right": {"f(uint256 a)", ruleData(0, 2, wordRight("40d097c3")), []string{
			`.rules[0] (session s0): danger: the reference 0x40d097c300000000000000000000000000000000000000000000000000000000 is padded on the right, and as the module reads it every call passes the rule; revoke it and grant it anew padded on the left, as a bigint or an address is (padded-right)`,
		}},
		"bytes4 on the left": {"f(bytes4 a)", ruleData(0, 0, word("40d097c3")), []string{
			`.rules[0] (session s0): warning: the reference 0x0000000000000000000000000000000000000000000000000000000040d097c3 is padded on the left, and as the module reads it no call passes; revoke it and grant it anew padded on the right, as bytes are (padded-left)`,
		}},
		"at least bytes4": {"f(bytes4 a)", ruleData(0, 4, word("40d097c3")), []string{
			`.rules[0] (session s0): danger: the reference 0x0000000000000000000000000000000000000000000000000000000040d097c3 is padded on the left, and as the module reads it every call passes the rule; revoke it and grant it anew padded on the right, as bytes are (padded-left)`,
		}},
		"no bytes4": {"f(bytes4 a)", ruleData(0, 0, "0x"+strings.Repeat("a7", 32)), []string{
			`.rules[0] (session s0): warning: no bytes4 encodes to the reference 0xa7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7; revoke it and grant it anew (bad-data)`,
		}},
		"beyond the arguments": {"f(uint256 a)", ruleData(32, 0, word("100")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			function, err := abi.ParseFunction(test.function)
			require.NoError(t, err)
			require.Equal(t, test.want, findRule(t, test.rule, function))
		})
	}
}

// What is laid out otherwise than a module reads it.
func TestDataFindings(t *testing.T) {
	key := newSigner(t, "a").address
	abiModule, erc20 := policy.Modules{}.WithDefaults().ABI.Hex(), policy.Modules{}.WithDefaults().ERC20.Hex()
	number := func(text string) *uint256.Int { return new(uint256.Int).SetBytes([]byte(text)) }
	good, raw := ruleData(0, 0, word(padAddress[2:])), ruleData(32, 1, "0x64")
	wide := func(size int, rules ...[]byte) []byte {
		data := abiData(key, uint256.NewInt(1), rules...)
		return slices.Concat(data[:contracts.ABILimitAt], []byte{1}, make([]byte, size-contracts.ABILimitSize-1), data[contracts.ABILimitAt:])
	}
	words := func(w ...string) []byte {
		return common.FromHex("0x" + strings.ReplaceAll(strings.Join(w, ""), "0x", ""))
	}
	keyWord := word(strings.ToLower(key.Hex()[2:]))
	for name, test := range map[string]struct {
		module string
		data   []byte
		want   []string
	}{
		"short": {module: abiModule, data: abiData(key, new(uint256.Int))[:61], want: []string{
			` (session s0): warning: it has 61 bytes, fewer than the 62 before the rules, so that no call passes; revoke it and grant it anew (bad-data)`,
		}},
		"value limit":         {module: abiModule, data: abiData(key, uint256.NewInt(1e18))},
		"value limit of 0x3A": {module: abiModule, data: abiData(key, uint256.NewInt(0x3a))},
		"value limit as text": {module: abiModule, data: abiData(key, number("1000000000000000")), want: []string{
			` (session s0): danger: the value limit of 65382379416196861936597850812142596144 wei spells "1000000000000000": the SDK writes a text by its characters; revoke it and grant it anew with a bigint (number-as-text)`,
		}},
		"value limit as hex text": {module: abiModule, data: abiData(key, number("0x64")), want: []string{
			` (session s0): danger: the value limit of 813184564 wei spells "0x64": the SDK writes a text by its characters; revoke it and grant it anew with a bigint (number-as-text)`,
		}},
		"value limit of 2^128": {module: abiModule, data: wide(17, good), want: []string{
			` (session s0): danger: the value limit takes 17 bytes and the module reads 16, so that it takes part of the limit for rules; revoke it and grant it anew with a limit below 2^128 (bad-data)`,
		}},
		"value limit of 32 bytes": {module: abiModule, data: wide(32, good, good), want: []string{
			` (session s0): danger: the value limit takes 32 bytes and the module reads 16, so that it takes part of the limit for rules; revoke it and grant it anew with a limit below 2^128 (bad-data)`,
		}},
		"selector of five bytes": {module: abiModule, data: append(abiData(key, new(uint256.Int)), 0), want: []string{
			` (session s0): danger: its 0 rules take 0 bytes and it has 1, so that the module reads other rules than were meant, or fails; revoke it and grant it anew (bad-data)`,
		}},
		"first of two rules is raw": {module: abiModule, data: abiData(key, new(uint256.Int), raw, good), want: []string{
			`.rules[0] (session s0): danger: its reference value has length 1, since the SDK pads no raw one, and the module reads other rules than were meant, or fails; revoke it and grant it anew with 32 bytes (bad-data)`,
		}},
		"second of two rules is raw": {module: abiModule, data: abiData(key, new(uint256.Int), good, raw), want: []string{
			` (session s0): danger: its 2 rules take 70 bytes and it has 39, so that the module reads other rules than were meant, or fails; revoke it and grant it anew (bad-data)`,
		}},
		"both rules are raw": {module: abiModule, data: abiData(key, new(uint256.Int), raw, raw), want: []string{
			` (session s0): danger: its 2 rules take 70 bytes and it has 8, so that the module reads other rules than were meant, or fails; revoke it and grant it anew (bad-data)`,
		}},
		"a rule is missing": {module: abiModule, data: abiData(key, new(uint256.Int), good, good)[:contracts.ABIRulesAt+contracts.ABIRuleSize], want: []string{
			` (session s0): danger: its 2 rules take 70 bytes and it has 35, so that the module reads other rules than were meant, or fails; revoke it and grant it anew (bad-data)`,
		}},
		"ERC-20": {module: erc20, data: words(keyWord, word("20"), word("30"), word("100"))},
		"ERC-20, short": {module: erc20, data: words(keyWord, word("20"), word("30")), want: []string{
			` (session s0): warning: it has 96 bytes, and three addresses and an amount have 128; revoke it and grant it anew (bad-data)`,
		}},
		"ERC-20, key on the right": {module: erc20, data: words(wordRight(strings.ToLower(key.Hex()[2:])), word("20"), word("30"), word("1")), want: []string{
			` (session s0): warning: the session key 0x8e8161A194dB181783245dFaE95dBc632eB958Cb is padded on the right, and the module fails on it; revoke it and grant it anew, padded on the left (padded-right)`,
		}},
		"ERC-20, another key": {module: erc20, data: words(word("77"), word("20"), word("30"), word("1")), want: []string{
			`leafNodes[0].sessionPublicKey (session s0): fatal: it is 0x8e8161A194dB181783245dFaE95dBc632eB958Cb, but the leaf's data lets key 0x0000000000000000000000000000000000000077 sign; correct sessionPublicKey, which is not part of the leaf on chain (key-mismatch)`,
		}},
		"ERC-20, no token": {module: erc20, data: words(keyWord, "0x"+strings.Repeat("a7", 32), word("30"), word("1")), want: []string{
			` (session s0): warning: the token 0xa7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7 is no address, and the module fails on it; revoke it and grant it anew (bad-data)`,
		}},
		"another module": {module: testContract.Hex(), data: []byte{1}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, findData(t, test.module, test.data))
		})
	}
}

func TestAFindingPrintsItsSessionAsOneLine(t *testing.T) {
	f := Finding{Finding: policy.Finding{Session: "a\x1b[2J", Severity: policy.SeverityNote, Message: "it is odd", Code: "test"}, Entry: "leafNodes[0]"}
	require.Equal(t, `leafNodes[0] (session "a\x1b[2J"): note: it is odd (test)`, f.String())
}
