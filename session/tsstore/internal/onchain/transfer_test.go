// Package onchain has the tests of tsstore on the real contracts. They are apart from the others, whose
// binary is started anew for each process that is killed.
package onchain_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/tsstore"
)

// user is an account on a chain, with sessions in the SDK's files.
type user struct {
	owner  *account.OwnedAccount
	acting *account.Account // as the dapp knows it
	client *account.Client
	mint   account.Call
	policy policy.ABI // may mint
	files  *tsstore.Store
	path   string // of the file of sessions
}

const chainID = accounttest.DefaultChainID

type object = map[string]any

// change changes the file of sessions as the SDK does: it parses all of it and writes it over.
func (u *user) change(t *testing.T, change func(file object)) {
	t.Helper()
	content, err := os.ReadFile(u.path)
	require.NoError(t, err)
	var file object
	require.NoError(t, json.Unmarshal(content, &file))
	change(file)
	content, err = json.Marshal(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(u.path, content, 0o600))
}

func newUser(t *testing.T) *user {
	t.Helper()
	chain := accounttest.NewChain(t, accounttest.ChainConfig{ChainID: chainID})
	b, err := accounttest.StartBundler(accounttest.BundlerConfig{Chain: chain})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	p, err := accounttest.StartPaymaster(accounttest.PaymasterConfig{Chain: chain})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	client, err := account.NewClient(account.Config{ChainID: chainID, Chain: chain.Client(),
		Bundler: bundler.New(b.URL()), Paymaster: paymaster.New(p.URL()), Freshness: -1})
	require.NoError(t, err)
	key, err := crypto.GenerateKey()
	require.NoError(t, err)

	u := &user{client: client, owner: client.OwnedAccount(account.KeyOwner(key))}
	u.acting = client.Account(u.owner.Address())
	data, err := abi.Pack("function safeMint(address to)", u.owner.Address())
	require.NoError(t, err)
	u.mint = account.Call{To: chain.Contracts.NFT, Data: data}
	dir := t.TempDir()
	u.path = filepath.Join(dir, strings.ToLower(u.owner.Address().Hex())+"_sessions.json")
	u.files, err = tsstore.OpenPlaintext(dir, chainID)
	require.NoError(t, err)
	u.policy = policy.ABI{Contract: u.mint.To, Function: "safeMint(address to)"}
	u.policy.Key, err = u.files.NewKey(t.Context(), u.owner.Ref())
	require.NoError(t, err)
	return u
}

// mintPolicy allows minting; each is another one.
func (u *user) mintPolicy(id string, hours int) policy.Policy {
	minting := u.policy
	minting.Window = policy.Until(time.Now().Add(time.Duration(hours) * time.Hour))
	return session.Named(id, minting)
}

func (u *user) setRoot(t *testing.T, root common.Hash) {
	t.Helper()
	manager := policy.Modules{}.WithDefaults().Manager
	tx, err := u.owner.Send(t.Context(), []account.Call{{To: manager, Data: contracts.SetMerkleRoot(root)}}, account.Sponsored())
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
}

func (u *user) use(t *testing.T, leaf session.LeafRef) error {
	t.Helper()
	tx, err := u.acting.Send(t.Context(), []account.Call{u.mint}, account.WithSession(leaf), account.Sponsored())
	if err != nil {
		return err
	}
	_, err = tx.Wait(t.Context())
	return err
}

// On the real contracts: a session goes on working under the root that the SDK's revokeSessions set, and the
// next revocation from here revokes for good.
func TestRepeatedLeavesOnChain(t *testing.T) {
	u := newUser(t)
	sess, tx, err := u.owner.Grant(t.Context(), u.files, []policy.Policy{u.mintPolicy("stays", 1), u.mintPolicy("revoked", 2)}, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	leaves := sess.Leaves()
	stays, revoked := leaves[0].Hash(), leaves[1].Hash()
	root := merkle.New([]common.Hash{stays, revoked, stays}).Root() // what revokeSessions(["revoked"]) makes
	u.setRoot(t, root)
	u.change(t, func(file object) {
		file["merkleRoot"] = root.Hex()
		file["leafNodes"].([]any)[1].(object)["status"] = "REVOKED"
	})

	chain := tsstore.WithChain(u.client)
	_, _, err = tsstore.Transfer(t.Context(), u.files, u.owner.Ref(), memstore.New(), nil, chain)
	require.ErrorIs(t, err, session.ErrRootMismatch)
	moved, report, err := tsstore.Transfer(t.Context(), u.files, u.owner.Ref(), memstore.New(), nil, chain, tsstore.RepeatLeaves())
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 0}, report.Tree)
	moved = moved.On(u.client)
	require.NoError(t, moved.Reconcile(t.Context()))
	require.NoError(t, u.use(t, moved.ByID("stays")))
	require.ErrorIs(t, u.use(t, moved.ByID("revoked")), session.ErrRevoked)

	tx, err = u.owner.Revoke(t.Context(), moved, "revoked", account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), moved, tx))
	require.Equal(t, stays, moved.Root(), "what is revoked is gone, and what stays is there once")
	require.NoError(t, u.use(t, moved.ByID("stays")))
}

// Leaves whose root is lost work again once the owner replaced the root on chain.
func TestRootOfLeavesOnChain(t *testing.T) {
	u := newUser(t)
	sess, tx, err := u.owner.Grant(t.Context(), u.files, []policy.Policy{u.mintPolicy("stays", 1), u.mintPolicy("cleared", 2)}, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	u.change(t, func(file object) { file["leafNodes"] = file["leafNodes"].([]any)[:1] }) // as by clearPendingSessions

	memory := memstore.New()
	moved, _, err := tsstore.Transfer(t.Context(), u.files, u.owner.Ref(), memory, nil, tsstore.RootOfLeaves())
	require.NoError(t, err)
	moved = moved.On(u.client)
	require.ErrorIs(t, u.use(t, moved.ByID("stays")), session.ErrRootMismatch)

	replaced, tx, err := u.owner.Grant(t.Context(), memory, []policy.Policy{u.mintPolicy("new", 3)}, account.Sponsored(), account.ReplaceRoot())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), replaced, tx))
	require.NoError(t, u.use(t, replaced.ByID("stays")))
	require.NoError(t, u.use(t, replaced.ByID("new")))
}

// activate makes a change of the sessions final.
func activate(ctx context.Context, sess *session.Sessions, op session.Operation) error {
	_, err := sess.Activate(ctx, op)
	return err
}
