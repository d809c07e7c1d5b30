package session

import (
	"fmt"

	"github.com/go-sesame/sesame/abi"
)

// Policy reads the leaf back as the policy it was made of: an [ABIPolicy] with raw rules, an
// [ERC20Policy], or a [RawPolicy] where the module is neither of m's. The function's signature is not on
// chain: where the leaf does not carry it, the policy has a Selector. Data that the policy would not
// encode to is an error matching [ErrInvalid]; [Lint] says what the contract makes of it.
func (l *Leaf) Policy(m Modules) (Policy, error) {
	var policy Policy
	var err error
	switch m = m.WithDefaults(); l.Module {
	case m.ABI:
		policy, err = l.abiPolicy()
	case m.ERC20:
		policy, err = l.erc20Policy()
	default:
		clone := l.Clone()
		policy = RawPolicy{ID: l.ID, Module: l.Module, Key: l.Key, Data: clone.Data, Window: l.Window()}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, l.name(), err)
	}
	return policy, nil
}

func (l *Leaf) abiPolicy() (ABIPolicy, error) {
	p, ok := parsePermission(l.Data)
	switch {
	case !ok:
		return ABIPolicy{}, fmt.Errorf("ABI session key data of %d bytes; it has at least %d", len(l.Data), abiRulesAt)
	case !p.exact():
		return ABIPolicy{}, fmt.Errorf("ABI session key data of %d bytes, where its rule count of %d asks for %d", len(l.Data), p.count, abiRulesAt+p.count*ruleSize)
	case p.key != l.Key:
		return ABIPolicy{}, fmt.Errorf("it belongs to key %s, but its data names %s", l.Key, p.key)
	}
	policy := ABIPolicy{ID: l.ID, Key: p.key, Contract: p.contract, ValueLimit: p.limit, Window: l.Window()}
	if f := p.function(l.Function); f != nil {
		policy.Function = l.Function
	} else {
		policy.Selector = &p.selector
	}
	for i, rule := range p.allRules() {
		if _, err := rule.resolve(nil); err != nil {
			return ABIPolicy{}, fmt.Errorf("rule %d: %w", i, err)
		}
		policy.Rules = append(policy.Rules, rule)
	}
	return policy, nil
}

func (l *Leaf) erc20Policy() (ERC20Policy, error) {
	a, ok := parseAllowance(l.Data)
	switch {
	case !ok || len(l.Data) != erc20DataSize:
		return ERC20Policy{}, fmt.Errorf("ERC-20 session key data of %d bytes; it is three addresses and an amount in %d bytes", len(l.Data), erc20DataSize)
	case a.key != l.Key:
		return ERC20Policy{}, fmt.Errorf("it belongs to key %s, but its data names %s", l.Key, a.key)
	}
	return ERC20Policy{ID: l.ID, Key: a.key, Token: a.token, Recipient: a.recipient, MaxAmount: a.maxAmount, Window: l.Window()}, nil
}

// function returns the function of the permission's selector: the one of the signature, or else one of
// those known; nil if it is neither.
func (p *permission) function(signature string, known ...*abi.Function) *abi.Function {
	if f, err := abi.ParseFunction(signature); err == nil && f.Selector() == p.selector {
		return f
	}
	for _, f := range known {
		if f.Selector() == p.selector {
			return f
		}
	}
	return nil
}
