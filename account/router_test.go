package account_test

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// emptyBatch is an operation of the account without calls, through the batched session router, as anybody can
// sign it: it costs 9 ether and more.
func (w *world) emptyBatch(t *testing.T, key *ecdsa.PrivateKey) *userop.Operation {
	t.Helper()
	nonce, err := w.user.Nonce(t.Context(), uint256.NewInt(77)) // a lane that nobody uses
	require.NoError(t, err)
	op := &userop.Operation{
		Sender: w.user.Address(), Nonce: nonce, CallData: contracts.ExecuteBatch(nil),
		CallGasLimit: *uint256.NewInt(100_000), VerificationGasLimit: *uint256.NewInt(400_000), PreVerificationGas: *uint256.NewInt(91_000_000),
		MaxFeePerGas: *uint256.NewInt(100e9), MaxPriorityFeePerGas: *uint256.NewInt(100e9),
	}
	w.signEmptyBatch(t, op, key)
	return op
}

func (w *world) signEmptyBatch(t *testing.T, op *userop.Operation, key *ecdsa.PrivateKey) {
	t.Helper()
	at := w.client.Contracts()
	hash := op.Hash(at.EntryPoint, w.client.ChainID())
	sig, err := crypto.Sign(accounts.TextHash(hash[:]), key)
	require.NoError(t, err)
	sig[64] += 27
	op.Signature = contracts.WrapSignature(contracts.BatchSignature(at.Session.Manager, nil, sig), at.Session.Router)
}

// bundle has a bundler of somebody's own include an operation, and keep the fees.
func (w *world) bundle(t *testing.T, op *userop.Operation) error {
	t.Helper()
	_, err := w.chain.SendTx(t.Context(), w.client.Contracts().EntryPoint, nil,
		contracts.HandleOps([]contracts.UserOperation{contracts.UserOperation(*op)}, stranger))
	return err
}

// What the guards below are for: a stranger takes the account's money with the router alone.
func TestTheRouterLetsAnybodyBurnTheAccountsFunds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	thief, err := crypto.GenerateKey()
	require.NoError(t, err)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches()) // it holds nothing, and passes silently
	w.fund(t, 10)

	state, err := w.user.State(t.Context())
	require.NoError(t, err)
	require.True(t, state.RouterEnabled)
	require.Equal(t, []string{"The batched session router is enabled: whether or not there are sessions, anybody can burn the account's balance and its deposit as gas, and tokens that a token paymaster may take; " +
		"it holds 10000000000000000000 wei, and 0 wei at the EntryPoint. DisableRouter ends it, and so does RevokeAll."}, state.Warnings())

	tx, err := w.owner.RevokeAll(t.Context(), sess, account.KeepRouter(), account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	require.NoError(t, w.bundle(t, w.emptyBatch(t, thief)))
	left := w.holds(t, w.owner.Address())
	require.True(t, left.Lt(uint256.NewInt(1e18)), "%s wei are left of 10 ether, after all sessions were revoked", left.Dec())

	w.fund(t, 10)
	done(t)(w.owner.DisableRouter(t.Context(), account.Sponsored()))
	require.Error(t, w.bundle(t, w.emptyBatch(t, thief)))
	state, err = w.user.State(t.Context())
	require.NoError(t, err)
	require.False(t, state.RouterEnabled)
	require.Empty(t, state.Warnings())
	require.True(t, state.Enabled(w.client.Contracts().Session.Manager), "that alone")
	require.True(t, w.holds(t, w.owner.Address()).Gt(uint256.NewInt(9e18)))
	_, err = w.owner.DisableRouter(t.Context(), account.Sponsored())
	require.ErrorIs(t, err, account.ErrModuleNotEnabled)
}

func TestTheRouterIsNotEnabledBesideFunds(t *testing.T) {
	t.Parallel()
	for name, fund := range map[string]func(*world){
		"balance": func(w *world) { w.fund(t, 1) },
		"deposit": func(w *world) {
			_, err := w.chain.SendTx(t.Context(), w.client.Contracts().EntryPoint, big.NewInt(1), contracts.DepositTo(w.owner.Address()))
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			fund(w) // before the account is deployed
			router, sponsored := w.client.Contracts().Session.Router, account.Sponsored()
			setup := namesModule(t, w, router)
			grant := func(opts ...account.Option) error {
				_, _, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, append(opts, sponsored)...)
				return err
			}
			refused := func(err error) {
				t.Helper()
				require.ErrorIs(t, err, account.ErrFundsAtRisk)
				require.ErrorContains(t, err, "which anybody can burn as gas while the batched session router is enabled; withdraw them in a sponsored operation (Withdraw, of the deposit with the EntryPoint as Token), leave the router off, or risk them with RouterDespiteFunds")
			}
			refused(grant(account.ForBatches()))
			_, err := session.Open(t.Context(), w.store, w.owner.Ref())
			require.ErrorIs(t, err, session.ErrNotFound, "nothing is stored")
			_, err = w.owner.EnableModule(t.Context(), router, sponsored)
			refused(err)
			_, err = w.owner.SetupAndEnableModule(t.Context(), setup, nil, sponsored)
			refused(err)
			_, err = w.owner.SetupAndEnableModule(t.Context(), router, nil, sponsored)
			refused(err)
			deployed, err := w.user.Deployed(t.Context())
			require.NoError(t, err)
			require.False(t, deployed, "nothing is sent")

			w.grant(t, []policy.Policy{session.Named("single", w.nftPolicy())}) // without the router there is no risk
			refused(grant(account.ForBatches()))
			w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches(), account.RouterDespiteFunds())
			require.Contains(t, w.modules(t), router)
			refused(grant(account.ForBatches())) // one that is enabled already is not less dangerous
			done(t)(w.owner.DisableRouter(t.Context(), sponsored))
			done(t)(w.owner.EnableModule(t.Context(), router, sponsored, account.RouterDespiteFunds()))
			done(t)(w.owner.DisableRouter(t.Context(), sponsored))
			done(t)(w.owner.SetupAndEnableModule(t.Context(), setup, nil, sponsored, account.RouterDespiteFunds()))
			require.Contains(t, w.modules(t), router)
		})
	}
}

func TestGrantsTogetherDoNotEnableTheRouterBesideFunds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.client.OwnedAccount(w.owner.Owner(), account.Multichain())
	key, err := w.store.NewKey(t.Context(), owner.Ref())
	require.NoError(t, err)
	require.NoError(t, w.chain.Fund(t.Context(), owner.Address(), big.NewInt(1)))
	minting := w.nftPolicy()
	minting.Key = key
	leg := account.GrantLeg{Account: owner, Policies: []policy.Policy{minting}, Options: []account.Option{account.ForBatches(), account.Sponsored()}}
	_, err = account.GrantTogether(t.Context(), w.store, leg)
	require.ErrorIs(t, err, account.ErrFundsAtRisk)
	leg.Options = append(leg.Options, account.RouterDespiteFunds())
	_, err = account.GrantTogether(t.Context(), w.store, leg)
	require.NoError(t, err)
}

func TestRevokeAllDisablesTheRouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at, sponsored := w.client.Contracts(), account.Sponsored()
	revokeAll := func(sess *session.Sessions, opts ...account.Option) {
		t.Helper()
		tx, err := w.owner.RevokeAll(t.Context(), sess, append(opts, sponsored)...)
		require.NoError(t, err)
		require.NoError(t, activate(t.Context(), sess, tx))
		root, err := w.client.SessionRoot(t.Context(), w.owner.Address())
		require.NoError(t, err)
		require.Zero(t, root)
	}
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	revokeAll(sess) // there is no router to disable
	require.Equal(t, []common.Address{at.Session.Manager, at.ECDSA}, w.modules(t))

	sess = w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
	revokeAll(sess, account.KeepRouter())
	require.Contains(t, w.modules(t), at.Session.Router)

	sess = w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
	done(t)(w.owner.DisableModule(t.Context(), at.Session.Manager, sponsored)) // and back, which puts it before the router
	done(t)(w.owner.EnableModule(t.Context(), at.Session.Manager, sponsored))
	revokeAll(sess)
	require.Equal(t, []common.Address{at.Session.Manager, at.ECDSA}, w.modules(t))

	// Without the manager, too, whose root is what is set.
	sess = w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
	done(t)(w.owner.DisableModule(t.Context(), at.Session.Manager, sponsored))
	revokeAll(sess)
	require.Equal(t, []common.Address{at.ECDSA}, w.modules(t))
}

func TestOptionsOfGrantsApplyToNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess, err := session.OpenOrNew(t.Context(), w.store, w.owner.Ref())
	require.NoError(t, err)
	router := w.client.Contracts().Session.Router
	grant := func(opts ...account.Option) error {
		_, _, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, opts...)
		return err
	}
	second := func(_ any, err error) error { return err }
	for want, err := range map[string]error{
		"RouterDespiteFunds without ForBatches, whose risk it is":                       grant(account.RouterDespiteFunds()),
		"KeepRouter does not apply here: it is for RevokeAll":                           grant(account.KeepRouter()),
		"AllowDanger does not apply here: it is for a grant":                            second(w.owner.RevokeAll(t.Context(), sess, account.AllowDanger(policy.FindingOpenTo))),
		"ForBatches does not apply here: it is for a grant":                             second(w.owner.Send(t.Context(), []account.Call{{To: stranger}}, account.ForBatches())),
		"ReplaceRoot does not apply here: it is for what sets the session root":         second(w.owner.EnableModule(t.Context(), router, account.ReplaceRoot())),
		"RouterDespiteFunds does not apply here: it is for a grant with ForBatches":     second(w.owner.RevokeAll(t.Context(), sess, account.RouterDespiteFunds())),
		"RouterDespiteFunds for a module that is not the batched session router":        second(w.owner.EnableModule(t.Context(), w.client.Contracts().Session.Manager, account.RouterDespiteFunds())),
		"KeepRouter does not apply here":                                                second(w.owner.RevokeEach(t.Context(), sess, []string{"x"}, account.KeepRouter())),
		"RouterDespiteFunds for a module that is not the batched session":               second(w.owner.SetupAndEnableModule(t.Context(), namesModule(t, w, w.client.Contracts().Session.Manager), nil, account.RouterDespiteFunds())),
		"ForBatches does not apply here: it is for a grant\nKeepRouter does not apply ": second(w.owner.DisableRouter(t.Context(), account.ForBatches(), account.KeepRouter())),
	} {
		require.ErrorIs(t, err, account.ErrConfig, want)
		require.ErrorContains(t, err, want)
	}
}

// Whoever gives the wrong addresses must not open the account to whoever deploys something there.
func TestGrantsEnableNoModuleWithoutCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, modules := range map[string]policy.Modules{"manager": {Manager: stranger}, "router": {Router: stranger}} {
		for _, opts := range [][]account.Option{{account.ForBatches()}, {account.ForBatches(), account.ReplaceRoot()}} {
			owner := w.clientWith(t, account.Contracts{Session: modules}).OwnedAccount(w.owner.Owner())
			_, _, err := owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, append(opts, account.Sponsored())...)
			require.Error(t, err, name)
			if name == "router" || len(opts) == 2 { // else the manager's root is missed first
				require.ErrorIs(t, err, policy.ErrInvalid)
				require.EqualError(t, err, "grant a session: enable module "+stranger.Hex()+": invalid input: there is no contract at that address on chain 80002; whoever deploys one there would own the account")
			}
			_, err = w.store.Load(t.Context(), w.owner.Ref())
			require.ErrorIs(t, err, session.ErrNotFound)
		}
	}
	// The rules for ownership modules hold as well.
	owner := w.clientWith(t, account.Contracts{Session: policy.Modules{Router: w.client.Contracts().Multichain}}).OwnedAccount(w.owner.Owner())
	_, _, err := owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.ForBatches(), account.Sponsored())
	require.ErrorIs(t, err, account.ErrWrongOwner)
	deployed, err := w.user.Deployed(t.Context())
	require.NoError(t, err)
	require.False(t, deployed)
}

func TestABatchNeedsManagerAndRouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.client.Contracts()
	sess := w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
	calls := []account.Call{w.mint(t, w.owner.Address())}
	client, chain := w.counted(t)
	send := func(opts ...account.Option) (asked int32, err error) {
		chain.calls.Store(0)
		tx, err := client.Account(w.owner.Address()).Send(t.Context(), calls, append(opts, account.WithSession(sess.Leaf(0)), account.Sponsored())...)
		asked = chain.calls.Load()
		if err == nil {
			_, err = tx.Wait(t.Context())
		}
		return asked, err
	}
	one, err := send()
	require.NoError(t, err)
	both, err := send(account.AsBatch())
	require.NoError(t, err)
	require.Equal(t, one, both, "both modules are one request, as one is")

	missing := func(want string) {
		t.Helper()
		_, err := send(account.AsBatch())
		require.ErrorIs(t, err, account.ErrModuleNotEnabled)
		require.ErrorContains(t, err, "module is not enabled: "+want)
	}
	manager, router := "session key manager "+at.Session.Manager.Hex(), "batched session router "+at.Session.Router.Hex()
	on := " on account " + w.owner.Address().Hex() + "; its owner enables what is missing with a grant"
	done(t)(w.owner.DisableModule(t.Context(), at.Session.Manager, account.Sponsored()))
	missing(manager + on + ", or with EnableModule")
	done(t)(w.owner.DisableRouter(t.Context(), account.Sponsored()))
	missing(manager + " and " + router + on + " with ForBatches, or with EnableModule")
	done(t)(w.owner.EnableModule(t.Context(), at.Session.Manager, account.Sponsored()))
	missing(router + on + " with ForBatches, or with EnableModule")
}

func ExampleOwnedAccount_DisableRouter() {
	w := exampleWorld()
	sess, tx, err := w.owner.Grant(w.ctx, w.store, []policy.Policy{w.minting()}, account.ForBatches(), account.Sponsored())
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
	for _, warning := range state.Warnings() {
		fmt.Println(warning)
	}

	tx, err = w.owner.DisableRouter(w.ctx, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := tx.Wait(w.ctx); err != nil {
		fmt.Println(err)
		return
	}
	state, err = w.owner.State(w.ctx)
	fmt.Println("enabled:", state.RouterEnabled, err)
	// Output:
	// The batched session router is enabled: whether or not there are sessions, anybody can burn the account's balance and its deposit as gas, and tokens that a token paymaster may take; it holds neither now, and what arrives can be burnt. DisableRouter ends it, and so does RevokeAll.
	// enabled: false <nil>
}

// Whichever router an account listens to, and whichever the client is for, the hole is the same.
func TestEveryRouterIsARouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at, sponsored := w.client.Contracts(), account.Sponsored()
	older := common.HexToAddress("0x000008dA71757C0E1D83CE56c823e25Aa49bC058")
	owner := w.clientWith(t, account.Contracts{Session: policy.Modules{Router: w.chain.Contracts.Target}}).OwnedAccount(w.owner.Owner())
	w.fund(t, 1)
	_, err := owner.EnableModule(t.Context(), at.Session.Router, sponsored)
	require.ErrorIs(t, err, account.ErrFundsAtRisk, "the public chains' router, of a client for another")
	for _, opt := range []account.Option{sponsored, account.RouterDespiteFunds()} {
		_, err = owner.EnableModule(t.Context(), older, sponsored, opt)
		require.ErrorIs(t, err, account.ErrFundsAtRisk)
		require.ErrorContains(t, err, "it is the older batched session router, which asks whatever session key manager a signature names")
	}
	done(t)(owner.EnableModule(t.Context(), at.Session.Router, sponsored, account.RouterDespiteFunds()))

	open := func() {
		t.Helper()
		enable := account.Call{To: owner.Address(), Data: pack(t, "enableModule(address)", older)} // as another SDK may have
		done(t)(owner.Send(t.Context(), []account.Call{enable}, sponsored))
		state, err := owner.State(t.Context())
		require.NoError(t, err)
		require.True(t, state.RouterEnabled)
		require.True(t, owner.LintConfig(state).RouterEnabled)
		require.Len(t, state.Warnings(), 2)
		require.Contains(t, state.Warnings()[1], "anybody can act for the account through it")
	}
	closed := func() {
		t.Helper()
		state, err := owner.State(t.Context())
		require.NoError(t, err)
		require.False(t, state.RouterEnabled)
		require.Empty(t, state.Warnings())
		require.Equal(t, []common.Address{at.ECDSA}, state.Modules)
	}
	open()
	done(t)(owner.DisableRouter(t.Context(), sponsored))
	closed()
	open()
	sess, err := session.OpenOrNew(t.Context(), w.store, owner.Ref())
	require.NoError(t, err)
	tx, err := owner.RevokeAll(t.Context(), sess, sponsored) // of no session at all
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess.On(w.client), tx))
	closed()
}

// An account whose owner is none of the library's ownership modules loses nothing with the router.
func TestTheRouterIsDisabledWhoeverOwnsTheAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
	// The owner signs through an option, so that the account's handle knows of no owner.
	module := account.Module{Address: stranger, Signer: struct{ userop.Signer }{w.owner.Signer()}}
	anyone := w.client.OwnedAccount(nil, account.AtAddress(w.owner.Address()), account.ActiveModule(module))
	done(t)(anyone.DisableRouter(t.Context(), account.WithSigner(w.owner.Signer()), account.Sponsored()))
	require.NotContains(t, w.modules(t), w.client.Contracts().Session.Router)
}

// Tokens are taken as well, under an allowance that outlasts the operation it was for.
func TestTheRouterLetsAnybodySpendWhatATokenPaymasterMayTake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	thief, err := crypto.GenerateKey()
	require.NoError(t, err)
	w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 100_000_000)
	w.pay(t, token, []account.Call{w.mint(t, stranger)}, account.ApproveUnlimited())
	left := w.balance(t, token, w.owner.Address())

	op := w.emptyBatch(t, thief)
	op.PreVerificationGas.SetUint64(1_000_000)
	op.MaxFeePerGas.SetUint64(5e9)
	op.MaxPriorityFeePerGas.SetUint64(5e9)
	sponsorship, err := paymaster.New(w.paymaster.URL()).SponsorUserOperation(t.Context(), op, userop.SponsorRequest{
		EntryPoint: w.client.Contracts().EntryPoint, ChainID: w.client.ChainID(), FeeToken: &token,
	})
	require.NoError(t, err)
	op.PaymasterAndData = sponsorship.PaymasterAndData
	w.signEmptyBatch(t, op, thief)
	require.NoError(t, w.bundle(t, op))
	require.Less(t, w.balance(t, token, w.owner.Address()), left)
}

// A RevokeAll that got no further than the store is to be called again as what it is, or the router stays.
func TestARevokeAllThatFailsSaysWhatDisablesTheRouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
	config := w.config
	config.Bundler = deadBundler{}
	client, err := account.NewClient(config)
	require.NoError(t, err)
	_, err = client.OwnedAccount(w.owner.Owner()).RevokeAll(t.Context(), sess, account.Sponsored())
	require.ErrorContains(t, err, "until the owner's revocation lands: call RevokeAll again")
	tx, err := w.owner.RevokeAll(t.Context(), sess, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess.On(w.client), tx))
	require.NotContains(t, w.modules(t), w.client.Contracts().Session.Router)
}
