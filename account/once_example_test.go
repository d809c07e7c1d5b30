package account_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/account"
)

// An order is filled once, however often and in whichever process it is asked for.
func ExampleOnce() {
	w := exampleWorld()
	sess := w.grantMinting()
	w.config.Outbox = w.store // filestore.Open or pgstore.Open in earnest
	fill := func(order string, calls ...account.Call) (common.Hash, error) {
		client, err := account.NewClient(w.config) // each time as in another process
		if err != nil {
			return common.Hash{}, err
		}
		user := client.Account(w.owner.Address())
		tx, err := user.Send(w.ctx, calls, account.WithLeafOf(sess), account.Sponsored(), account.Once(order))
		if err != nil {
			return common.Hash{}, err // to be asked for again, under the same key
		}
		receipt, err := tx.Wait(w.ctx)
		if err != nil {
			return common.Hash{}, err
		}
		return receipt.UserOpHash, nil
	}
	mint := w.mintCall()
	first, err := fill("order 1042", mint)
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := fill("order 1042", mint)
	fmt.Println("the same operation:", again == first, err)
	_, err = fill("order 1042", mint, mint)
	fmt.Println("for something else:", errors.Is(err, account.ErrKeyReused))
	next, err := fill("order 1043", mint)
	fmt.Println("another one:", next != first, err)
	// Output:
	// the same operation: true <nil>
	// for something else: true
	// another one: true <nil>
}

// A process sends and does not live to wait. Run, here or in another process, reports how that ended.
func ExampleClient_Run() {
	w := exampleWorld()
	sess := w.grantMinting()
	ended := make(chan account.Report, 1)
	config := w.config
	config.Outbox = w.store    // filestore.Open or pgstore.Open in earnest
	config.Lease = time.Second // the default is longer
	config.Report = func(_ context.Context, end account.Report) error {
		ended <- end // into a table in earnest; after an error it is told again
		return nil
	}
	client, err := account.NewClient(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	running, stop := context.WithCancel(w.ctx)
	ran := make(chan error, 1)
	go func() { ran <- client.Run(running) }()

	_, err = client.Account(w.owner.Address()).Send(w.ctx, []account.Call{w.mintCall()},
		account.WithLeafOf(sess), account.Sponsored(), account.Once("order 1042"))
	if err != nil {
		fmt.Println(err)
	} else {
		end := <-ended
		fmt.Println(end.Key, "included:", end.Receipt != nil, end.Err)
	}
	stop()
	fmt.Println(<-ran)
	// Output:
	// order 1042 included: true <nil>
	// context canceled
}
