package policy

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/internal/moment"
)

// Finding is something about a policy that the account's owner should know before granting or keeping it.
type Finding struct {
	// Leaf is the position of the policy in what was given to [Lint], the leaf's position where a session was
	// looked at.
	Leaf int
	// Session is the ID of the session whose policy it is, filled in by package session; empty where only the
	// policy was judged.
	Session string
	// Rule is the position in the policy's Rules, from 0, or [NoRule].
	Rule     int
	Code     FindingCode
	Severity Severity
	// Message is one sentence for people.
	Message string
}

// String returns the finding in one line.
func (f Finding) String() string {
	name := f.Session
	if name == "" {
		name = fmt.Sprintf("leaf %d", f.Leaf)
	}
	return fmt.Sprintf("%s: %s: %s (%s)", name, f.Severity, f.Message, f.Code)
}

// Severity is how much a [Finding] matters.
type Severity uint8

const (
	// SeverityNote is worth knowing.
	SeverityNote Severity = iota + 1
	// SeverityWarning allows more than is usually meant, or never works.
	SeverityWarning
	// SeverityDanger puts the account or its tokens into the hands of the key.
	SeverityDanger
)

// String returns the severity in lower case.
func (s Severity) String() string {
	switch s {
	case SeverityNote:
		return "note"
	case SeverityWarning:
		return "warning"
	case SeverityDanger:
		return "danger"
	}
	return fmt.Sprintf("severity %d", uint8(s))
}

// FindingCode names a kind of [Finding] for programs.
type FindingCode string

// The kinds of findings.
const (
	// FindingNoEnd: the leaf never ends, or not in our time.
	FindingNoEnd FindingCode = "no-end"
	// FindingNoRules: all arguments are allowed.
	FindingNoRules FindingCode = "no-rules"
	// FindingUnlimited: the value or amount has no limit worth the name.
	FindingUnlimited FindingCode = "unlimited"
	// FindingGuard: the account itself, or a contract that guards it, may be called.
	FindingGuard FindingCode = "calls-guard"
	// FindingPrivileged: the function moves ownership, modules or code.
	FindingPrivileged FindingCode = "privileged-function"
	// FindingOpenTo: tokens or allowances may go to anyone, because no rule says to whom.
	FindingOpenTo FindingCode = "open-recipient"
	// FindingAnySelector: the ERC-20 module does not look at the function.
	FindingAnySelector FindingCode = "any-selector"
	// FindingDuplicate: another leaf is the same, so that revoking one of them revokes nothing.
	FindingDuplicate FindingCode = "duplicate"
	// FindingNeverHolds: no call ever passes, or not in our time.
	FindingNeverHolds FindingCode = "never-holds"
	// FindingPastEnd: a rule looks behind the function's arguments.
	FindingPastEnd FindingCode = "past-end"
	// FindingLayout: a rule leaves more to the caller than it seems to: how arguments are encoded, how many
	// elements there are, or bits that a type does not have.
	FindingLayout FindingCode = "layout"
	// FindingSigned: a rule orders signed numbers, which the contract takes as unsigned.
	FindingSigned FindingCode = "signed-order"
	// FindingKey: the leaf belongs to another key than its data says.
	FindingKey FindingCode = "key-mismatch"
	// FindingTrailing: the data has bytes that nothing reads.
	FindingTrailing FindingCode = "trailing-data"
	// FindingUnknownModule: what the module allows is not known here.
	FindingUnknownModule FindingCode = "unknown-module"
)

// LintConfig is what [Lint] knows of the account. The zero value knows the well-known modules only.
type LintConfig struct {
	// Modules are the session contracts of the account.
	Modules Modules
	// Account is the account that the policies are for.
	Account common.Address
	// Guards are more contracts that guard the account, such as its ECDSA ownership module. Those of Modules
	// always do.
	Guards []common.Address
	// Functions give names to selectors of policies that carry none.
	Functions []*abi.Function
	// Keys, by position, are the session keys that the policies are for: one whose data lets another key sign
	// is a finding. Nothing is compared where it is nil.
	Keys []common.Address
}

// Lint looks for what is dangerous, too wide or useless in policies, in their order; nil ones are passed
// over. That it finds nothing does not make a session safe: what the allowed functions do is up to their
// contracts. For the leaves of an account there is session.Lint.
func Lint(c LintConfig, policies ...*Compiled) []Finding {
	c.Modules = c.Modules.WithDefaults()
	l := linter{LintConfig: c}
	seen := make(map[common.Hash]int, len(policies))
	for i, compiled := range policies {
		if compiled == nil {
			continue
		}
		l.at, l.compiled = i, compiled
		l.lintPolicy()
		hash := compiled.Hash()
		if first, twice := seen[hash]; twice {
			l.add(FindingDuplicate, SeverityWarning, "it is the same as leaf %d; revoking one of them alone revokes nothing", first)
			continue
		}
		seen[hash] = i
	}
	return l.findings
}

// linter looks at one policy after the other.
type linter struct {
	LintConfig
	at       int
	compiled *Compiled
	findings []Finding
}

func (l *linter) add(code FindingCode, severity Severity, format string, args ...any) {
	l.addRule(NoRule, code, severity, format, args...)
}

func (l *linter) addRule(rule int, code FindingCode, severity Severity, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if rule != NoRule {
		message = fmt.Sprintf("rule %d: %s", rule, message)
	}
	l.findings = append(l.findings, Finding{Leaf: l.at, Rule: rule, Code: code, Severity: severity, Message: message})
}

func (l *linter) lintPolicy() {
	l.lintWindow()
	switch l.compiled.Module {
	case l.Modules.ABI:
		l.lintABI()
	case l.Modules.ERC20:
		l.lintERC20()
	default:
		l.add(FindingUnknownModule, SeverityNote, "module %s is unknown; what it allows cannot be judged here", l.compiled.Module)
	}
}

func (l *linter) lintWindow() {
	until, after := l.compiled.ValidUntil, l.compiled.ValidAfter
	switch {
	case until == 0:
		l.add(FindingNoEnd, SeverityWarning, "it never ends; only a new root revokes it")
	case after > until:
		l.add(FindingNeverHolds, SeverityWarning, "it starts at %s, after its end %s", moment.Format(after), moment.Format(until))
	case until > moment.LastDate:
		l.add(FindingNoEnd, SeverityWarning, "it ends at %s, which is beyond the year 9999; were milliseconds taken for seconds?", moment.Format(until))
	}
	if after > moment.LastDate {
		l.add(FindingNeverHolds, SeverityWarning, "it starts at %s, which is beyond the year 9999; were milliseconds taken for seconds?", moment.Format(after))
	}
}

func (l *linter) lintERC20() {
	a, ok := contracts.ParseERC20Permission(l.compiled.Data)
	if !ok {
		l.add(FindingNeverHolds, SeverityWarning, "the ERC-20 module cannot read its %d bytes of data", len(l.compiled.Data))
		return
	}
	l.lintKey(a.Key)
	l.lintContract(a.Token)
	l.add(FindingAnySelector, SeverityWarning, "the ERC-20 module does not look at the function: approve passes as well as transfer; use an ABI policy")
	if a.MaxAmount.Eq(new(uint256.Int).SetAllOne()) {
		l.add(FindingUnlimited, SeverityWarning, "the amount has no limit")
	}
	if len(l.compiled.Data) > contracts.ERC20PermissionSize {
		l.add(FindingTrailing, SeverityNote, "the last %d of its %d bytes of data are never read", len(l.compiled.Data)-contracts.ERC20PermissionSize, len(l.compiled.Data))
	}
}

func (l *linter) lintABI() {
	p, ok := contracts.ParseABIPermission(l.compiled.Data)
	if !ok {
		l.add(FindingNeverHolds, SeverityWarning, "the ABI module cannot read its %d bytes of data", len(l.compiled.Data))
		return
	}
	l.lintKey(p.Key)
	l.lintContract(p.Contract)
	if p.Limit.BitLen() > plausibleValueBits {
		l.add(FindingUnlimited, SeverityDanger, "a call may carry %s wei, more than there is", p.Limit.Dec())
	}
	rules, f := rulesOf(&p), p.Function(l.compiled.Function, l.Functions...)
	l.lintSelector(p.Selector, rules)
	if p.Count == 0 && (f == nil || len(f.Inputs()) > 0) {
		l.add(FindingNoRules, SeverityWarning, "it has no rules: all arguments are allowed")
	}
	if len(rules) < p.Count {
		l.add(FindingNeverHolds, SeverityWarning, "its data counts %d rules and has %d", p.Count, len(rules))
	} else if !p.Exact() {
		l.add(FindingTrailing, SeverityNote, "the last %d of its %d bytes of data are never read", p.Excess(), len(l.compiled.Data))
	}
	for i, rule := range rules {
		l.lintRule(i, rule, rules, f)
	}
}

func (l *linter) lintKey(named common.Address) {
	if l.at < len(l.Keys) && l.Keys[l.at] != named {
		l.add(FindingKey, SeverityDanger, "it belongs to key %s, but its data lets key %s sign", l.Keys[l.at], named)
	}
}

func (l *linter) lintContract(contract common.Address) {
	if contract == l.Account && contract != (common.Address{}) {
		l.add(FindingGuard, SeverityDanger, "it may call the account itself")
		return
	}
	guards := []common.Address{l.Modules.Manager, l.Modules.Router, l.Modules.ABI, l.Modules.ERC20}
	for _, guard := range append(guards, l.Guards...) {
		if contract == guard {
			l.add(FindingGuard, SeverityDanger, "it may call %s, which guards the account", contract)
			return
		}
	}
}

func (l *linter) lintSelector(selector [abi.SelectorSize]byte, rules []Rule) {
	p, ok := privileges()[selector]
	switch {
	case !ok:
	case p.to == "":
		l.add(FindingPrivileged, SeverityDanger, "%s %s", p.function.Signature(), p.does)
	case !fixed(rules, p.function, p.to):
		l.add(FindingOpenTo, p.severity, "%s %s, and no rule says that %s = one address", p.function.Signature(), p.does, p.to)
	}
}

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
	if free := firstFreeOffset(rules, f, at.Path); free != "" {
		l.addRule(i, FindingLayout, SeverityWarning, "%s is at offset %d in the standard encoding only; a caller may encode otherwise, as long as no rule says where %s begins", at.Path, rule.Offset, free)
	} else if array := firstFreeLength(rules, f, at.Path); array != "" {
		l.addRule(i, FindingLayout, SeverityWarning, "%s is one of as many as a caller likes, and the rule says nothing of the others, as long as no rule limits %s.length", at.Path, array)
	}
	if rule.Condition.isOrdering() && isSigned(at.Type) {
		l.addRule(i, FindingSigned, SeverityWarning, "%s is %s, and the contract compares unsigned: negative numbers are the largest", at.Path, at.Type)
	}
	if rule.Condition.passesHighBits() && isNarrow(at.Type) {
		l.addRule(i, FindingLayout, SeverityWarning, "%s is %s, and the contract compares whole words: setting the bits above it passes %s, and contracts of old compilers ignore them", at.Path, at.Type, rule.Condition)
	}
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
	if err != nil {
		return false
	}
	for _, rule := range rules {
		if rule.Offset == at.Offset && rule.Condition == Equal {
			return true
		}
	}
	return false
}

// firstFreeOffset returns the first offset word on the way to a path that no rule fixes; empty where all are
// fixed, so that the path is in one place only.
func firstFreeOffset(rules []Rule, f *abi.Function, path string) string {
	for i, c := range path {
		if c != '.' && c != '[' {
			continue
		}
		if at, err := f.Word(path[:i]); err == nil && at.Type == abi.TypeOffset && !fixed(rules, f, path[:i]) {
			return path[:i]
		}
	}
	return ""
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
