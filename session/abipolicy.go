package session

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// ABIPolicy allows a key to call one function of one contract, with rules on the arguments. The ABI
// session validation module enforces it: each rule and the value limit hold for every single call;
// nothing adds calls up.
type ABIPolicy struct {
	// ID names the leaf; empty for a random one.
	ID string
	// Key is the address of the session key.
	Key common.Address
	// Contract is the only contract that may be called.
	Contract common.Address
	// Function is the only function that may be called, as [abi.ParseFunction] reads it:
	// "safeMint(address to)".
	Function string
	// Selector stands for a Function that is not known.
	Selector *[abi.SelectorSize]byte
	// Rules must all hold. None allows all arguments.
	Rules []Rule
	// ValueLimit is how much native token one call may carry at most, in wei, below 2^128. Zero allows none.
	ValueLimit uint256.Int
	// Window is when the key may be used. There is no default.
	Window Window
}

// The layout of the ABI session validation module's sessionKeyData:
// address key ‖ address contract ‖ bytes4 selector ‖ uint128 valueLimit ‖ uint16 ruleCount ‖ rules.
const (
	abiContractAt  = common.AddressLength
	abiSelectorAt  = abiContractAt + common.AddressLength
	abiLimitAt     = abiSelectorAt + abi.SelectorSize
	abiRuleCountAt = abiLimitAt + limitSize
	abiRulesAt     = abiRuleCountAt + 2

	limitSize = 16
)

// Leaf implements [Policy].
func (p ABIPolicy) Leaf(m Modules) (Leaf, error) {
	until, after, err := p.Window.Seconds()
	if err != nil {
		return Leaf{}, err
	}
	if err := p.check(); err != nil {
		return Leaf{}, err
	}
	f, selector, err := p.function()
	if err != nil {
		return Leaf{}, err
	}
	data := make([]byte, 0, abiRulesAt+ruleSize*len(p.Rules))
	data = append(data, p.Key[:]...)
	data = append(data, p.Contract[:]...)
	data = append(data, selector[:]...)
	limit := p.ValueLimit.Bytes32()
	data = append(data, limit[len(limit)-limitSize:]...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(p.Rules)))
	if data, err = appendRules(data, p.Rules, f); err != nil {
		return Leaf{}, err
	}
	leaf := Leaf{ID: p.ID, Status: StatusPending, ValidUntil: until, ValidAfter: after, Module: m.WithDefaults().ABI, Key: p.Key, Data: data}
	if f != nil {
		leaf.Function = f.String()
	}
	return leaf, nil
}

// String says in one sentence what the policy allows.
func (p ABIPolicy) String() string { return describePolicy(p) }

func (p *ABIPolicy) check() error {
	switch {
	case p.Key == (common.Address{}):
		return fmt.Errorf("%w: ABI policy without a session key address", ErrInvalid)
	case p.Contract == (common.Address{}):
		return fmt.Errorf("%w: ABI policy without a contract to call", ErrInvalid)
	case p.ValueLimit.BitLen() > 8*limitSize:
		return fmt.Errorf("%w: value limit %s does not fit uint128 wei", ErrInvalid, p.ValueLimit.Dec())
	case len(p.Rules) > math.MaxUint16:
		return fmt.Errorf("%w: %d rules; the contract counts up to %d", ErrInvalid, len(p.Rules), math.MaxUint16)
	}
	return nil
}

// function returns the policy's function, nil where it has only a selector.
func (p *ABIPolicy) function() (*abi.Function, [abi.SelectorSize]byte, error) {
	if p.Function == "" {
		if p.Selector == nil {
			return nil, [abi.SelectorSize]byte{}, fmt.Errorf("%w: ABI policy without a function to call", ErrInvalid)
		}
		return nil, *p.Selector, nil
	}
	f, err := abi.ParseFunction(p.Function)
	if err != nil {
		return nil, [abi.SelectorSize]byte{}, fmt.Errorf("%w: ABI policy: %w", ErrInvalid, err)
	}
	selector := f.Selector()
	if p.Selector != nil && *p.Selector != selector {
		return nil, selector, fmt.Errorf("%w: ABI policy with selector 0x%x, but %s has 0x%x; give one of them", ErrInvalid, *p.Selector, f.Signature(), selector)
	}
	return f, selector, nil
}

func appendRules(data []byte, rules []Rule, f *abi.Function) ([]byte, error) {
	start := len(data)
	for i, rule := range rules {
		raw, err := rule.resolve(f)
		if err != nil {
			return nil, fmt.Errorf("%w: rule %d: %w", ErrInvalid, i, err)
		}
		data = appendRule(data, raw)
	}
	return data, refuseTwice(data[start:])
}

func appendRule(data []byte, r Rule) []byte {
	data = binary.BigEndian.AppendUint16(data, uint16(r.Offset))
	data = append(data, byte(r.Condition))
	return append(data, r.Word[:]...)
}

// refuseTwice returns an error if a rule is there twice: it costs gas, and another one was meant.
func refuseTwice(rules []byte) error {
	seen := make(map[[ruleSize]byte]int, len(rules)/ruleSize)
	for i := 0; len(rules) > 0; i++ {
		rule := [ruleSize]byte(rules[:ruleSize])
		if first, twice := seen[rule]; twice {
			return fmt.Errorf("%w: rules %d and %d are the same", ErrInvalid, first, i)
		}
		seen[rule] = i
		rules = rules[ruleSize:]
	}
	return nil
}
