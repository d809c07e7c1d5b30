package accounttest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// Grant, send, a call that is refused, revoke: what a unit test of an application does, in milliseconds.
func ExampleNewModel() {
	ctx := context.Background()
	model := accounttest.NewModel(accounttest.ModelConfig{})
	owner, err := model.NewOwner(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	store, nft := memstore.New(), model.Contracts.NFT
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		fmt.Println(err)
		return
	}
	sess, tx, err := owner.Grant(ctx, store, []policy.Policy{session.Named("mint", policy.ABI{
		Key: key, Contract: nft, Function: "safeMint(address to)",
		Rules:  []policy.Rule{policy.Arg("to", policy.Equal, owner.Address())},
		Window: policy.Until(time.Now().Add(time.Hour)),
	})}, account.Sponsored())
	if err == nil {
		_, err = sess.Activate(ctx, tx)
	}
	fmt.Println("granted:", err)

	// The application, which knows the account's address and the store.
	user := model.Client().Account(owner.Address())
	mint := func(data []byte, _ error) error {
		tx, err := user.Send(ctx, []account.Call{{To: nft, Data: data}}, account.WithSession(sess.ByID("mint")), account.Sponsored())
		if err != nil {
			return err
		}
		_, err = tx.Wait(ctx)
		return err
	}
	fmt.Println("mint for the user:", mint(abi.Pack("function safeMint(address to)", owner.Address())))
	fmt.Println("mint for a thief:", mint(abi.Pack("function safeMint(address to)", accounttest.Address("thief"))) != nil)

	tx, err = owner.Revoke(ctx, sess, "mint", account.Sponsored())
	if err == nil {
		_, err = sess.Activate(ctx, tx)
	}
	fmt.Println("revoked:", err)
	fmt.Println("mint again:", errors.Is(mint(abi.Pack("function safeMint(address to)", owner.Address())), session.ErrRevoked))
	// Output:
	// granted: <nil>
	// mint for the user: <nil>
	// mint for a thief: true
	// revoked: <nil>
	// mint again: true
}
