package policy

import (
	"fmt"
	"strings"
)

// lintAccount looks for what the account's keys can do whatever their policies say; keyed tells that there is
// one.
func (l *linter) lintAccount(keyed bool) {
	funded := l.Funds != nil && !l.Funds.IsZero()
	if l.RouterEnabled {
		severity := SeverityWarning
		if funded {
			severity = SeverityDanger
		}
		l.add(FindingRouter, severity, "it listens to the batched session router, which takes an empty batch under any signature: anybody can spend %s as gas, and tokens that a token paymaster may take, with no session at all; disable the router, or keep neither balance nor deposit there", l.funds())
	}
	if keyed && (l.SelfPaid || funded) {
		l.add(FindingGas, SeverityWarning, "no module looks at fees or gas: each key can spend %s as gas of operations that the account pays for, whatever its value limit says", l.funds())
	}
}

// lintFeeToken says what an allowance of the token paymaster comes to.
func (l *linter) lintFeeToken(function string) {
	l.add(FindingGas, SeverityWarning, "%s lets token paymaster %s take the token for gas, and no module looks at fees: the key can spend all that it allows", function, l.TokenPaymaster)
}

// funds is what the account can pay for operations with.
func (c *LintConfig) funds() string {
	if c.Funds == nil {
		return "the account's balance and deposit"
	}
	return fmt.Sprintf("the account's balance and deposit of %s wei", c.Funds.Dec())
}

// Describe says in one sentence what a policy of the account allows, as [Compiled.Describe] does, and what
// its key can do besides because of what is known of the account:
//
//	may call safeMint(address) on 0x… with to = 0x…, no value, until 2026-12-01T00:00:00Z; and spend the account's balance and deposit of 5 wei as gas, which no module looks at
func (c LintConfig) Describe(p *Compiled) string {
	var b strings.Builder
	b.WriteString(p.Describe(c.Modules, c.Functions...))
	if c.SelfPaid || c.Funds != nil && !c.Funds.IsZero() {
		fmt.Fprintf(&b, "; and spend %s as gas, which no module looks at", c.funds())
	}
	if c.RouterEnabled {
		fmt.Fprintf(&b, "; through the batched session router anybody can spend %s as gas, and tokens that a token paymaster may take", c.funds())
	}
	return b.String()
}
