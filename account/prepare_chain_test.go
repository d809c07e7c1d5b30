package account_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Everything that an owner does can be prepared, says what it does, and does it once it is signed.
func TestEveryOwnersCallIsPrepared(t *testing.T) {
	t.Parallel()
	ctx, sponsored := t.Context(), account.Sponsored()
	for name, tt := range map[string]struct {
		prepare func(w *world, o *account.OwnedAccount, sess *session.Sessions) (*account.Prepared, error)
		kind    string
		says    string
		did     func(t *testing.T, w *world, state *account.State)
	}{
		"PrepareSend": {func(w *world, o *account.OwnedAccount, _ *session.Sessions) (*account.Prepared, error) {
			return o.PrepareSend(ctx, []account.Call{{To: stranger, Value: *uint256.NewInt(5)}, w.mint(t, o.Address())})
		}, "send", "It sends 5 wei (0.000000000000000005 of the chain's currency) to " + stranger.Hex() + ".", func(t *testing.T, w *world, _ *account.State) {
			require.Equal(t, uint64(1), w.nfts(t))
		}},
		"PrepareEnableModule": {func(w *world, o *account.OwnedAccount, _ *session.Sessions) (*account.Prepared, error) {
			return o.PrepareEnableModule(ctx, w.client.Contracts().Session.Router, account.RouterDespiteFunds(), sponsored)
		}, "enable module", "anybody can burn the account's balance", func(t *testing.T, w *world, state *account.State) {
			require.True(t, state.RouterEnabled)
		}},
		"PrepareSetupAndEnableModule": {func(w *world, o *account.OwnedAccount, _ *session.Sessions) (*account.Prepared, error) {
			multichain := w.client.MultichainModule(o.Owner())
			return o.PrepareSetupAndEnableModule(ctx, multichain.Address, multichain.Setup, sponsored)
		}, "set up module", "The account listens to ownership module ", func(t *testing.T, w *world, state *account.State) {
			require.Len(t, state.Owners, 2)
		}},
		"PrepareDisableModule": {func(w *world, o *account.OwnedAccount, _ *session.Sessions) (*account.Prepared, error) {
			return o.PrepareDisableModule(ctx, w.client.Contracts().Session.Manager, sponsored)
		}, "disable module", "The account does not listen to session key manager ", func(t *testing.T, w *world, state *account.State) {
			require.Len(t, state.Modules, 1)
		}},
		"PrepareWithdraw": {func(w *world, o *account.OwnedAccount, _ *session.Sessions) (*account.Prepared, error) {
			return o.PrepareWithdraw(ctx, []account.Withdrawal{{To: stranger, All: true}})
		}, "withdraw", "The account pays the gas itself, at most ", func(t *testing.T, w *world, state *account.State) {
			require.False(t, w.holds(t, stranger).IsZero())
		}},
		"PrepareTransferOwnership": {func(w *world, o *account.OwnedAccount, _ *session.Sessions) (*account.Prepared, error) {
			return o.PrepareTransferOwnership(ctx, stranger, sponsored)
		}, "send", "The account is given away: at module ", func(t *testing.T, w *world, state *account.State) {
			require.Equal(t, stranger, state.Owners[0].Owner)
		}},
		"PrepareRevokeAll": {func(w *world, o *account.OwnedAccount, sess *session.Sessions) (*account.Prepared, error) {
			return o.PrepareRevokeAll(ctx, sess, sponsored)
		}, "revoke", "No session is left.", func(t *testing.T, w *world, state *account.State) {
			require.Equal(t, common.Hash{}, state.SessionRoot)
		}},
		"PrepareRevokeEach": {func(w *world, o *account.OwnedAccount, sess *session.Sessions) (*account.Prepared, error) {
			return o.PrepareRevokeEach(ctx, sess, []string{"one"}, sponsored)
		}, "revoke", "Sessions that stay as they are: 1.", func(t *testing.T, w *world, state *account.State) {
			require.NotEqual(t, common.Hash{}, state.SessionRoot)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			sess := w.grant(t, []policy.Policy{session.Named("one", w.nftPolicy()), session.Named("two", w.longer(2))})
			w.fund(t, 1)
			p, err := tt.prepare(w, w.elsewhere(t), sess)
			require.NoError(t, err)
			require.Contains(t, strings.Join(p.Describe(), "\n"), tt.says)
			made := p.Operations()[0]
			require.Equal(t, tt.kind, made.Kind)
			require.Equal(t, w.owner.Ref(), made.Ref)
			require.Equal(t, made.Root == made.NewRoot, made.Kind != "revoke")
			w.inForce(t)(w.submit(t, p))
			state, err := w.user.State(t.Context())
			require.NoError(t, err)
			tt.did(t, w, state)
		})
	}
}

func TestADeploymentIsPrepared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, err := w.elsewhere(t).PrepareDeploy(t.Context(), account.Sponsored())
	require.NoError(t, err)
	require.Contains(t, p.Describe(), "The account is deployed with it.")
	w.inForce(t)(w.submit(t, p))
	_, err = w.elsewhere(t).PrepareDeploy(t.Context(), account.Sponsored())
	require.ErrorIs(t, err, account.ErrDeployed)
}

// A key that signs here can be had sign there, too; what it does is the same.
func TestPreparedAndSentAreTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant(t, []policy.Policy{w.nftPolicy()})
	fixed := []account.Option{
		account.WithNonce(uint256.NewInt(1)), account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(3e9), MaxPriorityFeePerGas: *uint256.NewInt(1e9)}),
		account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(1e5), VerificationGasLimit: *uint256.NewInt(1e5), PreVerificationGas: *uint256.NewInt(1e5)}),
	}
	calls := []account.Call{{To: stranger}}
	built, err := w.owner.Build(t.Context(), calls, fixed...)
	require.NoError(t, err)
	p, err := w.elsewhere(t).PrepareSend(t.Context(), calls, fixed...)
	require.NoError(t, err)
	built.Signature = nil
	require.Equal(t, built, p.Operations()[0].Operation)

	mint := []account.Call{w.mint(t, stranger)}
	p, err = w.elsewhere(t).PrepareSend(t.Context(), mint, account.Sponsored())
	require.NoError(t, err)
	nft := w.chain.Contracts.NFT.Hex()
	require.Contains(t, p.Describe(), "It calls "+nft+" with data 0x40d097c3… of 36 bytes.")
	require.Contains(t, p.Describe(nil, abi.MustParseFunction("function safeMint(address to)")), "It calls safeMint(address) of "+nft+".")
}

// A revocation that stops the sessions before it is signed leaves them stopped, whatever becomes of it.
func TestStopNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{session.Named("one", w.nftPolicy()), session.Named("two", w.longer(2))})
	p, err := w.elsewhere(t).PrepareRevoke(t.Context(), sess, "one", account.StopNow(), account.Sponsored())
	require.NoError(t, err)
	_, err = w.send(t, []account.Call{w.mint(t, w.owner.Address())}, account.WithSession(sess.ByID("one")))
	require.ErrorIs(t, err, session.ErrRevoked)
	_, err = w.send(t, []account.Call{w.mint(t, w.owner.Address())}, account.WithSession(sess.ByID("two")))
	require.NoError(t, err)
	settled := w.inForce(t)(w.submit(t, p))
	require.False(t, settled.Leaves()[0].InTree)

	// Also where it cannot be prepared.
	_, err = w.elsewhere(t).PrepareRevokeAll(t.Context(), sess, account.StopNow(), account.ForBatches())
	require.ErrorIs(t, err, account.ErrConfig)
	_, err = w.send(t, []account.Call{w.mint(t, w.owner.Address())}, account.WithSession(sess.ByID("two")))
	require.ErrorIs(t, err, session.ErrRevoked)
}

// Another session may be stopped while the wallet is open: the grant lands, and it stays stopped.
func TestASessionIsStoppedWhileAnotherIsPrepared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{session.Named("one", w.nftPolicy())})
	p := w.prepareGrant(t, "minting")
	require.NoError(t, sess.Suspend(t.Context(), "one"))
	settled := w.inForce(t)(w.submit(t, p))
	require.Equal(t, session.StatusRevoked, settled.Leaves()[0].Status)
	require.Equal(t, session.StatusActive, settled.Leaves()[1].Status)
}

func TestSessionsAreRestoredElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{session.Named("one", w.nftPolicy())})
	document, err := sess.Export()
	require.NoError(t, err)
	document.Leaves, document.Root = nil, common.Hash{}
	done(t)(w.owner.Send(t.Context(), []account.Call{w.setRoot(common.Hash{})}, account.Sponsored())) // another backend
	require.NoError(t, sess.On(w.client).Adopt(t.Context(), document))
	p, err := w.elsewhere(t).PrepareRestore(t.Context(), sess, nil, account.Sponsored())
	require.NoError(t, err)
	require.Contains(t, strings.Join(p.Describe(), "\n"), `Session "one" is restored: its key `)
	w.inForce(t)(w.submit(t, p))
	_, err = w.send(t, []account.Call{w.mint(t, w.owner.Address())}, account.WithSession(sess.ByID("one")))
	require.NoError(t, err)
}

// setRoot is what another backend does to the account.
func (w *world) setRoot(root common.Hash) account.Call {
	return account.Call{To: w.client.Contracts().Session.Manager, Data: append(common.FromHex("0x7cb64759"), root[:]...)}
}

// An unknown root is replaced where that was asked for, as the description says.
func TestAnUnknownRootIsReplacedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant(t, []policy.Policy{session.Named("one", w.nftPolicy())})
	done(t)(w.owner.Send(t.Context(), []account.Call{w.setRoot(common.HexToHash("0x77"))}, account.Sponsored()))
	owner, mint := w.elsewhere(t), []policy.Policy{session.Named("two", w.longer(2))}
	_, err := owner.PrepareGrant(t.Context(), w.store, mint, account.Sponsored())
	require.ErrorIs(t, err, session.ErrRootMismatch)
	p, err := owner.PrepareGrant(t.Context(), w.store, mint, account.Sponsored(), account.ReplaceRoot())
	require.NoError(t, err)
	require.Contains(t, strings.Join(p.Describe(), "\n"), "is none that this application knows, and is replaced")
	w.inForce(t)(w.submit(t, p))
}

// The modules register no owner that has code, as a wallet that delegates has it (EIP-7702); one that is
// registered stays the owner.
func TestAnOwnerWithCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	w.delegate(t)
	w.inForce(t)(w.submit(t, w.prepareGrant(t, "minting")))
	_, err := w.elsewhere(t, account.Index(1)).PrepareSend(t.Context(), []account.Call{{To: stranger}}, account.Sponsored(),
		account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(1e5), VerificationGasLimit: *uint256.NewInt(1e6), PreVerificationGas: *uint256.NewInt(1e5)}))
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "the ownership module registers no owner that has code")
}

// A session keeps acting while the wallet is open, in lane 0: what is prepared has another.
func TestSessionsActWhileTheWalletIsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{session.Named("one", w.nftPolicy())})
	p := w.prepareGrant(t, "minting")
	for range 2 {
		_, err := w.send(t, []account.Call{w.mint(t, w.owner.Address())}, account.WithLeafOf(sess))
		require.NoError(t, err)
	}
	w.inForce(t)(w.submit(t, p))
}

// Options that cannot hold until somebody signs are refused.
func TestOptionsThatDoNotApplyToWhatIsPrepared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lanes := w.client.NewLanes(account.LanesConfig{})
	t.Cleanup(func() { require.NoError(t, lanes.Close(context.WithoutCancel(t.Context()))) })
	for name, opt := range map[string]account.Option{
		"InLane":     account.InLane(lanes),
		"WithSigner": account.WithSigner(constSigner{}),
		"Once":       account.Once("key"),
		"Kept":       account.Kept(common.Hash{}, stranger),
		"StopNow":    account.StopNow(),
		"SignWithin": account.SignWithin(time.Millisecond),
	} {
		_, err := w.elsewhere(t).PrepareGrant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.Sponsored(), opt)
		require.ErrorIs(t, err, account.ErrConfig, name)
	}
	_, err := w.owner.Send(t.Context(), []account.Call{{To: stranger}}, account.SignWithin(time.Hour))
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "SignWithin does not apply here: it is for what is prepared")
}

// One signature for several chains.
func TestPreparedTogether(t *testing.T) {
	t.Parallel()
	var worlds []*world
	var clients []*account.Client
	key := accounttest.Key("joint owner")
	owner := account.OwnerAddress(crypto.PubkeyToAddress(key.PublicKey))
	store := session.Store(nil)
	for _, id := range []uint64{137, 42161, 80002} {
		w := newWorldOf(t, accounttest.ChainConfig{ChainID: id})
		w.owner = w.client.OwnedAccount(owner, account.Multichain())
		w.ownerKey, w.user = key, w.client.Account(w.owner.Address())
		worlds, clients = append(worlds, w), append(clients, w.client)
		if store == nil {
			store = w.store
		}
		w.store = worlds[0].store
		var err error
		w.key, err = w.store.NewKey(t.Context(), w.owner.Ref())
		require.NoError(t, err)
	}
	legs := make([]account.GrantLeg, len(worlds))
	for i, w := range worlds {
		legs[i] = account.GrantLeg{Account: w.owner, Policies: []policy.Policy{session.Named("minting", w.nftPolicy())}, Options: []account.Option{account.Sponsored()}}
	}
	prepared, err := account.PrepareGrantTogether(t.Context(), store, legs...)
	require.NoError(t, err)
	p := throughJSON(t, prepared)
	require.Len(t, p.Operations(), 3)
	sig, err := crypto.Sign(accounts.TextHash(common.FromHex(p.Request().Params[0])), key)
	require.NoError(t, err)
	kept := account.Kept(prepared.Hash(), worlds[0].owner.Address())

	_, err = worlds[0].client.Submit(t.Context(), store, p, sig, kept)
	require.ErrorIs(t, err, account.ErrConfig)
	_, err = account.SubmitTogether(t.Context(), store, p, sig, clients[:2], kept)
	require.ErrorContains(t, err, "no client of chain 80002, which operation 2 is for")
	_, err = account.SubmitTogether(t.Context(), store, p, sig, clients)
	require.ErrorIs(t, err, account.ErrConfig)

	// One leg that would be refused: none is sent.
	require.NoError(t, worlds[2].store.RemoveKey(t.Context(), worlds[2].owner.Ref(), worlds[2].key))
	_, err = account.SubmitTogether(t.Context(), store, p, sig, clients, kept)
	var failed *account.LegsError
	require.ErrorAs(t, err, &failed)
	require.ErrorIs(t, failed.Errs[2], session.ErrConflict)
	for _, w := range worlds {
		require.Zero(t, w.bundler.Bundles())
	}
	worlds[2].key, err = worlds[2].store.NewKey(t.Context(), worlds[2].owner.Ref())
	require.NoError(t, err)
	legs[2].Policies = []policy.Policy{session.Named("minting", worlds[2].nftPolicy())}
	p, err = account.PrepareGrantTogether(t.Context(), store, legs...)
	require.NoError(t, err)
	sig, err = crypto.Sign(accounts.TextHash(common.FromHex(p.Request().Params[0])), key)
	require.NoError(t, err)
	for range 2 { // the second time gives what the first began
		submitted, err := account.SubmitTogether(t.Context(), store, p, sig, clients)
		require.NoError(t, err)
		for i, w := range worlds {
			w.inForce(t)(submitted[i], nil)
		}
	}
	for _, w := range worlds {
		sess, err := session.Open(t.Context(), store, w.owner.Ref())
		require.NoError(t, err)
		_, err = w.send(t, []account.Call{w.mint(t, w.owner.Address())}, account.WithLeafOf(sess))
		require.NoError(t, err)
	}

	calls := make([]account.Leg, len(worlds))
	for i, w := range worlds {
		calls[i] = account.Leg{Account: w.owner, Calls: []account.Call{w.mint(t, stranger)}, Options: []account.Option{account.Sponsored()}}
	}
	p, err = account.PrepareTogether(t.Context(), calls...)
	require.NoError(t, err)
	sig, err = crypto.Sign(accounts.TextHash(common.FromHex(p.Request().Params[0])), key)
	require.NoError(t, err)
	submitted, err := account.SubmitTogether(t.Context(), nil, p, sig, clients)
	require.NoError(t, err)
	for i, w := range worlds {
		w.inForce(t)(submitted[i], nil)
	}

	other := worlds[1].client.OwnedAccount(account.OwnerAddress(stranger), account.Multichain())
	_, err = account.PrepareTogether(t.Context(), calls[0], account.Leg{Account: other, Calls: calls[1].Calls, Options: calls[1].Options})
	require.ErrorContains(t, err, "one owner signs all legs")
	_, err = account.PrepareTogether(t.Context())
	require.ErrorIs(t, err, policy.ErrInvalid)
	_, err = account.PrepareTogether(t.Context(), calls[0], calls[0])
	require.ErrorContains(t, err, "operations 0 and 1 have the same nonce")
}

// A window that is over is no window to prepare anything for.
func TestPreparedForAWindowThatIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.elsewhere(t, account.Multichain())
	leg := account.Leg{Account: owner, Calls: []account.Call{{To: stranger}}, Options: []account.Option{account.Sponsored()}}
	leg.Window = policy.Until(w.now().Add(-time.Hour))
	_, err := account.PrepareTogether(t.Context(), leg)
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "its window, until ")
	leg.Window = policy.Until(w.now().Add(time.Hour))
	_, err = account.PrepareTogether(t.Context(), leg)
	require.NoError(t, err)
}

// The fee in tokens is part of what is signed, and so is the approval.
func TestPreparedForAFeeInTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	_, err := w.chain.SendTx(t.Context(), token, nil, pack(t, "mint(address,uint256)", w.owner.Address(), uint64(1e12)))
	require.NoError(t, err)
	calls := []account.Call{w.mint(t, w.owner.Address())}
	owner := w.elsewhere(t)
	q := quote(t, owner, token, calls, account.ApproveExact())
	p, err := owner.PrepareSend(t.Context(), calls, account.PayWith(q), account.ApproveExact())
	require.NoError(t, err)
	text := strings.Join(p.Describe(), "\n")
	require.Contains(t, text, "The account pays in token "+token.Hex()+", at most "+q.MaxFee.Dec()+" base units, to paymaster ")
	require.Contains(t, text, "It lets "+q.Paymaster.Hex()+" take "+q.MaxFee.Dec()+" base units of token "+token.Hex())
	written, err := json.Marshal(p)
	require.NoError(t, err)
	other := strings.Replace(string(written), `"fee":{"token":"`+strings.ToLower(token.Hex()), `"fee":{"token":"`+strings.ToLower(w.chain.Contracts.Token.Hex()), 1)
	require.NotEqual(t, string(written), other)
	_, err = account.ParsePrepared([]byte(other))
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "its fee is said to be in token "+w.chain.Contracts.Token.Hex()+", and is in "+token.Hex())
	before := w.balance(t, token, w.owner.Address())
	w.inForce(t)(w.submit(t, p))
	require.Less(t, w.balance(t, token, w.owner.Address()), before)
	require.Equal(t, uint64(1), w.nfts(t))

	grant, err := owner.PrepareGrant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.PayWith(quote(t, owner, token, calls, account.ApproveExact())), account.ApproveExact())
	require.NoError(t, err)
	w.inForce(t)(w.submit(t, grant))
}

// The first operation is signed for the module that decided the address, later ones for the active one.
func TestPreparedForTheModuleThatListens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	multichain := w.client.MultichainModule(account.OwnerAddress(w.owner.Owner().Address()))
	owner := w.elsewhere(t, account.ActiveModule(multichain))
	first, err := owner.PrepareSetupAndEnableModule(t.Context(), multichain.Address, multichain.Setup, account.Sponsored())
	require.NoError(t, err)
	require.Equal(t, first.Operations()[0].UserOpHash.Hex(), first.Request().Params[0])
	w.inForce(t)(w.submit(t, first))
	then, err := owner.PrepareSend(t.Context(), []account.Call{{To: stranger}}, account.Sponsored(), account.SignWithin(time.Minute))
	require.NoError(t, err)
	require.NotEqual(t, then.Operations()[0].UserOpHash.Hex(), then.Request().Params[0], "with the window")
	require.Equal(t, then.Deadline(), then.Operations()[0].Until)
	w.inForce(t)(w.submit(t, then))
}

// A grant that hangs is ended by another operation with its nonce, which can be prepared, too.
func TestAGrantThatHangsIsEndedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(t)
	p := w.prepareGrant(t, "minting")
	w.bundler.Pause()
	_, err := w.submit(t, p)
	require.NoError(t, err)
	forgetful, err := accounttest.StartBundler(accounttest.BundlerConfig{Chain: w.chain})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, forgetful.Close()) })
	w.config.Bundler = bundler.New(forgetful.URL())
	nonce := p.Operations()[0].Operation.Nonce
	end, err := w.elsewhere(t).PrepareSend(t.Context(), []account.Call{{To: w.owner.Address()}}, account.WithNonce(&nonce), account.Sponsored())
	require.NoError(t, err)
	w.inForce(t)(w.submit(t, end))
	require.NoError(t, w.client.Account(w.owner.Address()).Reconcile(t.Context(), w.store))
	require.Empty(t, w.kept(t).Leaves)
	_, err = w.submit(t, p)
	require.ErrorIs(t, err, session.ErrConflict)
	require.ErrorContains(t, err, "was used by operation "+end.Operations()[0].UserOpHash.Hex())
}
