package account

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
)

// Describe says to a person what it does once it is signed, a sentence each: the sessions in words, the
// modules that it enables, what it calls besides, whether it deploys the account, who pays and how much at
// most, and until when the chain takes it, or plainly that nothing on chain ends it. Each operation begins
// with its chain and its account.
//
// It reads what is signed, and takes from elsewhere the IDs of sessions, the names of functions that
// sessions and calls name by their selectors, and how much a fee in tokens is at most. Of sessions that
// stay, what is signed has nothing but a hash: those Submit compares with the store, and until then one
// that was parsed tells what its sender wrote.
func (p *Prepared) Describe(functions ...*abi.Function) []string {
	var all []string
	for i := range p.legs {
		leg := &p.legs[i]
		all = append(all, fmt.Sprintf("On chain %d, account %s:", leg.ChainID, leg.Account))
		all = append(all, leg.describe(functions)...)
		all = append(all, leg.describeCost(), leg.describeEnd(p.until))
	}
	return all
}

// describe says what the operation does.
func (l *preparedLeg) describe(functions []*abi.Function) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if l.deploys() {
		say("The account is deployed with it.")
	}
	calls, err := l.calls()
	if err != nil {
		say("Its calls cannot be read: %v.", err)
		return all
	}
	for i := range calls {
		if text := l.describeCall(&calls[i], functions); text != "" {
			all = append(all, text)
		}
	}
	if l.Root == nil {
		return all
	}
	tree := make(map[common.Hash]bool, len(l.Root.Tree))
	for _, hash := range l.Root.Tree {
		tree[hash] = true
	}
	for i := range l.Root.Remove {
		leaf := &l.Root.Remove[i]
		does := "Session %q ends on chain: its key %s %s."
		if tree[leaf.Hash()] { // of another session, which is the same
			does = "Session %q ends, and another one that allows the same stays or is granted: its key %s still %s."
		}
		say(does, leaf.ID, leaf.Key, leaf.Compiled.Describe(l.Contracts.session(), functions...))
	}
	for _, change := range []struct {
		leaves []session.Leaf
		does   string
	}{
		{l.Root.Restore, "Session %q is restored: its key %s %s."},
		{l.Root.Grant, "Session %q is granted: its key %s %s."},
	} {
		for i := range change.leaves {
			leaf := &change.leaves[i]
			say(change.does, leaf.ID, leaf.Key, leaf.Compiled.Describe(l.Contracts.session(), functions...))
		}
	}
	if stay := len(l.Root.Tree) - len(l.Root.Grant) - len(l.Root.Restore); stay > 0 {
		say("Sessions that stay as they are: %d.", stay)
	} else if l.Root.Root == (common.Hash{}) {
		say("No session is left.")
	}
	if l.ChainRoot != l.Root.Before {
		say("The session root %s on chain is none that this application knows, and is replaced: all sessions under it end, those of other applications too.", l.ChainRoot)
	}
	return all
}

// describeCall says what one call does, empty for what is told elsewhere.
func (l *preparedLeg) describeCall(call *Call, functions []*abi.Function) string {
	value := ""
	if !call.Value.IsZero() {
		value = ", and sends " + weiText(&call.Value) + " along"
	}
	if text, known := l.describeOwnCall(call); known {
		if text != "" && value != "" {
			text += " It" + strings.TrimPrefix(value, ", and") + "."
		}
		return text
	}
	if len(call.Data) == 0 {
		return fmt.Sprintf("It sends %s to %s.", weiText(&call.Value), call.To)
	}
	if to, amount, ok := contracts.DecodeTransfer(arguments(call, 2)); ok {
		return fmt.Sprintf("It transfers %s base units of token %s to %s%s.", amount.Dec(), call.To, to, value)
	}
	if spender, amount, ok := contracts.DecodeApprove(arguments(call, 2)); ok {
		much := amount.Dec()
		if amount.Eq(new(uint256.Int).SetAllOne()) {
			much = "any number of"
		}
		return fmt.Sprintf("It lets %s take %s base units of token %s%s.", spender, much, call.To, value)
	}
	for _, f := range functions {
		if f == nil {
			continue
		}
		if selector := f.Selector(); bytes.HasPrefix(call.Data, selector[:]) {
			return fmt.Sprintf("It calls %s of %s%s.", f.Signature(), call.To, value)
		}
	}
	return fmt.Sprintf("It calls %s with %s%s.", call.To, abiword.Describe(call.Data), value)
}

// arguments is the calldata up to so many words: contracts read no more, and one that has more does the same.
func arguments(call *Call, words int) []byte {
	return call.Data[:min(len(call.Data), abi.SelectorSize+words*abiword.Size)]
}

// describeOwnCall says what a call does that decides who acts for the account, or what of the account's the
// EntryPoint holds; known is false for any other.
func (l *preparedLeg) describeOwnCall(call *Call) (text string, known bool) {
	switch call.To {
	case l.Account:
		return l.describeSelfCall(call)
	case l.Contracts.Manager:
		root, ok := contracts.DecodeSetMerkleRoot(arguments(call, 1))
		if !ok || l.Root != nil { // which tells it by its sessions
			return "", ok
		}
		return fmt.Sprintf("The session root is set to %s, whatever sessions there are: those under another one end.", root), true
	case l.Contracts.ECDSA, l.Contracts.Multichain:
		if owner, ok := contracts.DecodeTransferOwnership(arguments(call, 1)); ok {
			return fmt.Sprintf("The account is given away: at module %s it belongs to %s from then on.", call.To, owner), true
		}
		if owner, ok := contracts.DecodeInitForSmartAccount(arguments(call, 1)); ok {
			return fmt.Sprintf("At module %s the account belongs to %s, once it listens to that module.", call.To, owner), true
		}
		if contracts.IsRenounceOwnership(call.Data) {
			return fmt.Sprintf("The account is given up: at module %s nobody owns it from then on.", call.To), true
		}
	case l.Contracts.EntryPoint:
		to, amount, ok := contracts.DecodeWithdrawTo(arguments(call, 2))
		return fmt.Sprintf("It withdraws %s of the account's deposit at the EntryPoint to %s.", weiText(&amount), to), ok
	}
	return "", false
}

// describeSelfCall says what a call of the account to itself does to its modules or its code.
func (l *preparedLeg) describeSelfCall(call *Call) (text string, known bool) {
	if contract, fallback, ok := contracts.DecodeCodeChange(arguments(call, 1)); ok && fallback {
		return fmt.Sprintf("From then on contract %s answers the calls that the account's code does not know.", contract), true
	} else if ok {
		return fmt.Sprintf("The account's code is replaced by that of %s, which decides from then on who owns it and what is done for it.", contract), true
	}
	for _, data := range [][]byte{call.Data, arguments(call, 1), arguments(call, 2)} {
		if change, ok := contracts.DecodeModuleChange(data); ok {
			return l.describeModuleChange(&change), true
		}
	}
	return "", false
}

// describeModuleChange says which module is enabled or disabled.
func (l *preparedLeg) describeModuleChange(change *contracts.ModuleChange) string {
	name, known := "module "+change.Module.Hex(), contracts.Deployed()
	risk := " From then on its contract decides what is done for the account."
	switch change.Module {
	case l.Contracts.Manager:
		name, risk = "session key manager "+change.Module.Hex(), " From then on session keys can act for it, each within its session."
	case l.Contracts.Router, known.BatchedSessionRouter, known.OlderRouter:
		name, risk = "batched session router "+change.Module.Hex(), " While it is enabled, anybody can burn the account's balance, and its deposit at the EntryPoint, as gas."
	case l.Contracts.ECDSA, l.Contracts.Multichain:
		name, risk = "ownership module "+change.Module.Hex(), " From then on who is the owner there owns it."
		if change.SetsUp {
			risk = " From then on whoever that registers there owns it."
		}
		if owner, ok := contracts.DecodeInitForSmartAccount(change.Setup); ok {
			risk = fmt.Sprintf(" From then on %s, who is registered there, owns it.", owner)
		}
		change.SetsUp = false // whose setup names itself
	}
	switch {
	case !change.Enables:
		return fmt.Sprintf("The account does not listen to %s any more.", name)
	case change.SetsUp:
		return fmt.Sprintf("The account calls contract %s, and listens to the module that it names, whichever that is. From then on that module decides what is done for the account.", change.Module)
	}
	return fmt.Sprintf("The account listens to %s.%s", name, risk)
}

// describeCost says who pays, and how much at most.
func (l *preparedLeg) describeCost() string {
	switch cost := weiText(l.cost()); {
	case l.Fee != nil:
		return fmt.Sprintf("The account pays in token %s, at most %s base units, to paymaster %s.", l.Fee.Token, (*uint256.Int)(l.Fee.Max).Dec(), l.paymaster())
	case l.paymaster() != (common.Address{}):
		return fmt.Sprintf("Paymaster %s pays the gas, at most %s; the account pays nothing.", l.paymaster(), cost)
	default:
		return fmt.Sprintf("The account pays the gas itself, at most %s.", cost)
	}
}

// describeEnd says until when the chain takes the operation.
func (l *preparedLeg) describeEnd(until uint64) string {
	text := ""
	if l.Window != nil && l.Window.After != 0 {
		text = fmt.Sprintf("The chain takes it from %s on. ", timeText(l.Window.After))
	}
	switch end := l.end(); {
	case end != 0:
		return text + fmt.Sprintf("The chain takes it until %s.", timeText(end))
	case l.paymaster() != (common.Address{}):
		return text + fmt.Sprintf("No end of it is known: its paymaster may have one. Otherwise whoever has it, once it is signed, can send it until another operation uses its nonce %s. This application takes the signature until %s.", l.Operation.Nonce, timeText(until))
	default:
		return text + fmt.Sprintf("Nothing on chain ends it: once it is signed, whoever has it can send it until another operation uses its nonce %s. This application takes the signature until %s.", l.Operation.Nonce, timeText(until))
	}
}

// weiText is an amount of the chain's own currency, also as people read it.
func weiText(wei *uint256.Int) string {
	const decimals = 18 // of every chain's
	return fmt.Sprintf("%s wei (%s of the chain's currency)", wei.Dec(), formatUnits(wei, decimals))
}
