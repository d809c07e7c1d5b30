package policy

import (
	"bytes"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// plausibleOffset is where arguments of an unknown function begin to be longer than functions have.
const plausibleOffset = 128 * abi.WordSize

// plausibleValueBits bounds limits that limit something: 2^96 wei are 79 billion.
const plausibleValueBits = 96

func (l *linter) lintRule(i int, rule Rule, rules []Rule, f *abi.Function) {
	if !rule.Condition.isKnown() {
		l.addRule(i, FindingNeverHolds, SeverityWarning, "%s never holds", rule.Condition)
	}
	if rule.Offset%abi.WordSize != 0 {
		l.addRule(i, FindingLayout, SeverityWarning, "offset %d is within a word; it takes the end of one argument and the beginning of the next", rule.Offset)
		return
	}
	if f == nil {
		if rule.Offset >= plausibleOffset {
			l.addRule(i, FindingPastEnd, SeverityWarning, "offset %d is farther than the arguments of most functions reach", rule.Offset)
		}
		return
	}
	at, ok := f.WordAt(rule.Offset)
	if !ok {
		l.addRule(i, FindingPastEnd, SeverityWarning, "offset %d is behind the arguments of %s; only calldata with more than that passes", rule.Offset, f.Signature())
		return
	}
	if at.Type == abi.TypeOffset {
		l.lintOffset(i, rule, at)
	}
	if free := freeOffset(rules, f, at); free != "" {
		l.addRule(i, FindingLayout, SeverityWarning, "%s is at offset %d in the standard encoding only; a caller may encode otherwise, as long as no rule says where %s begins", at.Name(), rule.Offset, free)
	} else if array := firstFreeLength(rules, f, at.Path); array != "" {
		l.addRule(i, FindingLayout, SeverityWarning, "%s is one of as many as a caller likes, and the rule says nothing of the others, as long as no rule limits %s.length", at.Name(), array)
	} else {
		l.lintContent(i, rule, rules, f, at)
	}
	if rule.Condition.isOrdering() && isSigned(at.Type) {
		l.addRule(i, FindingSigned, SeverityWarning, "%s is %s, and the contract compares unsigned: negative numbers are the largest", at.Path, at.Type)
	}
	if rule.Condition.passesHighBits() && isNarrow(at.Type) {
		l.addRule(i, FindingLayout, SeverityWarning, "%s is %s, and the contract compares whole words: setting the bits above it passes %s, and contracts of old compilers ignore them", at.Path, at.Type, rule.Condition)
	}
}

// lintOffset judges a rule on an offset word. One that asks for what the standard encoder writes there keeps
// a caller from another layout; anything else is mostly meant for the value that begins there.
func (l *linter) lintOffset(i int, rule Rule, at abi.Word) {
	value := valuePath(at)
	switch standard := common.Hash(uint256.NewInt(at.Begins).Bytes32()); {
	case rule.Condition != Equal:
		l.addRule(i, FindingOffset, SeverityWarning, "it compares the offset of %s, where its content begins, and says nothing of %s itself: any value of it can pass", value, value)
	case at.Begins != 0 && rule.Word != standard:
		l.addRule(i, FindingOffset, SeverityWarning, "it compares the offset of %s, where its content begins, and in the standard encoding that is %d: only a call that is encoded otherwise passes, with any value", value, at.Begins)
	}
}

// lintContent judges a rule on a word of a string or bytes, of which only as much counts as the length says:
// contracts do not look at what a caller puts behind the end.
func (l *linter) lintContent(i int, rule Rule, rules []Rule, f *abi.Function, at abi.Word) {
	path, _, ok := strings.Cut(at.Path, ".words[")
	length, err := f.Word(path + ".length")
	if !ok || err != nil || length.Type != abi.TypeLength {
		return
	}
	end := at.Offset - length.Offset // of the word, in bytes of the content
	switch fixed, reaches := contentLength(rules, length.Offset, end); {
	case reaches, fixed && !rule.Condition.passesHighBits():
	case fixed:
		l.addRule(i, FindingLayout, SeverityWarning, "%s ends behind %s, and what a caller puts behind the end of %s passes %s without changing it; such a rule holds of whole words only", at.Name(), path, path, rule.Condition)
	default:
		l.addRule(i, FindingLayout, SeverityWarning, "%s counts only as far as %s is long, which is up to the caller as long as no rule says that %s.length = one number", at.Name(), path, path)
	}
}

// contentLength reports whether a rule fixes the length at offset, and whether one leaves only lengths that
// reach to end.
func contentLength(rules []Rule, offset, end uint64) (fixed, reaches bool) {
	last := common.Hash(uint256.NewInt(end - 1).Bytes32())
	for _, rule := range rules {
		if rule.Offset != offset {
			continue
		}
		switch longer := bytes.Compare(rule.Word[:], last[:]); rule.Condition {
		case Equal:
			fixed, reaches = true, reaches || longer > 0
		case GreaterThan:
			reaches = reaches || longer >= 0
		case GreaterThanOrEqual:
			reaches = reaches || longer > 0
		}
	}
	return fixed, reaches
}

// isNarrow reports whether values of the type leave bits of their word zero.
func isNarrow(abiType string) bool {
	switch abiType {
	case "uint256", "int256", "bytes32", abi.TypeOffset, abi.TypeLength:
		return false
	}
	return true
}

// fixed reports whether a rule leaves one value to the word at path.
func fixed(rules []Rule, f *abi.Function, path string) bool {
	at, err := f.Word(path)
	return err == nil && slices.ContainsFunc(rules, func(r Rule) bool { return r.Offset == at.Offset && r.Condition == Equal })
}

// fixedTo reports whether a rule leaves that value to the word at path.
func fixedTo(rules []Rule, f *abi.Function, path string, value common.Hash) bool {
	at, err := f.Word(path)
	return err == nil && slices.ContainsFunc(rules, func(r Rule) bool {
		return r.Offset == at.Offset && r.Condition == Equal && r.Word == value
	})
}

// freeOffset returns the first dynamic value on the way to a word that no rule keeps where the standard
// encoder puts it; empty where there is none, so that the word is in one place only.
func freeOffset(rules []Rule, f *abi.Function, to abi.Word) string {
	path := valuePath(to)
	for i, c := range path {
		if c != '.' && c != '[' {
			continue
		}
		offset := path[:i] + ".@offset"
		if at, err := f.Word(offset); err == nil && !fixedTo(rules, f, offset, uint256.NewInt(at.Begins).Bytes32()) {
			return path[:i]
		}
	}
	return ""
}

// valuePath is the word's path and, for an offset word, that of the value which begins there.
func valuePath(w abi.Word) string {
	if w.Type == abi.TypeOffset {
		return w.Path[:strings.LastIndexByte(w.Path, '.')]
	}
	return w.Path
}

// firstFreeLength returns the first array on the way to a path whose length no rule limits; empty where all
// have a limit.
func firstFreeLength(rules []Rule, f *abi.Function, path string) string {
	for i, c := range path {
		if c != '[' {
			continue
		}
		if length, err := f.Word(path[:i] + ".length"); err == nil && length.Type == abi.TypeLength && !limited(rules, length.Offset) {
			return path[:i]
		}
	}
	return ""
}

// limited reports whether a rule keeps the word at offset from being as large as a caller likes.
func limited(rules []Rule, offset uint64) bool {
	for _, rule := range rules {
		if rule.Offset == offset && rule.Condition.isKnown() && !rule.Condition.passesHighBits() {
			return true
		}
	}
	return false
}
