package account_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/userop"
)

// doors are what stands before two bundlers, two paymasters and two nodes of one chain, and can fail.
type doors struct {
	bundlers   [2]*bundlertest.Server
	behind     [2]string // their URLs
	paymasters [2]*paymastertest.Server
	paymaster  string
	nodes      [2]*dyingNode
}

// dyingNode is a node that can be out of reach.
type dyingNode struct {
	*ethclient.Client
	dead  atomic.Bool
	asked atomic.Int64
}

func (n *dyingNode) BlockNumber(ctx context.Context) (uint64, error) {
	if n.asked.Add(1); n.dead.Load() {
		return 0, errors.New("503 Service Unavailable")
	}
	return n.Client.BlockNumber(ctx)
}

// pooled is a client of the world whose services are pools.
func (w *world) pooled(t *testing.T) (*account.OwnedAccount, *userop.Sender, *doors) {
	t.Helper()
	second, err := accounttest.StartBundler(accounttest.BundlerConfig{Chain: w.chain})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, second.Close()) })
	d := &doors{behind: [2]string{w.bundler.URL(), second.URL()}, paymaster: w.paymaster.URL()}
	times := bundler.Times{FirstPause: 20 * time.Millisecond, LongestPause: 200 * time.Millisecond}
	bundlers := bundler.PoolConfig{ChainID: w.chain.ChainID(), Times: times}
	paymasters := paymaster.PoolConfig{Times: times}
	nodes := ethnode.PoolConfig{ChainID: w.chain.ChainID(), Times: times}
	for i := range d.bundlers {
		name := string(rune('a' + i))
		d.bundlers[i] = bundlertest.NewServer(t, bundlertest.Config{Forward: d.behind[i]})
		d.paymasters[i] = paymastertest.NewServer(t, paymastertest.Config{Forward: d.paymaster})
		d.nodes[i] = &dyingNode{Client: w.chain.Client()}
		b, p := bundler.New(d.bundlers[i].URL()), paymaster.New(d.paymasters[i].URL())
		t.Cleanup(b.Close)
		t.Cleanup(p.Close)
		bundlers.Members = append(bundlers.Members, bundler.Member{Name: name, Bundler: b})
		paymasters.Members = append(paymasters.Members, paymaster.Member{Name: name, Paymaster: p})
		nodes.Members = append(nodes.Members, ethnode.Member{Name: name, Node: d.nodes[i]})
	}
	cfg := w.config
	cfg.Bundler, err = bundler.NewPool(bundlers)
	require.NoError(t, err)
	cfg.Paymaster, err = paymaster.NewPool(paymasters)
	require.NoError(t, err)
	cfg.Chain, err = ethnode.NewPool(nodes)
	require.NoError(t, err)
	cfg.Paymasters = []common.Address{contracts.Deployed().VerifyingPaymaster}
	client, err := account.NewClient(cfg)
	require.NoError(t, err)
	return client.OwnedAccount(account.KeyOwner(w.ownerKey)), client.Sender(), d
}

// A bundler may die while it is given an operation, having taken it or not, and while that is waited for: it
// lands once, and who took it is told.
func TestPoolsInTheMiddle(t *testing.T) {
	t.Parallel()
	dead := bundlertest.Status(http.StatusServiceUnavailable, "")
	for name, test := range map[string]struct {
		sending func(d *doors) bundlertest.Answer // at the preferred one
		by      []string
	}{
		"before it has it":   {func(*doors) bundlertest.Answer { return bundlertest.Drop() }, []string{"b"}},
		"when it has it":     {func(d *doors) bundlertest.Answer { return bundlertest.Lost(bundlertest.Forward(d.behind[0])) }, []string{"b", ""}}, // it may have landed before b is asked, which refuses it then
		"while it is waited": {func(d *doors) bundlertest.Answer { return bundlertest.Forward(d.behind[0]) }, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			owner, _, d := w.pooled(t)
			d.bundlers[0].On("eth_sendUserOperation", test.sending(d))
			tx, err := owner.Send(t.Context(), []account.Call{w.mint(t, owner.Address())}, account.Sponsored())
			require.NoError(t, err)
			require.Contains(t, test.by, tx.Bundler())
			d.bundlers[0].Otherwise(dead)
			d.nodes[0].dead.Store(true)
			receipt, err := tx.Wait(t.Context())
			require.NoError(t, err)
			require.True(t, receipt.Confirmed)
			require.EqualValues(t, 1, w.nfts(t))
			for _, request := range d.bundlers[1].Requests("eth_sendUserOperation") {
				require.Equal(t, d.bundlers[0].Requests("eth_sendUserOperation")[0].Params, request.Params, "the same bytes")
			}
		})
	}
}

// The contracts that may pay are the same, whichever paymaster answers.
func TestPoolsKeepToThePaymastersThatMayPay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner, _, d := w.pooled(t)
	d.paymasters[0].Otherwise(paymastertest.Status(http.StatusServiceUnavailable, ""))
	other := common.Address{0xba, 0xd}
	d.paymasters[1].Otherwise(paymastertest.Result(map[string]string{
		"paymasterAndData": other.Hex() + "01", "callGasLimit": "100000", "verificationGasLimit": "500000", "preVerificationGas": "100000",
	}))
	_, err := owner.Send(t.Context(), []account.Call{w.mint(t, owner.Address())}, account.Sponsored())
	require.ErrorContains(t, err, other.Hex())
	require.Zero(t, d.bundlers[0].Count("eth_sendUserOperation")+d.bundlers[1].Count("eth_sendUserOperation"))
}

// Whichever services die and come back, each operation lands once.
func TestPoolsThatDieAndComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner, sender, d := w.pooled(t)
	random := rand.New(rand.NewPCG(13, 2))
	landed := uint64(0)
	for range 12 {
		for i := range 2 {
			ok := random.IntN(2) == 0
			d.nodes[i].dead.Store(!ok && !d.nodes[1-i].dead.Load())
			d.bundlers[i].Otherwise([]bundlertest.Answer{
				bundlertest.Forward(d.behind[i]), bundlertest.Forward(d.behind[i]), bundlertest.Drop(),
				bundlertest.Status(http.StatusServiceUnavailable, ""), bundlertest.Lost(bundlertest.Forward(d.behind[i])),
			}[random.IntN(5)])
			d.paymasters[i].Otherwise([]paymastertest.Answer{
				paymastertest.Forward(d.paymaster), paymastertest.Forward(d.paymaster), paymastertest.Drop(), paymastertest.Status(http.StatusUnauthorized, ""),
			}[random.IntN(4)])
		}
		tx, err := owner.Send(t.Context(), []account.Call{w.mint(t, owner.Address())}, account.Sponsored())
		for back := time.Now(); err != nil; { // they come back
			require.Less(t, time.Since(back), time.Minute, "%v", err)
			for i := range 2 {
				d.bundlers[i].Otherwise(bundlertest.Forward(d.behind[i]))
				d.paymasters[i].Otherwise(paymastertest.Forward(d.paymaster))
			}
			var failed *userop.Error
			require.ErrorAs(t, err, &failed)
			if userop.MayBeAccepted(err) {
				tx, err = sender.Resend(t.Context(), failed.Operation)
			} else {
				time.Sleep(20 * time.Millisecond)
				tx, err = owner.Send(t.Context(), []account.Call{w.mint(t, owner.Address())}, account.Sponsored())
			}
		}
		_, err = tx.Wait(t.Context())
		require.NoError(t, err)
		landed++
		require.Equal(t, landed, w.nfts(t))
	}
}
