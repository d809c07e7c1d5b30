package policy

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/internal/permission"
)

// CheckCall judges one call of a batch as the policy's session validation module will
// (validateSessionParams), without the chain. The error is a [*Violation] with what the contract would
// say; nil means that the module lets the call pass, for all that the policy says.
//
// A module that is neither of m's cannot be judged: that is nil too, and left to the chain. Windows,
// the leaf's place in the tree and signatures are not looked at; session.Signer does.
func CheckCall(m Modules, c *Compiled, call Call) error {
	var v *Violation
	switch m = m.WithDefaults(); c.Module {
	case m.ABI:
		data := wholeCalldata(call.Data)
		v = checkABI(c, call.To, &call.Value, &data)
	case m.ERC20:
		v = checkERC20(c, call.To, &call.Value, call.Data, "ERC20SV Invalid Token")
	}
	return v.orNil()
}

// CheckOperation judges the callData of an operation with a single call as the policy's session
// validation module will (validateSessionUserOp), short of the signature. It answers as [CheckCall] does.
//
// Calldata that points out of itself is read by the ABI module all the same, from whatever the rest of
// the operation holds there. The account cannot execute that, and where the verdict hangs on it the
// call is refused.
func CheckOperation(m Modules, c *Compiled, callData []byte) error {
	var v *Violation
	switch m = m.WithDefaults(); c.Module {
	case m.ABI:
		if v = checkExecute(callData, "ABISV Not Execute Selector"); v == nil {
			v = checkABIOperation(c, callData)
		}
	case m.ERC20:
		if v = checkExecute(callData, "ERC20SV Invalid Selector"); v == nil {
			v = checkERC20Operation(c, callData)
		}
	}
	return v.orNil()
}

// checkExecute wants the account's function for a single call.
func checkExecute(callData []byte, reason string) *Violation {
	if len(callData) < abi.SelectorSize {
		return unreadable("operation with %d bytes of callData, which name no function of the account", len(callData))
	}
	if contracts.IsExecute(callData) {
		return nil
	}
	v := unreadable("operation calls the account with selector 0x%x, a single session takes execute_ncC and execute only; several calls need a leaf for each", callData[:abi.SelectorSize])
	v.Reason = reason
	return v
}

func checkABIOperation(c *Compiled, callData []byte) *Violation {
	to, value, data := looseExecute(callData)
	if v := checkABI(c, to, &value, &data); v != nil {
		return v
	}
	if data.beyond {
		return unreadable("the call's data lies outside of the %d bytes of callData, where the account cannot execute it", len(callData))
	}
	return nil
}

// checkABI is the ABI module's _validateSessionParams, in its order.
func checkABI(c *Compiled, to common.Address, value *uint256.Int, data *calldata) *Violation {
	p, ok := permission.Parse(c.Data)
	if !ok {
		return unreadable("session key data of %d bytes, the ABI module reads at least %d", len(c.Data), permission.RulesAt)
	}
	if to != p.Contract {
		return mismatch("contract", Equal, to.Hex(), p.Contract.Hex(), "ABISV Destination Forbidden")
	}
	selector, ok := data.selector()
	if !ok {
		return unreadable("calldata of %d bytes has no selector", data.length)
	}
	if selector != p.Selector {
		return mismatch("selector", Equal, fmt.Sprintf("0x%x", selector), fmt.Sprintf("0x%x", p.Selector), "ABISV Selector Forbidden")
	}
	if value.Gt(&p.Limit) {
		return mismatch("value", LessThanOrEqual, value.Dec(), p.Limit.Dec(), "ABISV Permitted Value Exceeded")
	}
	for i := range p.Count {
		if v := checkRule(c, &p, i, data); v != nil {
			return v
		}
	}
	return nil
}

// checkRule is one round of the ABI module's _checkRulesForPermission.
func checkRule(c *Compiled, p *permission.Permission, i int, data *calldata) *Violation {
	encoded, ok := p.Rule(i)
	if !ok {
		return ruleViolation(i, "", "session key data ends before this rule, which it counts")
	}
	rule := ruleOf(encoded)
	word, ok := data.argument(rule.Offset)
	if ok && rule.Condition.holds(word, rule.Word) {
		return nil
	}
	f := p.Function(c.Function)
	name, format := nameWord(f, rule.Offset)
	if !ok {
		return ruleViolation(i, name, fmt.Sprintf("calldata of %d bytes ends before the word at offset %d does", data.length, rule.Offset))
	}
	v := ruleViolation(i, name, "")
	v.Condition, v.Got, v.Want, v.Reason = rule.Condition, format(word), format(rule.Word), "ABISV Arg Rule Violated"
	if !rule.Condition.known() {
		v.Problem = fmt.Sprintf("%s never holds", rule.Condition)
	}
	return v
}

func checkERC20Operation(c *Compiled, callData []byte) *Violation {
	if _, ok := parseAllowance(c.Data); !ok {
		return unreadableAllowance(c)
	}
	to, value, data, ok := strictExecute(callData)
	if !ok {
		return unreadable("callData of %d bytes is not the encoding of one call", len(callData))
	}
	return checkERC20(c, to, &value, data, "ERC20SV Wrong Token")
}

// checkERC20 is the ERC-20 module's validation, in its order. Its two functions name a wrong token differently.
func checkERC20(c *Compiled, to common.Address, value *uint256.Int, data []byte, wrongToken string) *Violation {
	a, ok := parseAllowance(c.Data)
	if !ok {
		return unreadableAllowance(c)
	}
	if to != a.token {
		return mismatch("contract", Equal, to.Hex(), a.token.Hex(), wrongToken)
	}
	if !value.IsZero() {
		return mismatch("value", Equal, value.Dec(), "0", "ERC20SV Non Zero Value")
	}
	if len(data) < abi.SelectorSize+2*abi.WordSize {
		return unreadable("calldata of %d bytes has no address and amount", len(data))
	}
	recipient, ok := cleanAddress(data[abi.SelectorSize:])
	if !ok {
		return unreadable("the first argument of the call is not an address")
	}
	if recipient != a.recipient {
		return mismatch("recipient", Equal, recipient.Hex(), a.recipient.Hex(), "ERC20SV Wrong Recipient")
	}
	var amount uint256.Int
	if amount.SetBytes32(data[abi.SelectorSize+abi.WordSize:]); amount.Gt(&a.maxAmount) {
		return mismatch("amount", LessThanOrEqual, amount.Dec(), a.maxAmount.Dec(), "ERC20SV Max Amount Exceeded")
	}
	return nil
}

func unreadableAllowance(c *Compiled) *Violation {
	return unreadable("session key data of %d bytes is not three addresses and an amount", len(c.Data))
}
