package contracts

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// Where the fields of the ABI session validation module's data begin, and how long some of them are, in
// bytes.
const (
	ABIContractAt = common.AddressLength
	ABISelectorAt = ABIContractAt + common.AddressLength
	ABILimitAt    = ABISelectorAt + abi.SelectorSize
	ABILimitSize  = 16
	ABICountAt    = ABILimitAt + ABILimitSize
	ABICountSize  = 2
	ABIRulesAt    = ABICountAt + ABICountSize

	// Of a rule.
	ABIRuleConditionAt = 2
	ABIRuleWordAt      = ABIRuleConditionAt + 1
	ABIRuleSize        = ABIRuleWordAt + abi.WordSize
)

// ABIPermission is the session key data of the ABI session validation module, read as the contract does:
//
//	address key ‖ address contract ‖ bytes4 selector ‖ uint128 valueLimit ‖ uint16 ruleCount ‖ rules
//
// What its rules mean is package policy's.
type ABIPermission struct {
	Key      common.Address
	Contract common.Address
	Selector [abi.SelectorSize]byte
	Limit    uint256.Int // in wei
	Count    int         // of rules, as the data claims
	Rules    []byte
}

// ABIRule is one rule of an [ABIPermission]: uint16 offset ‖ uint8 condition ‖ bytes32 word. The word of a
// rule that was read is where it was read from, since there is no need of another copy to compare with it.
type ABIRule struct {
	Offset    uint16
	Condition uint8
	Word      *common.Hash
}

// ParseABIPermission reads session key data. It returns false for data so short that the contract reverts on
// it.
func ParseABIPermission(data []byte) (p ABIPermission, ok bool) {
	if len(data) < ABIRulesAt {
		return ABIPermission{}, false
	}
	p.Key = common.Address(data[:ABIContractAt])
	p.Contract = common.Address(data[ABIContractAt:ABISelectorAt])
	p.Selector = [abi.SelectorSize]byte(data[ABISelectorAt:ABILimitAt])
	p.Limit.SetBytes(data[ABILimitAt:ABICountAt])
	p.Count = int(binary.BigEndian.Uint16(data[ABICountAt:]))
	p.Rules = data[ABIRulesAt:]
	return p, true
}

// ABIPermits reports whether session key data is for that contract and selector, without reading all of it.
func ABIPermits(data []byte, contract *common.Address, selector [abi.SelectorSize]byte) bool {
	return len(data) >= ABIRulesAt && *contract == common.Address(data[ABIContractAt:ABISelectorAt]) &&
		selector == [abi.SelectorSize]byte(data[ABISelectorAt:ABILimitAt])
}

// Function returns the function of the permission's selector: the one of the signature, or else one of those
// known; nil if it is neither.
func (p *ABIPermission) Function(signature string, known ...*abi.Function) *abi.Function {
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
func (p *ABIPermission) Excess() int { return len(p.Rules) - p.Count*ABIRuleSize }

// Exact reports whether the data holds as many rules as it claims, and nothing else.
func (p *ABIPermission) Exact() bool { return p.Excess() == 0 }

// Rule returns rule i, or false if the data ends before it does.
func (p *ABIPermission) Rule(i int) (ABIRule, bool) {
	at := i * ABIRuleSize
	if at+ABIRuleSize > len(p.Rules) {
		return ABIRule{}, false
	}
	return ParseABIRule(p.Rules[at:]), true
}

// ParseABIRule reads the rule that b begins with: ABIRuleSize bytes at least.
func ParseABIRule(b []byte) ABIRule {
	return ABIRule{Offset: binary.BigEndian.Uint16(b), Condition: b[ABIRuleConditionAt], Word: (*common.Hash)(b[ABIRuleWordAt:ABIRuleSize])}
}

// AppendHead appends all that comes before the rules. Only the low 16 bytes of the limit are written.
func (p *ABIPermission) AppendHead(dst []byte) []byte {
	dst = append(dst, p.Key[:]...)
	dst = append(dst, p.Contract[:]...)
	dst = append(dst, p.Selector[:]...)
	limit := p.Limit.Bytes32()
	dst = append(dst, limit[len(limit)-ABILimitSize:]...)
	return binary.BigEndian.AppendUint16(dst, uint16(p.Count))
}

// Append appends the rule.
func (r ABIRule) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, r.Offset)
	dst = append(dst, r.Condition)
	return append(dst, r.Word[:]...)
}
