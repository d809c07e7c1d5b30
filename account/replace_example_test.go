package account_test

import (
	"errors"
	"fmt"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/userop"
)

// A mint lies in the mempool, and its fees are too low by now.
func ExampleAccount_Replace() {
	w := exampleWorld()
	sess := w.grantMinting()
	w.bundler.Pause() // for the example: nothing lands
	mint := []account.Call{w.mintCall()}
	stuck, err := w.user.Send(w.ctx, mint, account.WithLeafOf(sess), account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}

	tx, err := w.user.Replace(w.ctx, stuck, account.WithLeafOf(sess)) // sponsored as before
	if err != nil {
		fmt.Println(err)
		return
	}
	before, now := stuck.Operation(), tx.Operation()
	fmt.Println("the same nonce:", before.Nonce == now.Nonce, "for more:", now.MaxFeePerGas.Gt(&before.MaxFeePerGas))

	w.bundler.Resume()
	receipt, err := stuck.Wait(w.ctx) // or of tx: it is one mint
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("landed:", receipt.UserOpHash == tx.Hash())
	// Output:
	// the same nonce: true for more: true
	// landed: true
}

// The owner takes back what a session sent, before it lands.
func ExampleOwnedAccount_Cancel() {
	w := exampleWorld()
	sess := w.grantMinting()
	w.bundler.Pause() // for the example: nothing lands
	stuck, err := w.user.Send(w.ctx, []account.Call{w.mintCall()}, account.WithLeafOf(sess), account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}

	cancellation, err := w.owner.Cancel(w.ctx, stuck)
	if err != nil {
		fmt.Println(err) // account.ErrLanded where it was too late
		return
	}
	w.bundler.Resume()
	_, err = cancellation.Wait(w.ctx)
	fmt.Println("cancelled:", err == nil)
	_, err = stuck.Wait(w.ctx)
	ended, _ := errors.AsType[*userop.EndedError](err)
	fmt.Println("replaced by that:", errors.Is(err, userop.ErrReplaced) && ended.By == cancellation.Hash())
	// Output:
	// cancelled: true
	// replaced by that: true
}
