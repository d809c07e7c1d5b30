package userop_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

// The pipeline for an account of any kind; package account makes the drafts for Biconomy's.
func ExampleSender() {
	ctx := context.Background()
	services := newServices() // a *bundler.Client and a *paymaster.Client in a program
	sender, err := userop.NewSender(userop.SenderConfig{
		ChainID:    80002,
		EntryPoint: common.HexToAddress("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789"),
		Bundler:    services,
		Paymaster:  services,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	pending, err := sender.Send(ctx, userop.Draft{
		Sender:    common.HexToAddress("0x1111111111111111111111111111111111111111"),
		CallData:  []byte{0, 0, 0x18, 0x9a}, // what the account is to do
		Nonce:     func(context.Context) (uint256.Int, error) { return *uint256.NewInt(7), nil },
		Signer:    seal{signed: new(int)},
		Sponsored: true,
		Caps:      userop.Caps{MaxFeePerGas: uint256.NewInt(50_000_000_000)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sent", pending.Hash())
	// Output: sent 0xca714676a6b58cf65664bbee54da9d499ca1f49466491a8dfc154339250b1c35
}

// The receipt of an operation in the newest block is not enough: that block may be lost.
func ExampleConfirmations() {
	ctx, chain, bundler := context.Background(), newLedger(), newServices() // *ethclient.Client in package account
	sender, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: bundler, Chain: chain})
	if err != nil {
		fmt.Println(err)
		return
	}
	pending := sender.WatchOperation(operation())
	chain.mine(pending.Hash())
	bundler.receipts = []any{claim(pending.Hash(), 1)}
	chain.mine(common.Hash{}) // a block on top
	receipt, err := pending.Wait(ctx, userop.Confirmations(2))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("in block", receipt.BlockNumber)
	// Output: in block 1
}

// The answers to a request got lost, each time: the operation may be on its way, so no other one is signed
// for the same purpose; the same bytes go out again.
func ExampleMayBeAccepted() {
	ctx, signed := context.Background(), 0
	bundler := newServices()
	lost := errors.New("connection reset by peer")
	bundler.sendErrs = []error{lost, lost, lost}
	sender, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: bundler, Paymaster: bundler})
	if err != nil {
		fmt.Println(err)
		return
	}
	pending, err := sender.Send(ctx, newDraft(&signed))
	var failed *userop.Error
	if errors.As(err, &failed) && userop.MayBeAccepted(err) {
		fmt.Println("may be accepted:", failed.Step, "failed:", failed.Err)
		pending, err = sender.Resend(ctx, failed.Operation)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sent", len(bundler.sent), "times, signed", signed, "time:", pending.Hash() == failed.Hash)
	// Output:
	// may be accepted: send failed: connection reset by peer
	// sent 4 times, signed 1 time: true
}

// Who waits for many operations needs no goroutine for each.
func ExamplePending_Then() {
	ctx, chain, bundler := context.Background(), newLedger(), newServices()
	sender, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: bundler, Chain: chain})
	if err != nil {
		fmt.Println(err)
		return
	}
	pending := sender.WatchOperation(operation())
	chain.mine(pending.Hash())
	bundler.receipts = []any{claim(pending.Hash(), 1)}
	ended := make(chan string)
	pending.Then(ctx, func(receipt *userop.Receipt, err error) {
		ended <- fmt.Sprintf("in block %d, error: %v", receipt.BlockNumber, err)
	}, userop.AtMost(time.Minute))
	fmt.Println(<-ended)
	// Output: in block 1, error: <nil>
}

// The EntryPoint's code in what a service says, and what to do about it.
func ExampleParseAA() {
	aa, ok := userop.ParseAA("UserOperation reverted during simulation with reason: AA21 didn't pay prefund")
	fmt.Println(ok, aa.Code)
	fmt.Println(aa.Help())
	// Output:
	// true AA21
	// the account cannot pay for the gas; fund it, deposit for it at the EntryPoint, or have the operation sponsored
}

// The hash is what is signed, and what the operation is known by. The signature is no part of it.
func ExampleOperation_Hash() {
	op := userop.Operation{Sender: common.HexToAddress("0x1111111111111111111111111111111111111111")}
	before := op.Hash(entryPoint, 80002)
	op.Signature = []byte{1}
	fmt.Println(op.Hash(entryPoint, 80002) == before, op.Hash(entryPoint, 137) == before)
	// Output: true false
}

// What can be tried again as it was, and what cannot.
func ExampleSafeToRetry() {
	for _, err := range []error{
		&userop.Error{Step: userop.StepSponsor, Err: &bundler.TransportError{HTTPStatus: 503}}, // nothing was signed
		&userop.Error{Step: userop.StepCheck, Err: userop.ErrCap},
		&userop.WaitError{Err: context.DeadlineExceeded}, // it may still land
	} {
		fmt.Println(userop.SafeToRetry(err), userop.MayBeAccepted(err))
	}
	// Output:
	// true false
	// false false
	// false true
}
