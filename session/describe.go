package session

import (
	"fmt"
	"strings"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// Describe says in one sentence what the leaf allows, such as
//
//	may call safeMint(address) on 0x… with to = 0x…, no value, until 2026-12-01T00:00:00Z
//
// It reads what is signed on chain and takes only names from elsewhere: from the leaf's Function or,
// where it has none, from functions. m are the contracts that the leaf may belong to.
func (l *Leaf) Describe(m Modules, functions ...*abi.Function) string {
	return "may " + l.allows(m, functions) + ", " + describeWindow(l.ValidUntil, l.ValidAfter)
}

func (l *Leaf) allows(m Modules, functions []*abi.Function) string {
	switch m = m.WithDefaults(); l.Module {
	case m.ABI:
		if p, ok := parsePermission(l.Data); ok {
			return p.describe(p.function(l.Function, functions...))
		}
	case m.ERC20:
		if a, ok := parseAllowance(l.Data); ok {
			return a.describe()
		}
	default:
		return fmt.Sprintf("do what module %s makes of %d bytes of data", l.Module, len(l.Data))
	}
	return fmt.Sprintf("do nothing: module %s cannot read its %d bytes of data", l.Module, len(l.Data))
}

// describe says what the permission allows, by the names of f if it is not nil.
func (p *permission) describe(f *abi.Function) string {
	var b strings.Builder
	name, arguments := fmt.Sprintf("selector 0x%x", p.selector), true
	if f != nil {
		name, arguments = f.Signature(), len(f.Inputs()) > 0
	}
	fmt.Fprintf(&b, "call %s on %s", name, p.contract)
	rules := p.allRules()
	for i, rule := range rules {
		b.WriteString([2]string{" with ", " and "}[min(i, 1)])
		b.WriteString(rule.describe(f))
	}
	switch {
	case len(rules) < p.count:
		fmt.Fprintf(&b, " and %d rules that are missing, so that it always fails", p.count-len(rules))
	case len(rules) == 0 && arguments:
		b.WriteString(" with any arguments")
	}
	return b.String() + ", " + describeLimit(&p.limit)
}

func (a *allowance) describe() string {
	return fmt.Sprintf("call any function on %s with first argument = %s and second ≤ %s, no value", a.token, a.recipient, a.maxAmount.Dec())
}

func describeLimit(limit *uint256.Int) string {
	if limit.IsZero() {
		return "no value"
	}
	return "up to " + limit.Dec() + " wei"
}

// describePolicy describes a policy as the leaf it makes.
func describePolicy(p Policy) string {
	leaf, err := p.Leaf(Modules{})
	if err != nil {
		return err.Error()
	}
	return leaf.Describe(Modules{})
}
