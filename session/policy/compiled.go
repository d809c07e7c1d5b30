package policy

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
)

// Compiled is a policy as the account's Merkle tree holds it, a leaf: a validity window, the session
// validation module that judges each call, and the data that module judges by. The session key manager hashes
// it as uint48 validUntil ‖ uint48 validAfter ‖ address module ‖ bytes data.
type Compiled struct {
	// ValidUntil and ValidAfter are unix seconds below 2^48; a ValidUntil of 0 never ends.
	ValidUntil, ValidAfter uint64
	// Module is the session validation module.
	Module common.Address
	// Data is the module's sessionKeyData.
	Data []byte
	// Function is the human-readable form of the function that Data allows by its selector, such as "function
	// safeMint(address to)". It gives names to messages and is not part of the leaf on chain; empty where it
	// is not known.
	Function string
}

// Pack returns the leaf's bytes as the session key manager hashes them.
func (c *Compiled) Pack() []byte {
	return contracts.PackSessionLeaf(c.ValidUntil, c.ValidAfter, c.Module, c.Data)
}

// Hash returns keccak256 of [Compiled.Pack]: the node the leaf is in the Merkle tree.
func (c *Compiled) Hash() common.Hash {
	return contracts.SessionLeafHash(c.ValidUntil, c.ValidAfter, c.Module, c.Data)
}

// Window returns the validity window.
func (c *Compiled) Window() Window { return windowOf(c.ValidUntil, c.ValidAfter) }

// SessionKey returns the address of the session key that the data names. It returns false where the module is
// neither of m's, or cannot read the data.
func (c *Compiled) SessionKey(m Modules) (common.Address, bool) {
	switch m.kindOf(c.Module) {
	case kindABI:
		p, ok := contracts.ParseABIPermission(c.Data)
		return p.Key, ok
	case kindERC20:
		a, ok := contracts.ParseERC20Permission(c.Data)
		return a.Key, ok
	}
	return common.Address{}, false
}

// Targets reports whether c is an [ABI] policy for that contract and function selector, or an [ERC20] one for
// that token.
func (c *Compiled) Targets(m Modules, contract common.Address, selector [abi.SelectorSize]byte) bool {
	switch m.kindOf(c.Module) {
	case kindABI:
		return contracts.ABIPermits(c.Data, &contract, selector)
	case kindERC20:
		a, ok := contracts.ParseERC20Permission(c.Data)
		return ok && a.Token == contract
	}
	return false
}

// Target returns the one contract that an [ABI] or [ERC20] policy allows to call. It returns false where the
// module is neither of m's, or cannot read the data.
func (c *Compiled) Target(m Modules) (common.Address, bool) {
	switch m.kindOf(c.Module) {
	case kindABI:
		p, ok := contracts.ParseABIPermission(c.Data)
		return p.Contract, ok
	case kindERC20:
		a, ok := contracts.ParseERC20Permission(c.Data)
		return a.Token, ok
	}
	return common.Address{}, false
}

// Clone returns a copy that shares no memory with c.
func (c *Compiled) Clone() Compiled {
	clone := *c
	clone.Data = bytes.Clone(c.Data)
	return clone
}

// Policy reads c back as the policy of key that it was compiled from: an [ABI] with raw rules, an [ERC20], or
// a [Raw] where the module is neither of m's. The function's signature is not on chain: where c does not
// carry it, the policy has a Selector. Data that the policy would not encode to, or that names another key,
// is an error matching [ErrInvalid]; [Lint] says what the contract makes of it.
func (c *Compiled) Policy(m Modules, key common.Address) (Policy, error) {
	var policy Policy
	var err error
	switch m.kindOf(c.Module) {
	case kindABI:
		policy, err = c.abiPolicy(key)
	case kindERC20:
		policy, err = c.erc20Policy(key)
	default:
		policy = Raw{Module: c.Module, Key: key, Data: bytes.Clone(c.Data), Window: c.Window()}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return policy, nil
}

func (c *Compiled) abiPolicy(key common.Address) (ABI, error) {
	p, ok := contracts.ParseABIPermission(c.Data)
	switch {
	case !ok:
		return ABI{}, fmt.Errorf("ABI session key data of %d bytes; it has at least %d", len(c.Data), contracts.ABIRulesAt)
	case !p.Exact():
		return ABI{}, fmt.Errorf("ABI session key data of %d bytes, where its rule count of %d asks for %d", len(c.Data), p.Count, contracts.ABIRulesAt+p.Count*contracts.ABIRuleSize)
	case p.Key != key:
		return ABI{}, fmt.Errorf("it belongs to key %s, but its data names %s", key, p.Key)
	}
	policy := ABI{Key: p.Key, Contract: p.Contract, ValueLimit: p.Limit, Window: c.Window()}
	if f := p.Function(c.Function); f != nil {
		policy.Function = c.Function
	} else {
		policy.Selector = &p.Selector
	}
	for i, rule := range rulesOf(&p) {
		if _, err := rule.resolve(nil); err != nil {
			return ABI{}, fmt.Errorf("rule %d: %w", i, err)
		}
		policy.Rules = append(policy.Rules, rule)
	}
	return policy, nil
}

func (c *Compiled) erc20Policy(key common.Address) (ERC20, error) {
	a, ok := contracts.ParseERC20Permission(c.Data)
	switch {
	case !ok || len(c.Data) != contracts.ERC20PermissionSize:
		return ERC20{}, fmt.Errorf("ERC-20 session key data of %d bytes; it is three addresses and an amount in %d bytes", len(c.Data), contracts.ERC20PermissionSize)
	case a.Key != key:
		return ERC20{}, fmt.Errorf("it belongs to key %s, but its data names %s", key, a.Key)
	}
	return ERC20{Key: a.Key, Token: a.Token, Recipient: a.Recipient, MaxAmount: a.MaxAmount, Window: c.Window()}, nil
}

// rulesOf returns the rules of a permission as far as they are there.
func rulesOf(p *contracts.ABIPermission) []Rule {
	rules := make([]Rule, 0, min(p.Count, len(p.Rules)/contracts.ABIRuleSize))
	for i := range p.Count {
		rule, ok := p.Rule(i)
		if !ok {
			break
		}
		rules = append(rules, ruleOf(rule))
	}
	return rules
}

// ruleOf returns the raw rule that was encoded as r.
func ruleOf(r contracts.ABIRule) Rule {
	return Rule{Offset: uint64(r.Offset), Condition: Condition(r.Condition), Word: *r.Word}
}

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
	switch m.kindOf(c.Module) {
	case kindABI:
		if p, ok := contracts.ParseABIPermission(c.Data); ok {
			return describeABI(&p, p.Function(c.Function, functions...))
		}
	case kindERC20:
		if a, ok := contracts.ParseERC20Permission(c.Data); ok {
			return describeERC20(&a)
		}
	default:
		return fmt.Sprintf("do what module %s makes of %d bytes of data", c.Module, len(c.Data))
	}
	return fmt.Sprintf("do nothing: module %s cannot read its %d bytes of data", c.Module, len(c.Data))
}

// describeABI says what the permission allows, by the names of f if it is not nil.
func describeABI(p *contracts.ABIPermission, f *abi.Function) string {
	var b strings.Builder
	name, arguments := fmt.Sprintf("selector 0x%x", p.Selector), true
	if f != nil {
		name, arguments = f.Signature(), len(f.Inputs()) > 0
	}
	fmt.Fprintf(&b, "call %s on %s", name, p.Contract)
	rules := rulesOf(p)
	for i, rule := range rules {
		b.WriteString([2]string{" with ", " and "}[min(i, 1)])
		b.WriteString(rule.describe(f, rules))
	}
	switch {
	case len(rules) < p.Count:
		fmt.Fprintf(&b, " and %d rules that are missing, so that it always fails", p.Count-len(rules))
	case len(rules) == 0 && arguments:
		b.WriteString(" with any arguments")
	}
	return b.String() + ", " + describeLimit(&p.Limit)
}

func describeERC20(a *contracts.ERC20Permission) string {
	return fmt.Sprintf("call any function on %s with first argument = %s and second ≤ %s, no value", a.Token, a.Recipient, a.MaxAmount.Dec())
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
