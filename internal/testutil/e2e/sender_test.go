//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/userop"
)

// senderEnv has what a process that sends is told.
const senderEnv = "SESAME_E2E_SENDER"

// sending is one send of a process that does not live to see its end.
type sending struct {
	Node, Paymaster string
	Bundlers        []string
	Store           string // directory
	DataKey         []byte
	Account         common.Address
	Calls           []account.Call
	Key             string // of [account.Once]
}

// sendUntilKilled sends, says the operation's hash, and waits until it is killed or its standard input ends.
func sendUntilKilled(told string) {
	hash, err := sendOnce(told)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(hash)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

func sendOnce(told string) (common.Hash, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var s sending
	if err := json.Unmarshal([]byte(told), &s); err != nil {
		return common.Hash{}, err
	}
	store, err := openFiles(s.Store, s.DataKey)
	if err != nil {
		return common.Hash{}, err
	}
	node, err := ethclient.DialContext(ctx, s.Node)
	if err != nil {
		return common.Hash{}, err
	}
	pool, _, err := newPool(s.Bundlers)
	if err != nil {
		return common.Hash{}, err
	}
	client, err := account.NewClient(account.Config{
		ChainID: chainID, Chain: node, Bundler: pool, Paymaster: paymaster.NewERC7677(s.Paymaster, nil), Outbox: store,
		Lease: 3 * time.Second, // what others wait before they take over
	})
	if err != nil {
		return common.Hash{}, err
	}
	user := client.Account(s.Account)
	sess, err := session.Open(ctx, store, user.Ref())
	if err != nil {
		return common.Hash{}, err
	}
	tx, err := user.Send(ctx, s.Calls, account.WithSession(sess.Leaf(0)), account.Sponsored(), account.Once(s.Key),
		account.WithMargins(userop.Margins{MaxFeePerGas: 100}))
	if err != nil {
		return common.Hash{}, err
	}
	return tx.Hash(), nil
}

func openFiles(dir string, dataKey []byte) (*filestore.Store, error) {
	sealer, err := seal.NewKeyAEAD(dataKey)
	if err != nil {
		return nil, err
	}
	return filestore.Open(dir, filestore.Config{Sealer: sealer})
}

// newPool returns the bundlers as one, the first one preferred, and what closes their connections.
func newPool(urls []string) (*bundler.Pool, func(), error) {
	members := make([]bundler.Member, len(urls))
	clients := make([]*bundler.Client, len(urls))
	for i, url := range urls {
		clients[i] = bundler.New(url)
		members[i] = bundler.Member{Name: []string{"first", "second"}[i], Bundler: clients[i]}
	}
	pool, err := bundler.NewPool(bundler.PoolConfig{
		ChainID: chainID, Members: members, Times: bundler.Times{LongestPause: 2 * time.Second},
	})
	return pool, func() {
		for _, client := range clients {
			client.Close()
		}
	}, err
}
