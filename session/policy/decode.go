package policy

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/internal/permission"
)

// Policy reads c back as the policy of key that it was compiled from: an [ABI] with raw rules, an [ERC20],
// or a [Raw] where the module is neither of m's. The function's signature is not on chain: where c does not
// carry it, the policy has a Selector. Data that the policy would not encode to, or that names another key, is
// an error matching [ErrInvalid]; [Lint] says what the contract makes of it.
func (c *Compiled) Policy(m Modules, key common.Address) (Policy, error) {
	var policy Policy
	var err error
	switch m = m.WithDefaults(); c.Module {
	case m.ABI:
		policy, err = c.abiPolicy(key)
	case m.ERC20:
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
	p, ok := permission.Parse(c.Data)
	switch {
	case !ok:
		return ABI{}, fmt.Errorf("ABI session key data of %d bytes; it has at least %d", len(c.Data), permission.RulesAt)
	case !p.Exact():
		return ABI{}, fmt.Errorf("ABI session key data of %d bytes, where its rule count of %d asks for %d", len(c.Data), p.Count, permission.RulesAt+p.Count*permission.RuleSize)
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
	a, ok := parseAllowance(c.Data)
	switch {
	case !ok || len(c.Data) != erc20DataSize:
		return ERC20{}, fmt.Errorf("ERC-20 session key data of %d bytes; it is three addresses and an amount in %d bytes", len(c.Data), erc20DataSize)
	case a.key != key:
		return ERC20{}, fmt.Errorf("it belongs to key %s, but its data names %s", key, a.key)
	}
	return ERC20{Key: a.key, Token: a.token, Recipient: a.recipient, MaxAmount: a.maxAmount, Window: c.Window()}, nil
}

// rulesOf returns the rules of a permission as far as they are there.
func rulesOf(p *permission.Permission) []Rule {
	rules := make([]Rule, 0, min(p.Count, len(p.Rules)/permission.RuleSize))
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
func ruleOf(r permission.Rule) Rule {
	return Rule{Offset: uint64(r.Offset), Condition: Condition(r.Condition), Word: r.Word}
}
