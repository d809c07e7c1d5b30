package policy

import (
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
)

// CheckCall judges one call of a batch as the policy's session validation module will
// (validateSessionParams), without the chain. The error is a [*Violation] with what the contract would say;
// nil means that the module lets the call pass, for all that the policy says.
//
// A module that is neither of m's cannot be judged: that is nil too, and left to the chain. Windows, the
// leaf's place in the tree and signatures are not looked at; session.Signer does.
func CheckCall(m Modules, c *Compiled, call abi.Call) error {
	var v *Violation
	switch m.kindOf(c.Module) {
	case kindABI:
		data := newCalldata(call.Data)
		v = checkABI(c, call.To, &call.Value, &data)
	case kindERC20:
		v = checkERC20Call(c, &call)
	}
	return v.orNil()
}

// Allows reports whether the policy can be judged and [CheckCall] has nothing against the call. It takes much
// less time than to hear what it has, which is for looking through many policies.
func (c *Compiled) Allows(m Modules, call abi.Call) bool {
	switch m.kindOf(c.Module) {
	case kindABI:
		return !refusesABI(c, &call) && CheckCall(m, c, call) == nil
	case kindERC20:
		return !refusesERC20(c, &call) && CheckCall(m, c, call) == nil
	}
	return false
}

// refusesABI reports whether it is plain that checkABI has something against a call.
func refusesABI(c *Compiled, call *abi.Call) bool {
	if len(call.Data) < abi.SelectorSize || !contracts.ABIPermits(c.Data, &call.To, [abi.SelectorSize]byte(call.Data)) {
		return true // most of many, before they are read
	}
	p, ok := contracts.ParseABIPermission(c.Data)
	if !ok {
		return true
	}
	data := newCalldata(call.Data)
	for i := range p.Count {
		rule, ok := p.Rule(i)
		if !ok {
			return true
		}
		if _, holds := data.obeys(rule); !holds {
			return true
		}
	}
	return false
}

// refusesERC20 reports whether it is plain that checkERC20Call has something against a call.
func refusesERC20(c *Compiled, call *abi.Call) bool {
	p, ok := contracts.ParseERC20Permission(c.Data)
	return !ok || call.To != p.Token || len(call.Data) < erc20End || common.BytesToAddress(call.Data[erc20RecipientAt:erc20AmountAt]) != p.Recipient
}

// CheckOperation judges the callData of an operation with a single call as the policy's session validation
// module will (validateSessionUserOp), short of the signature. It answers as [CheckCall] does.
//
// Calldata that points out of itself is read by the ABI module all the same, from whatever the rest of the
// operation holds there. The account cannot execute that, and where the verdict hangs on it the call is
// refused.
//
// The ERC-20 module reads the recipient of a single call without the twelve bytes above the address, which in
// a batch have to be zero: what is set there passes here, as on chain, and [LintCall] tells of it. Tokens of
// old compilers do not look at these bytes either; all others revert.
func CheckOperation(m Modules, c *Compiled, callData []byte) error {
	var v *Violation
	switch m.kindOf(c.Module) {
	case kindABI:
		if v = checkExecute(callData, "ABISV Not Execute Selector"); v == nil {
			v = checkABIOperation(c, callData)
		}
	case kindERC20:
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
	to, value, data := readExecute(callData)
	if v := checkABI(c, to, &value, &data); v != nil {
		return v
	}
	if data.outOfBounds {
		return unreadable("the call's data lies outside of the %d bytes of callData, where the account cannot execute it", len(callData))
	}
	return nil
}

// checkABI is the ABI module's _validateSessionParams, in its order.
func checkABI(c *Compiled, to common.Address, value *uint256.Int, data *calldata) *Violation {
	p, ok := contracts.ParseABIPermission(c.Data)
	if !ok {
		return unreadable("session key data of %d bytes, the ABI module reads at least %d", len(c.Data), contracts.ABIRulesAt)
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
func checkRule(c *Compiled, p *contracts.ABIPermission, i int, data *calldata) *Violation {
	encoded, ok := p.Rule(i)
	if !ok {
		return ruleViolation(i, "", "session key data ends before this rule, which it counts")
	}
	word, holds := data.obeys(encoded)
	if holds {
		return nil
	}
	rule, f := ruleOf(encoded), p.Function(c.Function)
	name, format := nameWord(f, rule.Offset)
	if word == nil {
		return ruleViolation(i, name, fmt.Sprintf("calldata of %d bytes ends before the word at offset %d does", data.length, rule.Offset))
	}
	v := ruleViolation(i, name, "")
	v.Condition, v.Got, v.Want, v.Reason = rule.Condition, format(*word), format(rule.Word), "ABISV Arg Rule Violated"
	if !rule.Condition.isKnown() {
		v.Problem = fmt.Sprintf("%s never holds", rule.Condition)
	}
	return v
}

// checkERC20Operation is the ERC-20 module's validateSessionUserOp after the selector, in its order.
func checkERC20Operation(c *Compiled, callData []byte) *Violation {
	p, ok := contracts.ParseERC20Permission(c.Data)
	if !ok {
		return unreadableERC20(c)
	}
	to, value, data, ok := decodeExecute(callData)
	if !ok {
		return unreadable("callData of %d bytes is not the encoding of one call", len(callData))
	}
	if v := checkERC20Token(&p, to, &value, "ERC20SV Wrong Token"); v != nil {
		return v
	}
	// The recipient is judged where the amount is missing, and without the bytes above it.
	if len(data) < erc20AmountAt {
		return unreadable("calldata of %d bytes has no address", len(data))
	}
	if v := checkERC20Recipient(&p, common.BytesToAddress(data[erc20RecipientAt:erc20AmountAt])); v != nil {
		return v
	}
	if len(data) < erc20End {
		return unreadable("calldata of %d bytes has no amount", len(data))
	}
	return checkERC20Amount(&p, data)
}

// The arguments of a call that the ERC-20 module reads, in bytes from the start of its data.
const (
	erc20RecipientAt = abi.SelectorSize
	erc20AmountAt    = erc20RecipientAt + abi.WordSize
	erc20End         = erc20AmountAt + abi.WordSize
)

// checkERC20Call is the ERC-20 module's validateSessionParams, in its order.
func checkERC20Call(c *Compiled, call *abi.Call) *Violation {
	p, ok := contracts.ParseERC20Permission(c.Data)
	if !ok {
		return unreadableERC20(c)
	}
	if v := checkERC20Token(&p, call.To, &call.Value, "ERC20SV Invalid Token"); v != nil {
		return v
	}
	if len(call.Data) < erc20End {
		return unreadable("calldata of %d bytes has no address and amount", len(call.Data))
	}
	recipient, err := contracts.DecodeAddress(call.Data[erc20RecipientAt:erc20AmountAt])
	if err != nil {
		return unreadable("the first argument of the call is not an address")
	}
	if v := checkERC20Recipient(&p, recipient); v != nil {
		return v
	}
	return checkERC20Amount(&p, call.Data)
}

// checkERC20Token judges what is called. The module's two functions name a wrong token differently.
func checkERC20Token(p *contracts.ERC20Permission, to common.Address, value *uint256.Int, wrongToken string) *Violation {
	if to != p.Token {
		return mismatch("contract", Equal, to.Hex(), p.Token.Hex(), wrongToken)
	}
	if !value.IsZero() {
		return mismatch("value", Equal, value.Dec(), "0", "ERC20SV Non Zero Value")
	}
	return nil
}

func checkERC20Recipient(p *contracts.ERC20Permission, recipient common.Address) *Violation {
	if recipient != p.Recipient {
		return mismatch("recipient", Equal, recipient.Hex(), p.Recipient.Hex(), "ERC20SV Wrong Recipient")
	}
	return nil
}

// checkERC20Amount judges the amount in data, which reaches as far.
func checkERC20Amount(p *contracts.ERC20Permission, data []byte) *Violation {
	var amount uint256.Int
	if amount.SetBytes32(data[erc20AmountAt:erc20End]); amount.Gt(&p.MaxAmount) {
		return mismatch("amount", LessThanOrEqual, amount.Dec(), p.MaxAmount.Dec(), "ERC20SV Max Amount Exceeded")
	}
	return nil
}

func unreadableERC20(c *Compiled) *Violation {
	return unreadable("session key data of %d bytes is not three addresses and an amount", len(c.Data))
}

// The heads of execute's arguments, in bytes from the start of callData.
const (
	executeToAt    = abi.SelectorSize
	executeValueAt = executeToAt + abi.WordSize
	executeDataAt  = executeValueAt + abi.WordSize
)

// calldata is the data of an inner call as a validation module sees it: length bytes of source from start.
// The ABI module takes start and length as they stand in an operation's callData and never looks where that
// ends.
type calldata struct {
	source []byte
	start  uint64
	length uint64
	// outOfBounds is set once something was read that lies outside source: zero in the padding of the last
	// word, and beyond that whatever the operation has there.
	outOfBounds bool
}

func newCalldata(data []byte) calldata {
	return calldata{source: data, length: uint64(len(data))}
}

// selector returns the first four bytes, or false if there are fewer.
func (c *calldata) selector() (selector [abi.SelectorSize]byte, ok bool) {
	if c.length < abi.SelectorSize {
		return selector, false
	}
	c.read(c.start, selector[:])
	return selector, true
}

// obeys reports whether a rule holds for the word that it looks at, and returns that word, or nil if the call
// ends before it does.
func (c *calldata) obeys(rule contracts.ABIRule) (word *common.Hash, holds bool) {
	word = c.argument(uint64(rule.Offset))
	return word, word != nil && Condition(rule.Condition).holds(word, rule.Word)
}

// argument returns the word that begins offset bytes after the selector, or nil if the call ends before it.
func (c *calldata) argument(offset uint64) *common.Hash {
	at := abi.SelectorSize + offset
	if at+abi.WordSize > c.length {
		return nil
	}
	return c.word(c.start + at)
}

// word returns a word of source, in place where that holds all of it.
func (c *calldata) word(at uint64) *common.Hash {
	if size := uint64(len(c.source)); at <= size && size-at >= abi.WordSize {
		return (*common.Hash)(c.source[at:])
	}
	word := new(common.Hash)
	c.read(at, word[:])
	return word
}

// read fills dst from source, with zeros where source has ended.
func (c *calldata) read(at uint64, dst []byte) {
	size := uint64(len(c.source))
	if at < size {
		copy(dst, c.source[at:])
	}
	padded := (size + abi.WordSize - 1) / abi.WordSize * abi.WordSize
	if at+uint64(len(dst)) > padded {
		c.outOfBounds = true
	}
}

// readExecute reads the arguments of execute as the assembly of the ABI module does: higher bits of the
// address are dropped, and the data is wherever its offset points.
func readExecute(callData []byte) (to common.Address, value uint256.Int, data calldata) {
	data.source = callData
	head := data.word(executeToAt)
	to = common.BytesToAddress(head[:])
	head = data.word(executeValueAt)
	value.SetBytes32(head[:])
	head = data.word(executeDataAt)
	offset := saturate(head)
	if offset > uint64(len(callData)) {
		data.outOfBounds = true
		return to, value, data
	}
	data.start = executeToAt + offset + abi.WordSize
	data.length = saturate(data.word(executeToAt + offset))
	return to, value, data
}

// saturate returns a word as a number, all large ones alike.
func saturate(word *common.Hash) uint64 {
	var v uint256.Int
	if v.SetBytes32(word[:]); !v.IsUint64() {
		return math.MaxUint64
	}
	return v.Uint64()
}

// decodeExecute reads the arguments of execute as abi.decode does, or returns false where that reverts.
func decodeExecute(callData []byte) (to common.Address, value uint256.Int, data []byte, ok bool) {
	args := callData[abi.SelectorSize:]
	if len(args) < 3*abi.WordSize {
		return to, value, nil, false
	}
	to, err := contracts.DecodeAddress(args[:abi.WordSize])
	if err != nil {
		return to, value, nil, false
	}
	value.SetBytes32(args[abi.WordSize : 2*abi.WordSize])
	data, ok = tail(args, saturate((*common.Hash)(args[2*abi.WordSize:])))
	return to, value, data, ok
}

// tail returns the bytes value whose length stands at offset, or false if it does not lie within args.
func tail(args []byte, offset uint64) ([]byte, bool) {
	if offset > uint64(len(args)) || uint64(len(args))-offset < abi.WordSize {
		return nil, false
	}
	content := args[offset+abi.WordSize:]
	length := saturate((*common.Hash)(args[offset:]))
	if length > uint64(len(content)) {
		return nil, false
	}
	return content[:length], true
}
