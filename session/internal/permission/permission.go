// Package permission is the session key data of the ABI session validation module, byte by byte: how it is
// laid out, and how the contract reads it. What its rules mean is package policy's.
//
//	address key ‖ address contract ‖ bytes4 selector ‖ uint128 valueLimit ‖ uint16 ruleCount ‖ rules
//	of a rule: uint16 offset ‖ uint8 condition ‖ bytes32 word
package permission

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// Where the fields begin, and how long some of them are, in bytes.
const (
	ContractAt = common.AddressLength
	SelectorAt = ContractAt + common.AddressLength
	LimitAt    = SelectorAt + abi.SelectorSize
	LimitSize  = 16
	CountAt    = LimitAt + LimitSize
	CountSize  = 2
	RulesAt    = CountAt + CountSize

	// Of a rule.
	ConditionAt = 2
	WordAt      = ConditionAt + 1
	RuleSize    = WordAt + abi.WordSize
)

// Permission is session key data, read as the contract does.
type Permission struct {
	Key      common.Address
	Contract common.Address
	Selector [abi.SelectorSize]byte
	Limit    uint256.Int // in wei
	Count    int         // of rules, as the data claims
	Rules    []byte
}

// Rule is one rule of a [Permission].
type Rule struct {
	Offset    uint16
	Condition uint8
	Word      common.Hash
}

// Parse returns false for data so short that the contract reverts on it.
func Parse(data []byte) (p Permission, ok bool) {
	if len(data) < RulesAt {
		return Permission{}, false
	}
	p.Key = common.Address(data[:ContractAt])
	p.Contract = common.Address(data[ContractAt:SelectorAt])
	p.Selector = [abi.SelectorSize]byte(data[SelectorAt:LimitAt])
	p.Limit.SetBytes(data[LimitAt:CountAt])
	p.Count = int(binary.BigEndian.Uint16(data[CountAt:]))
	p.Rules = data[RulesAt:]
	return p, true
}

// Function returns the function of the permission's selector: the one of the signature, or else one of
// those known; nil if it is neither.
func (p *Permission) Function(signature string, known ...*abi.Function) *abi.Function {
	if f, err := abi.ParseFunction(signature); err == nil && f.Selector() == p.Selector {
		return f
	}
	for _, f := range known {
		if f.Selector() == p.Selector {
			return f
		}
	}
	return nil
}

// Excess is how many bytes of rules there are more than the count asks for; negative where some are missing.
func (p *Permission) Excess() int { return len(p.Rules) - p.Count*RuleSize }

// Exact reports whether the data holds as many rules as it claims, and nothing else.
func (p *Permission) Exact() bool { return p.Excess() == 0 }

// Rule returns rule i, or false if the data ends before it does.
func (p *Permission) Rule(i int) (Rule, bool) {
	at := i * RuleSize
	if at+RuleSize > len(p.Rules) {
		return Rule{}, false
	}
	return ParseRule(p.Rules[at:]), true
}

// ParseRule reads the rule that b begins with: RuleSize bytes at least.
func ParseRule(b []byte) Rule {
	return Rule{Offset: binary.BigEndian.Uint16(b), Condition: b[ConditionAt], Word: common.Hash(b[WordAt:RuleSize])}
}

// AppendHead appends all that comes before the rules. Only the low 16 bytes of the limit are written.
func (p *Permission) AppendHead(dst []byte) []byte {
	dst = append(dst, p.Key[:]...)
	dst = append(dst, p.Contract[:]...)
	dst = append(dst, p.Selector[:]...)
	limit := p.Limit.Bytes32()
	dst = append(dst, limit[len(limit)-LimitSize:]...)
	return binary.BigEndian.AppendUint16(dst, uint16(p.Count))
}

// Append appends the rule.
func (r Rule) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, r.Offset)
	dst = append(dst, r.Condition)
	return append(dst, r.Word[:]...)
}
