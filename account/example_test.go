package account_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
)

// The main job: a backend acts for a user whose account it knows by address, with a stored session. The
// programs under examples/ do it from end to end.
func Example() {
	ctx := context.Background()
	node, err := ethclient.Dial("https://node.example/v2/key")
	if err != nil {
		log.Fatal(err)
	}
	client, err := account.NewClient(account.Config{
		ChainID:   80002,
		Chain:     node,
		Bundler:   bundler.New("https://bundler.example/api/v2/80002/key"),
		Paymaster: paymaster.New("https://paymaster.example/api/v1/80002/key"),
	})
	if err != nil {
		log.Fatal(err)
	}
	user := client.Account(common.HexToAddress("0x1111111111111111111111111111111111111111"))
	nft := common.HexToAddress("0x2222222222222222222222222222222222222222")

	send := func(store session.Store) error {
		sess, err := session.Open(ctx, store, user.Ref())
		if err != nil {
			return err
		}
		mint, err := abi.Pack("function safeMint(address to)", user.Address())
		if err != nil {
			return err
		}
		tx, err := user.Send(ctx, []account.Call{{To: nft, Data: mint}},
			account.WithSession(sess.Leaf(0)),
			account.Sponsored())
		if err != nil {
			return err
		}
		receipt, err := tx.Wait(ctx)
		if err != nil {
			return err
		}
		fmt.Println("minted in transaction", receipt.TransactionHash)
		return nil
	}
	// The user granted nothing yet:
	fmt.Println(send(memstore.New()))
	// Output: open sessions: no session stored for account 0x1111111111111111111111111111111111111111 on chain 80002; grant or import one first
}
