package account_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// world is a chain with its services and one owner's account on it.
type world struct {
	chain     *accounttest.Chain
	bundler   *accounttest.Bundler
	paymaster *accounttest.Paymaster
	config    account.Config
	client    *account.Client
	ownerKey  *ecdsa.PrivateKey
	owner     *account.OwnedAccount
	user      *account.Account // the same account, known by its address alone
	store     *memstore.Store
	key       common.Address // a session key in the store
}

// fixture is what a world needs of a test; an example has its own.
type fixture interface {
	accounttest.TB
	require.TestingT
	Context() context.Context
}

func newWorld(t fixture) *world {
	t.Helper()
	return newWorldOf(t, accounttest.ChainConfig{})
}

func newWorldOf(t fixture, cfg accounttest.ChainConfig) *world {
	t.Helper()
	chain := accounttest.NewChain(t, cfg)
	w := &world{chain: chain, store: memstore.New()}
	var err error
	w.bundler, err = accounttest.StartBundler(accounttest.BundlerConfig{Chain: chain})
	require.NoError(t, err)
	closeOwn := w.bundler.Close // a test may have another one stand in
	t.Cleanup(func() { require.NoError(t, closeOwn()) })
	w.paymaster, err = accounttest.StartPaymaster(accounttest.PaymasterConfig{Chain: chain})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.paymaster.Close()) })

	w.config = account.Config{
		ChainID:   chain.ChainID(),
		Chain:     chain.Client(),
		Bundler:   bundler.New(w.bundler.URL()),
		Paymaster: paymaster.New(w.paymaster.URL()),
		Freshness: -1,
	}
	w.client = w.clientWith(t, account.Contracts{})
	w.ownerKey, err = crypto.GenerateKey()
	require.NoError(t, err)
	w.owner = w.client.OwnedAccount(account.KeyOwner(w.ownerKey))
	w.user = w.client.Account(w.owner.Address())
	w.key, err = w.store.NewKey(t.Context(), w.owner.Ref())
	require.NoError(t, err)
	return w
}

// clientWith returns another client of the same chain and services.
func (w *world) clientWith(t fixture, contracts account.Contracts) *account.Client {
	t.Helper()
	config := w.config
	config.Contracts = contracts
	client, err := account.NewClient(config)
	require.NoError(t, err)
	return client
}

// nftPolicy allows minting to the account itself, for an hour.
func (w *world) nftPolicy() policy.ABI {
	return policy.ABI{
		Key:      w.key,
		Contract: w.chain.Contracts.NFT,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, w.owner.Address())},
		Window:   policy.Until(w.now().Add(time.Hour)),
	}
}

// activeLeaf is the policy as a store that believes it granted has it.
func (w *world) activeLeaf(t *testing.T, id string, p policy.Policy) session.Leaf {
	t.Helper()
	compiled, err := p.Compile(w.client.Contracts().Session)
	require.NoError(t, err)
	return session.Leaf{ID: id, Status: session.StatusActive, InTree: true, Key: p.SessionKey(), Compiled: compiled}
}

// now is the chain's time, or the wall clock's where that is later.
func (w *world) now() time.Time {
	now, err := w.chain.NextTime(context.Background())
	if err != nil {
		return time.Now()
	}
	return now
}

func (w *world) mint(t *testing.T, to common.Address) account.Call {
	t.Helper()
	data, err := abi.Pack("function safeMint(address to)", to)
	require.NoError(t, err)
	return account.Call{To: w.chain.Contracts.NFT, Data: data}
}

// grant grants the policies and waits until they are active.
func (w *world) grant(t *testing.T, policies []policy.Policy, opts ...account.Option) *session.Sessions {
	t.Helper()
	sess, tx, err := w.owner.Grant(t.Context(), w.store, policies, append(opts, account.Sponsored())...)
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	return sess
}

// send sends calls for the emulated account and waits for the receipt.
func (w *world) send(t *testing.T, calls []account.Call, opts ...account.Option) (*userop.Receipt, error) {
	t.Helper()
	tx, err := w.user.Send(t.Context(), calls, append(opts, account.Sponsored())...)
	if err != nil {
		return nil, err
	}
	return tx.Wait(t.Context())
}

func (w *world) nfts(t *testing.T) uint64 {
	return w.balance(t, w.chain.Contracts.NFT, w.owner.Address())
}

func (w *world) balance(t *testing.T, token, holder common.Address) uint64 {
	t.Helper()
	balance := w.read(t, token, contracts.BalanceOf(holder))
	return balance.Uint64()
}

func (w *world) read(t *testing.T, to common.Address, data []byte) uint256.Int {
	t.Helper()
	answer, err := w.chain.Client().CallContract(t.Context(), callMsg(to, data), nil)
	require.NoError(t, err)
	value, err := contracts.DecodeUint256(answer)
	require.NoError(t, err)
	return value
}

func (w *world) fund(t *testing.T, ether int64) {
	t.Helper()
	wei := new(big.Int).Mul(big.NewInt(ether), big.NewInt(1e18))
	require.NoError(t, w.chain.Fund(t.Context(), w.owner.Address(), wei))
}

func pack(t *testing.T, function string, args ...any) []byte {
	t.Helper()
	data, err := abi.Pack(function, args...)
	require.NoError(t, err)
	return data
}

// activate makes a change of the sessions final, and sees to it that there is a receipt where there is no
// error.
func activate(ctx context.Context, sess *session.Sessions, op session.Operation) error {
	receipt, err := sess.Activate(ctx, op)
	if err == nil && (receipt == nil || receipt.UserOpHash != op.Hash()) {
		return errors.New("activated without the operation's receipt")
	}
	return err
}
