package session

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// permission is the session key data of the ABI session validation module, read as the contract does.
type permission struct {
	key      common.Address
	contract common.Address
	selector [abi.SelectorSize]byte
	limit    uint256.Int // in wei
	count    int         // of rules, as the data claims
	rules    []byte
}

// parsePermission returns false for data so short that the contract reverts on it.
func parsePermission(data []byte) (p permission, ok bool) {
	if len(data) < abiRulesAt {
		return permission{}, false
	}
	p.key = common.Address(data[:abiContractAt])
	p.contract = common.Address(data[abiContractAt:abiSelectorAt])
	p.selector = [abi.SelectorSize]byte(data[abiSelectorAt:abiLimitAt])
	p.limit.SetBytes(data[abiLimitAt:abiRuleCountAt])
	p.count = int(binary.BigEndian.Uint16(data[abiRuleCountAt:]))
	p.rules = data[abiRulesAt:]
	return p, true
}

// rule returns rule i, or false if the data ends before it does.
func (p *permission) rule(i int) (Rule, bool) {
	at := i * ruleSize
	if at+ruleSize > len(p.rules) {
		return Rule{}, false
	}
	r := p.rules[at:]
	return Rule{
		Offset:    uint64(binary.BigEndian.Uint16(r)),
		Condition: Condition(r[2]),
		Word:      common.Hash(r[3:ruleSize]),
	}, true
}

// exact reports whether the data holds as many rules as it claims, and nothing else.
func (p *permission) exact() bool { return len(p.rules) == p.count*ruleSize }

// allRules returns the rules as far as they are there.
func (p *permission) allRules() []Rule {
	rules := make([]Rule, 0, min(p.count, len(p.rules)/ruleSize))
	for i := range p.count {
		rule, ok := p.rule(i)
		if !ok {
			break
		}
		rules = append(rules, rule)
	}
	return rules
}
