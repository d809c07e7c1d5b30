package policy

import (
	"fmt"
	"strings"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/internal/permission"
)

// Describe says in one sentence what the policy allows, such as
//
//	may call safeMint(address) on 0x… with to = 0x…, no value, until 2026-12-01T00:00:00Z
//
// It reads what is signed on chain and takes only names from elsewhere: from c's Function or, where it has
// none, from functions. m are the contracts that c may belong to.
func (c *Compiled) Describe(m Modules, functions ...*abi.Function) string {
	return "may " + c.allows(m, functions) + ", " + describeWindow(c.ValidUntil, c.ValidAfter)
}

func (c *Compiled) allows(m Modules, functions []*abi.Function) string {
	switch m = m.WithDefaults(); c.Module {
	case m.ABI:
		if p, ok := permission.Parse(c.Data); ok {
			return describePermission(&p, p.Function(c.Function, functions...))
		}
	case m.ERC20:
		if a, ok := parseAllowance(c.Data); ok {
			return a.describe()
		}
	default:
		return fmt.Sprintf("do what module %s makes of %d bytes of data", c.Module, len(c.Data))
	}
	return fmt.Sprintf("do nothing: module %s cannot read its %d bytes of data", c.Module, len(c.Data))
}

// describePermission says what the permission allows, by the names of f if it is not nil.
func describePermission(p *permission.Permission, f *abi.Function) string {
	var b strings.Builder
	name, arguments := fmt.Sprintf("selector 0x%x", p.Selector), true
	if f != nil {
		name, arguments = f.Signature(), len(f.Inputs()) > 0
	}
	fmt.Fprintf(&b, "call %s on %s", name, p.Contract)
	rules := rulesOf(p)
	for i, rule := range rules {
		b.WriteString([2]string{" with ", " and "}[min(i, 1)])
		b.WriteString(rule.describe(f))
	}
	switch {
	case len(rules) < p.Count:
		fmt.Fprintf(&b, " and %d rules that are missing, so that it always fails", p.Count-len(rules))
	case len(rules) == 0 && arguments:
		b.WriteString(" with any arguments")
	}
	return b.String() + ", " + describeLimit(&p.Limit)
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

// describePolicy describes a policy as what it compiles to.
func describePolicy(p Policy) string {
	c, err := p.Compile(Modules{})
	if err != nil {
		return err.Error()
	}
	return c.Describe(Modules{})
}
