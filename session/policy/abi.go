package policy

import (
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
)

// ABI allows a key to call one function of one contract, with rules on the arguments. The ABI session
// validation module enforces it: each rule and the value limit hold for every single call; nothing adds calls
// up.
type ABI struct {
	// Key is the address of the session key.
	Key common.Address
	// Contract is the only contract that may be called.
	Contract common.Address
	// Function is the only function that may be called, as [abi.ParseFunction] reads it: "safeMint(address
	// to)".
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

// Compile implements [Policy].
func (p ABI) Compile(m Modules) (Compiled, error) {
	until, after, err := p.Window.Seconds()
	if err != nil {
		return Compiled{}, err
	}
	if err := p.check(); err != nil {
		return Compiled{}, err
	}
	f, selector, err := p.function()
	if err != nil {
		return Compiled{}, err
	}
	head := contracts.ABIPermission{Key: p.Key, Contract: p.Contract, Selector: selector, Limit: p.ValueLimit, Count: len(p.Rules)}
	data := head.AppendHead(make([]byte, 0, contracts.ABIRulesAt+contracts.ABIRuleSize*len(p.Rules)))
	if data, err = appendRules(data, p.Rules, f); err != nil {
		return Compiled{}, err
	}
	c := Compiled{ValidUntil: until, ValidAfter: after, Module: m.WithDefaults().ABI, Data: data}
	if f != nil {
		c.Function = f.String()
	}
	return c, nil
}

// SessionKey returns Key.
func (p ABI) SessionKey() common.Address { return p.Key }

// String says in one sentence what the policy allows.
func (p ABI) String() string { return describePolicy(p) }

func (p *ABI) check() error {
	switch {
	case p.Key == (common.Address{}):
		return fmt.Errorf("%w: ABI policy without a session key address", ErrInvalid)
	case p.Contract == (common.Address{}):
		return fmt.Errorf("%w: ABI policy without a contract to call", ErrInvalid)
	case p.ValueLimit.BitLen() > 8*contracts.ABILimitSize:
		return fmt.Errorf("%w: value limit %s does not fit uint128 wei", ErrInvalid, p.ValueLimit.Dec())
	case len(p.Rules) > math.MaxUint16:
		return fmt.Errorf("%w: %d rules; the contract counts up to %d", ErrInvalid, len(p.Rules), math.MaxUint16)
	}
	return nil
}

// function returns the policy's function, nil where it has only a selector.
func (p *ABI) function() (*abi.Function, [abi.SelectorSize]byte, error) {
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
		data = contracts.ABIRule{Offset: uint16(raw.Offset), Condition: uint8(raw.Condition), Word: &raw.Word}.Append(data)
	}
	return data, refuseTwice(data[start:])
}

// refuseTwice returns an error if a rule is there twice: it costs gas, and another one was meant.
func refuseTwice(rules []byte) error {
	seen := make(map[[contracts.ABIRuleSize]byte]int, len(rules)/contracts.ABIRuleSize)
	for i := 0; len(rules) > 0; i++ {
		rule := [contracts.ABIRuleSize]byte(rules[:contracts.ABIRuleSize])
		if first, twice := seen[rule]; twice {
			return fmt.Errorf("%w: rules %d and %d are the same", ErrInvalid, first, i)
		}
		seen[rule] = i
		rules = rules[contracts.ABIRuleSize:]
	}
	return nil
}
