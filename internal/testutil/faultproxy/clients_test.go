package faultproxy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/testutil/faultproxy"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/userop"
)

// stepsOf are the methods of a send and a wait that a fault may fall on.
func stepsOf(role faultproxy.Role, kind faultproxy.Kind) []string {
	switch {
	case kind == faultproxy.WrongChain:
		return []string{"eth_chainId"}
	case role == faultproxy.Bundler:
		return []string{"eth_sendUserOperation", "eth_getUserOperationReceipt"}
	case role == faultproxy.Paymaster:
		return []string{"pm_sponsorUserOperation"}
	}
	return []string{"eth_call", "eth_getLogs"}
}

// mayFail are the kinds that a send or a wait may end with, and what they match; all others it overcomes.
var mayFail = map[faultproxy.Kind]func(error) bool{
	faultproxy.Redirect:                 unreached,
	faultproxy.Status401:                unreached,
	faultproxy.Status403:                unreached,
	faultproxy.Status404:                unreached,
	faultproxy.WrongChain:               matching(userop.ErrWrongChain),
	faultproxy.Refused:                  refused,
	faultproxy.Underpriced:              refused,
	faultproxy.RefusalThenAccept:        refused,
	faultproxy.AcceptButDrop:            matching(context.DeadlineExceeded),
	faultproxy.AlreadyKnownLie:          matching(context.DeadlineExceeded),
	faultproxy.NotSponsored:             matching(userop.ErrNotSponsored),
	faultproxy.SpoiltSponsorship:        refused,
	faultproxy.VendorCodes:              refused, // by a paymaster
	faultproxy.Status500:                userop.SafeToRetry,
	faultproxy.Status500AfterAcceptance: userop.SafeToRetry,
	faultproxy.GzipBomb:                 matching(account.ErrBadAnswer), // of a node
}

func matching(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func refused(err error) bool {
	_, byBundler := errors.AsType[*bundler.Error](err)
	_, byPaymaster := errors.AsType[*paymaster.Error](err)
	return byBundler || byPaymaster
}

// unreached is a gateway's refusal, which of a node is told by its status alone.
func unreached(err error) bool {
	_, lost := errors.AsType[*bundler.TransportError](err)
	return lost || refused(err) || regexp.MustCompile(`: (30[1278]|40[134]) [A-Z][A-Za-z ]+(;|$)`).MatchString(err.Error())
}

// user is somebody's account behind proxies, one of which does one fault.
type user struct {
	t       *testing.T
	devnet  *accounttest.Devnet
	proxies map[faultproxy.Role]*faultproxy.Proxy
	client  *account.Client
	owner   *account.OwnedAccount
}

func newUser(t *testing.T, devnet *accounttest.Devnet, role faultproxy.Role, kind faultproxy.Kind, method string) *user {
	u := &user{t: t, devnet: devnet, proxies: map[faultproxy.Role]*faultproxy.Proxy{}}
	for service, target := range map[faultproxy.Role]string{
		faultproxy.Bundler: devnet.Services.Bundler, faultproxy.Paymaster: devnet.Services.Paymaster, faultproxy.Node: devnet.RPC,
	} {
		cfg := faultproxy.Config{Target: target, Role: service, Seed: uint64(len(kind) + len(method)), PerMille: map[faultproxy.Kind]int{}}
		if service == role {
			cfg.PerMille[kind], cfg.Methods = 1000, []string{method}
			cfg.Log = func(faultproxy.Event) { u.proxies[role].Calm(true) }
		}
		proxy, err := faultproxy.Start(cfg)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, proxy.Close()) })
		u.proxies[service] = proxy
	}
	pool := new(http.Transport)
	t.Cleanup(pool.CloseIdleConnections)
	conn, err := rpc.DialOptions(t.Context(), u.proxies[faultproxy.Node].URL(), rpc.WithHTTPClient(&http.Client{
		Transport: pool, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	send, pay := bundler.New(u.proxies[faultproxy.Bundler].URL()), paymaster.New(u.proxies[faultproxy.Paymaster].URL())
	t.Cleanup(send.Close)
	t.Cleanup(pay.Close)
	client, err := account.NewClient(account.Config{ChainID: devnet.Chain.ChainID(), Chain: ethclient.NewClient(conn), Bundler: send, Paymaster: pay})
	require.NoError(t, err)
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	u.client, u.owner = client, client.OwnedAccount(account.KeyOwner(key))
	return u
}

// mint sends once and waits. The operation is nil where none was signed.
func (u *user) mint(ctx context.Context) (*userop.Operation, error) {
	data, err := abi.Pack("function safeMint(address to)", u.owner.Address())
	require.NoError(u.t, err)
	tx, err := u.owner.Send(ctx, []account.Call{{To: u.devnet.Chain.Contracts.NFT, Data: data}}, account.Sponsored())
	if failed, ok := errors.AsType[*userop.Error](err); ok {
		return failed.Operation, err
	}
	require.NoError(u.t, err)
	_, err = tx.Wait(ctx)
	return tx.Operation(), err
}

// again is what a caller does once the services are healthy.
func (u *user) again(ctx context.Context, op *userop.Operation, kind faultproxy.Kind, failed error) {
	switch {
	case userop.MayBeAccepted(failed):
		tx, err := u.client.Sender().Resend(ctx, op)
		require.NoError(u.t, err)
		_, err = tx.Wait(ctx)
		require.NoError(u.t, err)
	case kind == faultproxy.RefusalThenAccept:
		_, err := u.client.Sender().WatchOperation(op).Wait(ctx)
		require.NoError(u.t, err, "who does not believe the refusal sees it land")
	default:
		require.Zero(u.t, u.minted())
		_, err := u.mint(ctx)
		require.NoError(u.t, err)
	}
}

func (u *user) minted() uint64 {
	answer, err := u.devnet.Chain.Call(context.Background(), u.devnet.Chain.Contracts.NFT, contracts.BalanceOf(u.owner.Address()))
	require.NoError(u.t, err)
	balance, err := contracts.DecodeUint256(answer)
	require.NoError(u.t, err)
	return balance.Uint64()
}

// One fault in a send and a wait: the operation lands, and is told to have, or what is told can be matched
// and is true; and once the services are healthy it lands by asking again. Never twice, and no key is in an
// error.
func TestEveryKindAgainstOurClients(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	var group errgroup.Group
	group.SetLimit(8) // they wait, mostly
	for _, role := range []faultproxy.Role{faultproxy.Bundler, faultproxy.Paymaster, faultproxy.Node} {
		for _, kind := range faultproxy.Kinds(role) {
			for _, method := range stepsOf(role, kind) {
				group.Go(func() error {
					t.Run(strings.Join([]string{string(role), string(kind), method}, "/"), func(t *testing.T) {
						newUser(t, devnet, role, kind, method).meets(role, kind)
					})
					return nil
				})
			}
		}
	}
	require.NoError(t, group.Wait())
}

func (u *user) meets(role faultproxy.Role, kind faultproxy.Kind) {
	within := 15 * time.Second
	switch kind {
	case faultproxy.AcceptButDrop, faultproxy.AlreadyKnownLie:
		within = 5 * time.Second // which it waits in vain
	case faultproxy.Endless, faultproxy.GzipBomb:
		within = time.Minute // to read so much takes a busy machine its time
	}
	ctx, cancel := context.WithTimeout(u.t.Context(), within)
	defer cancel()
	op, err := u.mint(ctx)
	for _, proxy := range u.proxies {
		require.Zero(u.t, proxy.FollowedRedirects())
		if err != nil {
			require.NotContains(u.t, fmt.Sprintf("%v %+v %#v", err, err, err), proxy.Secret())
		}
	}
	if u.proxies[role].Counts()[kind] == 0 {
		require.NoError(u.t, err)
	}
	if err != nil {
		matches, ok := mayFail[kind]
		require.True(u.t, ok && matches(err), "%v", err)
		ctx, cancel := context.WithTimeout(u.t.Context(), 20*time.Second)
		defer cancel()
		u.again(ctx, op, kind, err)
	}
	require.EqualValues(u.t, 1, u.minted())
}
