package policy

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
)

// LintCall looks for what is odd about a call, beside what the policy is made for: what its module lets pass
// all the same, because it looks at less than the contract that is called. What the module refuses is for
// [CheckCall] and [CheckOperation] to say. Whoever takes calls from others, to sign them with a session, can
// look at them so before.
func LintCall(m Modules, c *Compiled, call abi.Call) []Finding {
	l := linter{LintConfig: LintConfig{Modules: m.WithDefaults()}, compiled: c}
	switch c.Module {
	case l.Modules.ABI:
		l.lintABICall(call.Data)
	case l.Modules.ERC20:
		l.lintERC20Call(call.Data)
	}
	return l.findings
}

// lintABICall judges arguments of a function that is known.
func (l *linter) lintABICall(data []byte) {
	p, ok := contracts.ParseABIPermission(l.compiled.Data)
	if !ok {
		return
	}
	f := p.Function(l.compiled.Function)
	if f == nil {
		return
	}
	if _, err := f.Unpack(data); err != nil {
		l.add(FindingLayout, SeverityWarning, "the call is not the encoding of %s, which the ABI module does not look at: %v", f.Signature(), err)
	}
}

// lintERC20Call judges the recipient.
func (l *linter) lintERC20Call(data []byte) {
	if len(data) < erc20AmountAt {
		return
	}
	const above = abi.WordSize - common.AddressLength
	if word := data[erc20RecipientAt:erc20AmountAt]; [above]byte(word[:above]) != ([above]byte{}) {
		l.add(FindingLayout, SeverityWarning, "the %d bytes above the recipient are 0x%x; the ERC-20 module does not look at them in a single call, nor do tokens of old compilers", above, word[:above])
	}
}
