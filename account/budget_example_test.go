package account_test

import (
	"errors"
	"fmt"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop/outbox"
)

// A session key may send twice a day, whichever process it is used in.
func ExampleBudgets() {
	w := exampleWorld()
	sess := w.grantMinting()
	config := w.config
	config.Outbox = w.store // filestore.Open or pgstore.Open in earnest
	config.Budgets = &account.Budgets{
		Key:     account.Budget{Operations: 2},
		Account: account.Budget{Gas: uint256.NewInt(1e17)}, // in wei, whoever pays
	}
	client, err := account.NewClient(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	user := client.Account(w.owner.Address())
	for range 3 {
		tx, err := user.Send(w.ctx, []account.Call{w.mintCall()}, account.WithLeafOf(sess), account.Sponsored())
		if over, ok := errors.AsType[*outbox.OverBudgetError](err); ok {
			fmt.Println("over budget, as", over.Charge.Unit, "are", over.Charge.Limit.Dec(), "a day; frees up at midnight:", over.FreesUp().Equal(over.Usage.Day.AddDate(0, 0, 1)))
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := tx.Wait(w.ctx); err != nil {
			fmt.Println(err)
			return
		}
		left, err := user.Allowances(w.ctx, sess.Leaves()[0].Key)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(left[0].Unit, "left:", left[0].Left.Dec())
	}
	// Output:
	// operations left: 1
	// operations left: 0
	// over budget, as operations are 2 a day; frees up at midnight: true
}

// Somebody throws the kill switch: nothing is signed any more, in any process, until it is lifted.
func Example_stop() {
	w := exampleWorld()
	sess := w.grantMinting()
	user := w.client.Account(w.owner.Address())
	send := func() error {
		_, err := user.Send(w.ctx, []account.Call{w.mintCall()}, account.WithLeafOf(sess), account.Sponsored())
		return err
	}
	// A Ref stops one account, a Key one session key; neither is everything.
	stop := session.Stop{Name: "incident 7", Ref: user.Ref(), Who: "alice", Why: "a key leaked"}
	if _, err := w.store.Stop(w.ctx, stop); err != nil {
		fmt.Println(err)
		return
	}
	err := send()
	fmt.Println("stopped:", errors.Is(err, session.ErrStopped))
	if stopped, ok := errors.AsType[*session.StoppedError](err); ok {
		fmt.Println("by", stopped.Stop.Who, "because", stopped.Stop.Why)
	}
	if err := w.store.Lift(w.ctx, "incident 7"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("after it:", send())
	// Output:
	// stopped: true
	// by alice because a key leaked
	// after it: <nil>
}
