package account_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// A backend acts for a user: it knows the account's address, and the store where the granted session is.
func ExampleAccount_Send() {
	w := exampleWorld()
	w.grantMinting() // by the user, some time before
	user := w.client.Account(w.owner.Address())
	sess, err := session.Open(w.ctx, w.store, user.Ref())
	if err != nil {
		fmt.Println(err)
		return
	}
	mint := func(to common.Address) error {
		data, err := abi.Pack("function safeMint(address to)", to)
		if err != nil {
			return err
		}
		tx, err := user.Send(w.ctx, []account.Call{{To: w.chain.Contracts.NFT, Data: data}},
			account.WithSession(sess.ByID("minting")), account.Sponsored())
		if err != nil {
			return err
		}
		_, err = tx.Wait(w.ctx) // nil: included, and the call succeeded
		return err
	}
	fmt.Println("for the user:", mint(user.Address()))

	// Anybody else is against the policy, and nothing is signed.
	violation, ok := errors.AsType[*policy.Violation](mint(accounttest.Address("somebody")))
	fmt.Println("for somebody:", ok, violation.Arg, violation.Condition, violation.Reason)
	// Output:
	// for the user: <nil>
	// for somebody: true to = ABISV Arg Rule Violated
}

// The owner acts without any session. The account's first operation deploys it.
func ExampleOwnedAccount_Send() {
	w := exampleWorld()
	before, err := w.owner.Deployed(w.ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	tx, err := w.owner.Send(w.ctx, []account.Call{w.mintCall()}, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := tx.Wait(w.ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	after, err := w.owner.Deployed(w.ctx)
	fmt.Println("deployed:", before, after, err)
	fmt.Println("minted:", receipt.Success)
	// Output:
	// deployed: false true <nil>
	// minted: true
}

// Several calls in one operation go through the batched session router, each judged by a leaf of the same
// key. While it is enabled anybody can burn what the account holds: it is for accounts that hold nothing.
func ExampleForBatches() {
	w := exampleWorld()
	minting, token := w.minting(), w.chain.Contracts.Token
	paying := policy.ABI{
		Key: w.key, Contract: token, Function: "transfer(address to, uint256 amount)",
		Rules:  []policy.Rule{policy.Arg("amount", policy.LessThanOrEqual, 100)},
		Window: policy.Until(time.Now().Add(time.Hour)),
	}
	sess, tx, err := w.owner.Grant(w.ctx, w.store, []policy.Policy{minting, paying}, account.Sponsored(), account.ForBatches())
	if err == nil {
		_, err = sess.Activate(w.ctx, tx)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	w.handTokens(token, w.owner.Address(), 1000)

	pay, err := abi.Pack("function transfer(address to, uint256 amount)", accounttest.Address("shop"), 75)
	if err != nil {
		fmt.Println(err)
		return
	}
	tx, err = w.user.Send(w.ctx, []account.Call{w.mintCall(), {To: token, Data: pay}},
		account.WithSession(sess.Leaf(0), sess.Leaf(1)), account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := tx.Wait(w.ctx); err != nil {
		fmt.Println(err)
		return
	}
	balances, err := w.client.Account(accounttest.Address("shop")).Balances(w.ctx, token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the shop has", balances[1].Amount.Dec())

	state, err := w.user.State(w.ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("warnings:", len(state.Warnings()))
	// Output:
	// the shop has 75
	// warnings: 1
}

// A caller with a table of its own writes down what was signed before it is sent.
func ExampleAccount_SendSigned() {
	w := exampleWorld()
	sess := w.grantMinting()
	op, err := w.user.Build(w.ctx, []account.Call{w.mintCall()}, account.WithLeafOf(sess), account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	hash := op.Hash(w.client.Contracts().EntryPoint, w.client.ChainID()) // here: INSERT INTO sent …
	tx, err := w.user.SendSigned(w.ctx, sess, op)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the same:", tx.Hash() == hash)
	_, err = tx.Wait(w.ctx)
	fmt.Println(err)
	// Output:
	// the same: true
	// <nil>
}

// The same with a hook, which is given the signed operation and its hash.
func ExampleBeforeSend() {
	w := exampleWorld()
	sess := w.grantMinting()
	var written common.Hash
	tx, err := w.user.Send(w.ctx, []account.Call{w.mintCall()}, account.WithLeafOf(sess), account.Sponsored(),
		account.BeforeSend(func(_ context.Context, _ *userop.Operation, hash common.Hash) error {
			written = hash // an error here, and nothing is sent
			return nil
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tx.Hash() == written)
	// Output: true
}

// The red button of a page: the session is stopped at once, and the wallet is asked for its end on chain.
func ExampleOwnedAccount_PrepareRevoke() {
	w := exampleWorld()
	sess := w.grantMinting()
	owner := w.client.OwnedAccount(account.OwnerAddress(w.owner.Owner().Address())) // who signs in a browser
	prepared, err := owner.PrepareRevoke(w.ctx, sess, "minting", account.Sponsored(), account.StopNow())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = w.user.Send(w.ctx, []account.Call{w.mintCall()}, account.WithSession(sess.ByID("minting")), account.Sponsored())
	fmt.Println("stopped:", errors.Is(err, session.ErrRevoked))

	signature, err := w.owner.Owner().SignMessage(w.ctx, common.FromHex(prepared.Request().Params[0])) // the wallet
	if err != nil {
		fmt.Println(err)
		return
	}
	revoked, err := w.client.Submit(w.ctx, w.store, prepared, signature, account.Kept(prepared.Hash(), owner.Address()))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = revoked.Wait(w.ctx)
	fmt.Println("on chain:", err)
	// Output:
	// stopped: true
	// on chain: <nil>
}

// A session is renewed before its end by granting another one. What acts with a leaf of the sessions follows:
// it takes the one that lasts longest.
func ExampleWithLeafOf() {
	w := exampleWorld()
	w.grantMinting() // for an hour
	longer := w.minting()
	longer.Window = policy.Until(time.Now().Add(24 * time.Hour))
	sess, tx, err := w.owner.Grant(w.ctx, w.store, []policy.Policy{session.Named("renewed", longer)}, account.Sponsored())
	if err == nil {
		_, err = sess.Activate(w.ctx, tx)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	chosen, err := sess.Find(w.client.Contracts().Session, w.mintCall()) // what the option asks for
	if err != nil {
		fmt.Println(err)
		return
	}
	leaf, err := chosen[0].Leaf()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("acts with:", leaf.ID)
	tx, err = w.user.Send(w.ctx, []account.Call{w.mintCall()}, account.WithLeafOf(sess), account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tx.Wait(w.ctx)
	fmt.Println(err)

	_, err = w.user.Send(w.ctx, []account.Call{{To: accounttest.Address("elsewhere")}}, account.WithLeafOf(sess), account.Sponsored())
	fmt.Println("for another call:", errors.Is(err, session.ErrNoLeaf))
	// Output:
	// acts with: renewed
	// <nil>
	// for another call: true
}

// What an operation may cost at most, whatever services ask for.
func ExampleWithCaps() {
	w := exampleWorld()
	sess := w.grantMinting()
	_, err := w.user.Send(w.ctx, []account.Call{w.mintCall()}, account.WithLeafOf(sess), account.Sponsored(),
		account.WithCaps(userop.Caps{MaxFeePerGas: uint256.NewInt(1)})) // in wei per gas
	fmt.Println("over the cap:", errors.Is(err, userop.ErrCap))
	fmt.Println("sent:", userop.MayBeAccepted(err))
	// Output:
	// over the cap: true
	// sent: false
}

// Everything that was granted ends with one operation, which sets the root to zero.
func ExampleOwnedAccount_RevokeAll() {
	w := exampleWorld()
	sess := w.grantMinting()
	tx, err := w.owner.RevokeAll(w.ctx, sess, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := sess.Activate(w.ctx, tx); err != nil {
		fmt.Println(err)
		return
	}
	state, err := w.owner.State(w.ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sess.Leaves()[0].Status, "and no root on chain:", state.SessionRoot == common.Hash{})
	// Output: revoked and no root on chain: true
}

// Two backends grant sessions for one account, and the second one replaces the root of the first. The first
// adopts what the second one granted, and has the owner put its own sessions back.
func ExampleOwnedAccount_Restore() {
	w := exampleWorld()
	w.grantMinting()

	other := memstore.New() // of the second backend
	key, err := other.NewKey(w.ctx, w.owner.Ref())
	if err != nil {
		fmt.Println(err)
		return
	}
	minting := w.minting()
	minting.Key = key
	theirs, tx, err := w.owner.Grant(w.ctx, other, []policy.Policy{session.Named("theirs", minting)}, account.Sponsored(), account.ReplaceRoot())
	if err == nil {
		_, err = theirs.Activate(w.ctx, tx)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	sess, err := session.Open(w.ctx, w.store, w.user.Ref())
	if err != nil {
		fmt.Println(err)
		return
	}
	mint := func() error {
		tx, err := w.user.Send(w.ctx, []account.Call{w.mintCall()}, account.WithSession(sess.ByID("minting")), account.Sponsored())
		if err != nil {
			return err
		}
		_, err = tx.Wait(w.ctx)
		return err
	}
	fmt.Println("another root on chain:", errors.Is(mint(), session.ErrRootMismatch))

	document, err := theirs.Export() // handed over as JSON
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := sess.On(w.client).Adopt(w.ctx, document); err != nil {
		fmt.Println(err)
		return
	}
	if err := sess.Refresh(w.ctx); err != nil {
		fmt.Println(err)
		return
	}
	tx, err = w.owner.Restore(w.ctx, sess, []string{"minting"}, account.Sponsored())
	if err == nil {
		_, err = sess.On(w.client).Activate(w.ctx, tx)
	}
	fmt.Println("restored:", err)
	fmt.Println("minted:", mint())
	// Output:
	// another root on chain: true
	// restored: <nil>
	// minted: <nil>
}

// One signature of a wallet for a grant on each of two chains: the first request prepares it, another one
// brings the signature.
func ExamplePrepareGrantTogether() {
	polygon, arbitrum := exampleWorldOf(137), exampleWorldOf(42161)
	wallet, store := account.KeyOwner(exampleKey), memstore.New()
	var legs []account.GrantLeg
	for _, w := range []*stage{polygon, arbitrum} {
		owner := w.client.OwnedAccount(account.OwnerAddress(wallet.Address()), account.Multichain())
		key, err := store.NewKey(w.ctx, owner.Ref())
		if err != nil {
			fmt.Println(err)
			return
		}
		legs = append(legs, account.GrantLeg{
			Account: owner,
			Policies: []policy.Policy{policy.ABI{
				Key: key, Contract: w.chain.Contracts.NFT, Function: "safeMint(address to)", Window: policy.Forever(),
			}},
			Options: []account.Option{account.Sponsored()},
		})
	}
	prepared, err := account.PrepareGrantTogether(polygon.ctx, store, legs...)
	if err != nil {
		fmt.Println(err)
		return
	}
	signature, err := wallet.SignMessage(polygon.ctx, common.FromHex(prepared.Request().Params[0])) // in the browser
	if err != nil {
		fmt.Println(err)
		return
	}
	granted, err := account.SubmitTogether(polygon.ctx, store, prepared, signature,
		[]*account.Client{polygon.client, arbitrum.client}, account.Kept(prepared.Hash(), legs[0].Account.Address()))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, leg := range granted {
		if _, err := leg.Wait(polygon.ctx); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(leg.Sessions().Ref(), leg.Sessions().Leaves()[0].Status)
	}
	// Output:
	// account 0x2559531FE9b369097E449cDB52863b556935288F on chain 137 active
	// account 0x2559531FE9b369097E449cDB52863b556935288F on chain 42161 active
}
