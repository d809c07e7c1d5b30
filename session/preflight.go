package session

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
)

// CheckCall judges one call of a batch as the leaf's session validation module will
// (validateSessionParams), without the chain. The error is a [*Violation] with what the contract would
// say; nil means that the module lets the call pass, for all that the leaf says.
//
// A module that is neither of m's cannot be judged: that is nil too, and left to the chain. Windows,
// the leaf's place in the tree and signatures are not looked at; [Signer] does.
func CheckCall(m Modules, leaf *Leaf, call Call) error {
	var v *Violation
	switch m = m.WithDefaults(); leaf.Module {
	case m.ABI:
		data := wholeCalldata(call.Data)
		v = checkABI(leaf, call.To, &call.Value, &data)
	case m.ERC20:
		v = checkERC20(leaf, call.To, &call.Value, call.Data, "ERC20SV Invalid Token")
	}
	return v.orNil()
}

// CheckOperation judges the callData of an operation with a single call as the leaf's session
// validation module will (validateSessionUserOp), short of the signature. It answers as [CheckCall] does.
//
// Calldata that points out of itself is read by the ABI module all the same, from whatever the rest of
// the operation holds there. The account cannot execute that, and where the verdict hangs on it the
// call is refused.
func CheckOperation(m Modules, leaf *Leaf, callData []byte) error {
	var v *Violation
	switch m = m.WithDefaults(); leaf.Module {
	case m.ABI:
		if v = checkExecute(leaf, callData, "ABISV Not Execute Selector"); v == nil {
			v = checkABIOperation(leaf, callData)
		}
	case m.ERC20:
		if v = checkExecute(leaf, callData, "ERC20SV Invalid Selector"); v == nil {
			v = checkERC20Operation(leaf, callData)
		}
	}
	return v.orNil()
}

// checkExecute wants the account's function for a single call.
func checkExecute(leaf *Leaf, callData []byte, reason string) *Violation {
	if len(callData) < abi.SelectorSize {
		return unreadable(leaf, "operation with %d bytes of callData, which name no function of the account", len(callData))
	}
	if contracts.IsExecute(callData) {
		return nil
	}
	v := unreadable(leaf, "operation calls the account with selector 0x%x, a single session takes execute_ncC and execute only; several calls need a leaf for each", callData[:abi.SelectorSize])
	v.Reason = reason
	return v
}

func checkABIOperation(leaf *Leaf, callData []byte) *Violation {
	to, value, data := looseExecute(callData)
	if v := checkABI(leaf, to, &value, &data); v != nil {
		return v
	}
	if data.beyond {
		return unreadable(leaf, "the call's data lies outside of the %d bytes of callData, where the account cannot execute it", len(callData))
	}
	return nil
}

// checkABI is the ABI module's _validateSessionParams, in its order.
func checkABI(leaf *Leaf, to common.Address, value *uint256.Int, data *calldata) *Violation {
	p, ok := parsePermission(leaf.Data)
	if !ok {
		return unreadable(leaf, "session key data of %d bytes, the ABI module reads at least %d", len(leaf.Data), abiRulesAt)
	}
	if to != p.contract {
		return mismatch(leaf, "contract", Equal, to.Hex(), p.contract.Hex(), "ABISV Destination Forbidden")
	}
	selector, ok := data.selector()
	if !ok {
		return unreadable(leaf, "calldata of %d bytes has no selector", data.length)
	}
	if selector != p.selector {
		return mismatch(leaf, "selector", Equal, fmt.Sprintf("0x%x", selector), fmt.Sprintf("0x%x", p.selector), "ABISV Selector Forbidden")
	}
	if value.Gt(&p.limit) {
		return mismatch(leaf, "value", LessThanOrEqual, value.Dec(), p.limit.Dec(), "ABISV Permitted Value Exceeded")
	}
	for i := range p.count {
		if v := checkRule(leaf, &p, i, data); v != nil {
			return v
		}
	}
	return nil
}

// checkRule is one round of the ABI module's _checkRulesForPermission.
func checkRule(leaf *Leaf, p *permission, i int, data *calldata) *Violation {
	rule, ok := p.rule(i)
	if !ok {
		return ruleViolation(leaf, i, "", "session key data ends before this rule, which it counts")
	}
	word, ok := data.argument(rule.Offset)
	if ok && rule.Condition.holds(word, rule.Word) {
		return nil
	}
	f := p.function(leaf.Function)
	name, format := nameWord(f, rule.Offset)
	if !ok {
		return ruleViolation(leaf, i, name, fmt.Sprintf("calldata of %d bytes ends before the word at offset %d does", data.length, rule.Offset))
	}
	v := ruleViolation(leaf, i, name, "")
	v.Condition, v.Got, v.Want, v.Reason = rule.Condition, format(word), format(rule.Word), "ABISV Arg Rule Violated"
	if !rule.Condition.known() {
		v.Problem = fmt.Sprintf("%s never holds", rule.Condition)
	}
	return v
}

func checkERC20Operation(leaf *Leaf, callData []byte) *Violation {
	if _, ok := parseAllowance(leaf.Data); !ok {
		return unreadableAllowance(leaf)
	}
	to, value, data, ok := strictExecute(callData)
	if !ok {
		return unreadable(leaf, "callData of %d bytes is not the encoding of one call", len(callData))
	}
	return checkERC20(leaf, to, &value, data, "ERC20SV Wrong Token")
}

// checkERC20 is the ERC-20 module's validation, in its order. Its two functions name a wrong token differently.
func checkERC20(leaf *Leaf, to common.Address, value *uint256.Int, data []byte, wrongToken string) *Violation {
	a, ok := parseAllowance(leaf.Data)
	if !ok {
		return unreadableAllowance(leaf)
	}
	if to != a.token {
		return mismatch(leaf, "contract", Equal, to.Hex(), a.token.Hex(), wrongToken)
	}
	if !value.IsZero() {
		return mismatch(leaf, "value", Equal, value.Dec(), "0", "ERC20SV Non Zero Value")
	}
	if len(data) < abi.SelectorSize+2*abi.WordSize {
		return unreadable(leaf, "calldata of %d bytes has no address and amount", len(data))
	}
	recipient, ok := cleanAddress(data[abi.SelectorSize:])
	if !ok {
		return unreadable(leaf, "the first argument of the call is not an address")
	}
	if recipient != a.recipient {
		return mismatch(leaf, "recipient", Equal, recipient.Hex(), a.recipient.Hex(), "ERC20SV Wrong Recipient")
	}
	var amount uint256.Int
	if amount.SetBytes32(data[abi.SelectorSize+abi.WordSize:]); amount.Gt(&a.maxAmount) {
		return mismatch(leaf, "amount", LessThanOrEqual, amount.Dec(), a.maxAmount.Dec(), "ERC20SV Max Amount Exceeded")
	}
	return nil
}

func unreadableAllowance(leaf *Leaf) *Violation {
	return unreadable(leaf, "session key data of %d bytes is not three addresses and an amount", len(leaf.Data))
}
