package account_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// The owner's key is in a browser. One request prepares the grant, the wallet signs it, and another request,
// after a restart or at another replica, brings the signature.
func ExampleClient_Submit() {
	w := exampleWorld()
	store := memstore.New() // filestore.Open or pgstore.Open in earnest
	wallet := w.owner.Owner().Address()

	// The first request, of the user who is signed in as wallet.
	owner := w.client.OwnedAccount(account.OwnerAddress(wallet))
	key, err := store.NewKey(w.ctx, owner.Ref())
	if err != nil {
		fmt.Println(err)
		return
	}
	prepared, err := owner.PrepareGrant(w.ctx, store, []policy.Policy{session.Named("minting", policy.ABI{
		Key:      key,
		Contract: w.chain.Contracts.NFT,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, owner.Address())},
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	})}, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	kept := prepared.Hash() // with the login, or in a table
	text, err := json.Marshal(prepared)
	if err != nil {
		fmt.Println(err)
		return
	}
	request := prepared.Request()
	fmt.Println(request.Method, "by the owner:", request.Signer == wallet)
	fmt.Println(len(prepared.Describe()), "sentences to read, such as:", prepared.Describe()[1])

	// In the browser: signature = await ethereum.request(request)
	signature, err := crypto.Sign(accounts.TextHash(hexutil.MustDecode(request.Params[0])), w.ownerKey)
	if err != nil {
		fmt.Println(err)
		return
	}

	// The second request, of the same user: text and signature came from the browser.
	prepared, err = account.ParsePrepared(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	granted, err := w.client.Submit(w.ctx, store, prepared, signature, account.Kept(kept, owner.Address()))
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := granted.Wait(w.ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	leaf := granted.Sessions().Leaves()[0]
	fmt.Println(leaf.ID, "is", leaf.Status, "and the operation succeeded:", receipt.Success)
	// Output:
	// personal_sign by the owner: true
	// 6 sentences to read, such as: The account is deployed with it.
	// minting is active and the operation succeeded: true
}
