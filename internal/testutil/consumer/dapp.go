package consumer

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
)

// Mint mints an NFT for a user with the first session that the store has of them, and waits until it is on
// chain.
func Mint(ctx context.Context, client *account.Client, store session.Store, user, nft common.Address) error {
	acting := client.Account(user)
	sess, err := session.Open(ctx, store, acting.Ref())
	if err != nil {
		return err
	}
	data, err := abi.Pack("function safeMint(address to)", user)
	if err != nil {
		return err
	}
	tx, err := acting.Send(ctx, []account.Call{{To: nft, Data: data}}, account.WithSession(sess.Leaf(0)), account.Sponsored())
	if err != nil {
		return err
	}
	_, err = tx.Wait(ctx)
	return err
}
