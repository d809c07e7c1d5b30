package policy

import (
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/internal/moment"
)

// LintConfig is what [Lint] knows of the account. The zero value knows the well-known contracts only; that of
// package account knows those of its client, and what was read of the chain.
type LintConfig struct {
	// Modules are the session contracts of the account.
	Modules Modules
	// Account is the account that the policies are for.
	Account common.Address
	// Guards are more contracts that keep keys or money of the account, such as other modules that it listens
	// to. Those of Modules and the well-known ones always do: the ownership modules, the EntryPoint and the
	// verifying paymaster, where deposits lie, and the session modules.
	Guards []common.Address
	// NoCode are addresses without a contract on the account's chain.
	NoCode []common.Address
	// SelfPaid says that the account pays for operations itself.
	SelfPaid bool
	// Funds is the account's balance and its deposit at the EntryPoint, in wei: what can pay for operations.
	// Nil is not known.
	Funds *uint256.Int
	// RouterEnabled says that the account listens to the batched session router.
	RouterEnabled bool
	// TokenPaymaster takes tokens for gas; the well-known one by default.
	TokenPaymaster common.Address
	// Functions give names to selectors of policies that carry none.
	Functions []*abi.Function
	// Keys, by position, are the session keys that the policies are for: one whose data lets another key sign
	// is a finding. Nothing is compared where it is nil.
	Keys []common.Address
}

// Lint looks for what is dangerous, too wide or useless in policies, in their order; nil ones are passed
// over. That it finds nothing does not make a session safe: what the allowed functions do is up to their
// contracts. Findings about the account come last. For the leaves of an account there is session.Lint.
func Lint(c LintConfig, policies ...*Compiled) []Finding {
	c.Modules = c.Modules.WithDefaults()
	if c.TokenPaymaster == (common.Address{}) {
		c.TokenPaymaster = contracts.Deployed().TokenPaymaster
	}
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
	l.at = NoLeaf
	l.lintAccount(len(seen) > 0)
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
	if slices.Contains(l.NoCode, l.compiled.Module) {
		l.add(FindingNoCode, SeverityDanger, "there is no contract at module %s on this chain: whoever deploys one there decides what the key may do", l.compiled.Module)
	}
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
	if a.Recipient == l.TokenPaymaster {
		l.lintFeeToken("approve(address,uint256)")
	}
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
	guards := append(contracts.Guards(), l.Modules.Manager, l.Modules.Router, l.Modules.ABI, l.Modules.ERC20)
	if slices.Contains(append(guards, l.Guards...), contract) {
		l.add(FindingGuard, SeverityDanger, "it may call %s, which guards the account", contract)
	}
	if slices.Contains(l.NoCode, contract) {
		l.add(FindingNoCode, SeverityWarning, "there is no contract at %s on this chain: a call succeeds and does nothing, until somebody deploys one there", contract)
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
	case p.to == "spender" && fixedTo(rules, p.function, p.to, common.BytesToHash(l.TokenPaymaster[:])):
		l.lintFeeToken(p.function.Signature())
	}
}
