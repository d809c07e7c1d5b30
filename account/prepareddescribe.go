package account

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
)

// Describe says to a person what it does once it is signed, a sentence each: the sessions in words, the
// modules that it enables, what it calls besides, whether it deploys the account, who pays and how much at
// most, and until when the chain takes it, or plainly that nothing on chain ends it. It reads what is signed,
// and takes names alone from elsewhere: those of functions that sessions and calls name by their selectors.
// Each operation begins with its chain and its account.
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
	for _, change := range []struct {
		leaves []session.Leaf
		does   string
	}{
		{l.Root.Remove, "Session %q ends on chain: its key %s %s."},
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
	if call.To == l.Account {
		if text := l.describeModuleChange(call.Data); text != "" {
			return text
		}
	}
	if call.To == l.Contracts.Manager {
		if root, ok := contracts.DecodeSetMerkleRoot(call.Data); ok && l.Root != nil {
			return ""
		} else if ok {
			return fmt.Sprintf("The session root is set to %s, whatever sessions there are: those under another one end.", root)
		}
	}
	value := ""
	if !call.Value.IsZero() {
		value = ", and sends " + weiText(&call.Value) + " along"
	}
	if owner, ok := contracts.DecodeTransferOwnership(call.Data); ok && (call.To == l.Contracts.ECDSA || call.To == l.Contracts.Multichain) {
		return fmt.Sprintf("The account is given away: at module %s it belongs to %s from then on%s.", call.To, owner, value)
	}
	if to, amount, ok := contracts.DecodeWithdrawTo(call.Data); ok && call.To == l.Contracts.EntryPoint {
		return fmt.Sprintf("It withdraws %s of the account's deposit at the EntryPoint to %s%s.", weiText(&amount), to, value)
	}
	if to, amount, ok := contracts.DecodeTransfer(call.Data); ok {
		return fmt.Sprintf("It transfers %s base units of token %s to %s%s.", amount.Dec(), call.To, to, value)
	}
	if spender, amount, ok := contracts.DecodeApprove(call.Data); ok {
		much := amount.Dec()
		if amount.Eq(new(uint256.Int).SetAllOne()) {
			much = "any number of"
		}
		return fmt.Sprintf("It lets %s take %s base units of token %s%s.", spender, much, call.To, value)
	}
	if len(call.Data) == 0 {
		return fmt.Sprintf("It sends %s to %s.", weiText(&call.Value), call.To)
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

// describeModuleChange says which module is enabled or disabled, empty for another call.
func (l *preparedLeg) describeModuleChange(data []byte) string {
	change, ok := contracts.DecodeModuleChange(data)
	if !ok {
		return ""
	}
	name, known := "module "+change.Module.Hex(), contracts.Deployed()
	risk := " From then on its contract decides what is done for the account."
	switch change.Module {
	case l.Contracts.Manager:
		name, risk = "session key manager "+change.Module.Hex(), " From then on session keys can act for it, each within its session."
	case l.Contracts.Router, known.BatchedSessionRouter:
		name, risk = "batched session router "+change.Module.Hex(), " While it is enabled, anybody can burn the account's balance, and its deposit at the EntryPoint, as gas."
	case l.Contracts.ECDSA, l.Contracts.Multichain:
		name, risk = "ownership module "+change.Module.Hex(), " From then on who is the owner there owns it."
	}
	if !change.Enables {
		return fmt.Sprintf("The account does not listen to %s any more.", name)
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
	at := func(seconds uint64) string { return time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339) }
	text := ""
	if l.Window != nil && l.Window.After != 0 {
		text = fmt.Sprintf("The chain takes it from %s on. ", at(l.Window.After))
	}
	switch end := l.end(); {
	case end != 0:
		return text + fmt.Sprintf("The chain takes it until %s.", at(end))
	case l.paymaster() != (common.Address{}):
		return text + fmt.Sprintf("No end of it is known: its paymaster may have one. Otherwise whoever has it, once it is signed, can send it until another operation uses its nonce %s. This application takes the signature until %s.", l.Operation.Nonce, at(until))
	default:
		return text + fmt.Sprintf("Nothing on chain ends it: once it is signed, whoever has it can send it until another operation uses its nonce %s. This application takes the signature until %s.", l.Operation.Nonce, at(until))
	}
}

// weiText is an amount of the chain's own currency, also as people read it.
func weiText(wei *uint256.Int) string {
	const decimals = 18 // of every chain's
	return fmt.Sprintf("%s wei (%s of the chain's currency)", wei.Dec(), formatUnits(wei, decimals))
}
