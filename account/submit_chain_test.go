package account_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// prepareGrant prepares a grant of minting for the owner in the browser.
func (w *world) prepareGrant(t *testing.T, id string, opts ...account.Option) *account.Prepared {
	t.Helper()
	mint := w.nftPolicy()
	mint.Window = policy.Until(w.now().Add(3*time.Hour + time.Duration(len(id))*time.Minute)) // one of its own for each
	p, err := w.elsewhere(t).PrepareGrant(t.Context(), w.store, []policy.Policy{session.Named(id, mint)}, append(opts, account.Sponsored())...)
	require.NoError(t, err)
	return p
}

// deployed deploys the account and funds it.
func (w *world) deployed(t *testing.T) {
	t.Helper()
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	w.fund(t, 1)
}

// kept is what the store has, nil for nothing.
func (w *world) kept(t *testing.T) *session.State {
	t.Helper()
	state, err := w.store.Load(t.Context(), w.owner.Ref())
	if errors.Is(err, session.ErrNotFound) {
		return nil
	}
	require.NoError(t, err)
	return state
}

// delegate has the owner's address delegate to a contract (EIP-7702): there is code at it from then on.
func (w *world) delegate(t *testing.T) {
	t.Helper()
	ctx, client := t.Context(), w.chain.Client()
	auth, err := types.SignSetCode(w.ownerKey, types.SetCodeAuthorization{ChainID: *uint256.NewInt(w.chain.ChainID()), Address: w.chain.Contracts.NFT})
	require.NoError(t, err)
	from := accounttest.Key("delegates")
	require.NoError(t, w.chain.Fund(ctx, crypto.PubkeyToAddress(from.PublicKey), big.NewInt(1e18)))
	tx, err := types.SignNewTx(from, types.LatestSignerForChainID(new(big.Int).SetUint64(w.chain.ChainID())), &types.SetCodeTx{
		ChainID: uint256.NewInt(w.chain.ChainID()), GasTipCap: uint256.NewInt(1e9), GasFeeCap: uint256.NewInt(1e11), Gas: 200_000,
		To: stranger, AuthList: []types.SetCodeAuthorization{auth},
	})
	require.NoError(t, err)
	require.NoError(t, client.SendTransaction(ctx, tx))
	w.chain.Commit()
	code, err := client.CodeAt(ctx, crypto.PubkeyToAddress(w.ownerKey.PublicKey), nil)
	require.NoError(t, err)
	require.NotEmpty(t, code)
}

// Every way a submission can come wrong: nothing is stored or sent, and the error says what to do.
func TestSubmissionsThatComeWrong(t *testing.T) {
	t.Parallel()
	const anew = "prepare it anew, and have that signed"
	type submitted struct {
		p    *account.Prepared
		sig  []byte
		opts []account.Option // instead of Kept
	}
	kept := func(p *account.Prepared, w *world) []account.Option {
		return []account.Option{account.Kept(p.Hash(), w.owner.Address())}
	}
	for name, tt := range map[string]struct {
		do   func(t *testing.T, w *world) submitted
		is   error
		want []string
	}{
		"late by the library's own time": {func(t *testing.T, w *world) submitted {
			w.deployed(t)
			p, err := w.elsewhere(t).PrepareSend(t.Context(), []account.Call{{To: stranger, Value: *uint256.NewInt(1)}}, account.SignWithin(time.Minute))
			require.NoError(t, err)
			require.Contains(t, p.Describe()[len(p.Describe())-1], "Nothing on chain ends it")
			require.NoError(t, w.chain.AdjustTime(2*time.Minute))
			return submitted{p: p}
		}, userop.ErrExpired, []string{"its signature was to come until ", anew}},
		"late by the sponsorship": {func(t *testing.T, w *world) submitted {
			p := w.prepareGrant(t, "minting", account.SignWithin(24*time.Hour))
			require.NoError(t, w.chain.AdjustTime(2*time.Hour))
			return submitted{p: p}
		}, userop.ErrExpired, []string{"user operation expired: its sponsorship ended at ", anew}},
		"late by the multichain module's window": {func(t *testing.T, w *world) submitted {
			w.owner = w.client.OwnedAccount(w.owner.Owner(), account.Multichain())
			p, err := w.elsewhere(t, account.Multichain()).PrepareSend(t.Context(), []account.Call{{To: stranger}}, account.Sponsored(), account.SignWithin(time.Minute))
			require.NoError(t, err)
			require.NoError(t, w.chain.AdjustTime(2*time.Minute))
			return submitted{p: p}
		}, userop.ErrExpired, []string{"the window that it was signed with ended at ", anew}},
		"a session that ended before it was granted": {func(t *testing.T, w *world) submitted {
			w.deployed(t)
			short := w.nftPolicy()
			short.Window = policy.Until(w.now().Add(time.Minute))
			p, err := w.elsewhere(t).PrepareGrant(t.Context(), w.store, []policy.Policy{session.Named("short", short)}, account.Sponsored())
			require.NoError(t, err)
			require.NoError(t, w.chain.AdjustTime(2*time.Minute))
			return submitted{p: p}
		}, session.ErrExpired, []string{`session "short" ended at `, "before it was granted", anew}},
		"another wallet": {func(t *testing.T, w *world) submitted {
			p := w.prepareGrant(t, "minting")
			return submitted{p: p, sig: personalSign(t, accounttest.Key("mallory"), p)}
		}, account.ErrWrongOwner, []string{accounttestAddress("mallory").Hex() + " signed, not owner ", "have the wallet sign with that account"}},
		"another message": {func(t *testing.T, w *world) submitted {
			p, other := w.prepareGrant(t, "minting"), w.prepareGrant(t, "other")
			return submitted{p: p, sig: w.sign(t, other)}
		}, account.ErrWrongOwner, []string{" signed, not owner "}},
		"a contract wallet's signature": {func(t *testing.T, w *world) submitted {
			p := w.prepareGrant(t, "minting")
			return submitted{p: p, sig: append(w.sign(t, p), make([]byte, 32)...)}
		}, account.ErrBadSignature, []string{"signature has 97 bytes, want 65", "that of a wallet that is a contract (ERC-1271, ERC-6492)"}},
		"no signature": {func(t *testing.T, w *world) submitted {
			return submitted{p: w.prepareGrant(t, "minting"), sig: []byte{}}
		}, account.ErrBadSignature, []string{"signature has 0 bytes"}},
		"a malleable signature": {func(t *testing.T, w *world) submitted {
			p := w.prepareGrant(t, "minting")
			return submitted{p: p, sig: highS(w.sign(t, p))}
		}, account.ErrBadSignature, []string{"high s", "have the wallet sign again"}},
		"after another grant": {func(t *testing.T, w *world) submitted {
			p := w.prepareGrant(t, "minting")
			w.grant(t, []policy.Policy{session.Named("other", w.nftPolicy())})
			return submitted{p: p}
		}, session.ErrConflict, []string{"was deployed meanwhile", anew}},
		"after another grant, of an account that is there": {func(t *testing.T, w *world) submitted {
			w.grant(t, []policy.Policy{session.Named("first", w.nftPolicy())})
			p := w.prepareGrant(t, "minting")
			w.grant(t, []policy.Policy{session.Named("other", w.nftPolicy())})
			return submitted{p: p}
		}, session.ErrConflict, []string{": the session root of account ", " was 0x", ", and is 0x", anew}},
		"after another prepared grant": {func(t *testing.T, w *world) submitted {
			p, other := w.prepareGrant(t, "minting"), w.prepareGrant(t, "other")
			w.inForce(t)(w.submit(t, other))
			return submitted{p: p}
		}, session.ErrConflict, []string{" was used by operation 0x", anew}},
		"beside another grant on its way": {func(t *testing.T, w *world) submitted {
			w.grant(t, []policy.Policy{session.Named("first", w.nftPolicy())})
			p, other := w.prepareGrant(t, "minting"), w.prepareGrant(t, "other")
			w.bundler.Pause()
			_, err := w.submit(t, other)
			require.NoError(t, err)
			return submitted{p: p}
		}, session.ErrConflict, []string{"another change of the sessions was submitted", anew}},
		"after its session's ID was taken": {func(t *testing.T, w *world) submitted {
			w.grant(t, []policy.Policy{session.Named("first", w.nftPolicy())})
			p := w.prepareGrant(t, "minting")
			w.take(t, "minting")
			return submitted{p: p}
		}, session.ErrConflict, []string{`session ID "minting" of account `, " is taken by now", anew}},
		"after a module was enabled": {func(t *testing.T, w *world) submitted {
			w.deployed(t)
			p := w.prepareGrant(t, "minting")
			done(t)(w.owner.EnableModule(t.Context(), w.client.Contracts().Session.Manager))
			return submitted{p: p}
		}, session.ErrConflict, []string{"the modules of account ", anew}},
		"after the account changed hands": {func(t *testing.T, w *world) submitted {
			w.deployed(t)
			p := w.prepareGrant(t, "minting")
			done(t)(w.owner.TransferOwnership(t.Context(), stranger))
			return submitted{p: p}
		}, account.ErrWrongOwner, []string{"belongs to " + stranger.Hex(), "it is for that owner to have it prepared and to sign it"}},
		"after its session key was removed": {func(t *testing.T, w *world) submitted {
			p := w.prepareGrant(t, "minting")
			unused, err := session.UnusedKeys(t.Context(), w.store, w.owner.Ref())
			require.NoError(t, err)
			require.Equal(t, []common.Address{w.key}, unused)
			require.NoError(t, w.store.RemoveKey(t.Context(), w.owner.Ref(), w.key))
			return submitted{p: p}
		}, session.ErrConflict, []string{"session key ", " was removed meanwhile", anew}},
		"of an owner whose address has code by now, who cannot deploy": {func(t *testing.T, w *world) submitted {
			p := w.prepareGrant(t, "minting")
			w.delegate(t)
			return submitted{p: p}
		}, session.ErrConflict, []string{"there is code at the address of owner ", anew}},
		"parsed, and not named": {func(t *testing.T, w *world) submitted {
			return submitted{p: w.prepareGrant(t, "minting"), opts: []account.Option{}}
		}, account.ErrConfig, []string{"name with Kept the hash and the account"}},
		"another than the one that was kept": {func(t *testing.T, w *world) submitted {
			p, other := w.prepareGrant(t, "minting"), w.prepareGrant(t, "other")
			return submitted{p: p, opts: kept(other, w)}
		}, policy.ErrInvalid, []string{"it is not the one that was prepared"}},
		"for another account than the one that was kept": {func(t *testing.T, w *world) submitted {
			p := w.prepareGrant(t, "minting")
			return submitted{p: p, opts: []account.Option{account.Kept(p.Hash(), stranger)}}
		}, policy.ErrInvalid, []string{"it is for account ", ", not for " + stranger.Hex()}},
		"with an option of preparing": {func(t *testing.T, w *world) submitted {
			p := w.prepareGrant(t, "minting")
			return submitted{p: p, opts: append(kept(p, w), account.Sponsored())}
		}, account.ErrConfig, []string{"all else was decided when the operation was prepared"}},
		"above a cap": {func(t *testing.T, w *world) submitted {
			p := w.prepareGrant(t, "minting")
			return submitted{p: p, opts: append(kept(p, w), account.WithCaps(userop.Caps{MaxCost: uint256.NewInt(1)}))}
		}, userop.ErrCap, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := tt.do(t, w)
			if s.sig == nil {
				s.sig = w.sign(t, s.p)
			}
			if s.opts == nil {
				s.opts = kept(s.p, w)
			}
			before := w.kept(t)
			bundles := w.bundler.Bundles()
			_, err := w.clientWith(t, account.Contracts{}).Submit(t.Context(), w.store, throughJSON(t, s.p), s.sig, s.opts...)
			require.ErrorIs(t, err, tt.is)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
			require.False(t, userop.MayBeAccepted(err))
			require.Equal(t, before, w.kept(t), "nothing was stored")
			require.Equal(t, bundles, w.bundler.Bundles(), "nothing was sent")
		})
	}
}

// take has the store know a session of that ID, which stands in no tree.
func (w *world) take(t *testing.T, id string) {
	t.Helper()
	state := w.kept(t)
	leaf := w.activeLeaf(t, id, w.nftPolicy())
	leaf.InTree, leaf.Status = false, session.StatusRevoked
	_, err := w.store.Apply(t.Context(), w.owner.Ref(), state.Version, &session.Change{Header: state.Header, Put: []session.Leaf{leaf}})
	require.NoError(t, err)
}

func accounttestAddress(name string) common.Address {
	return crypto.PubkeyToAddress(accounttest.Key(name).PublicKey)
}

// personalSign is what a wallet answers whose selected account is another one.
func personalSign(t *testing.T, key *ecdsa.PrivateKey, p *account.Prepared) []byte {
	t.Helper()
	sig, err := crypto.Sign(accounts.TextHash(common.FromHex(p.Request().Params[0])), key)
	require.NoError(t, err)
	return sig
}

// highS is the other form of a signature.
func highS(sig []byte) []byte {
	sig = slices.Clone(sig)
	s := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(sig[32:64]))
	s.FillBytes(sig[32:64])
	sig[64] = 55 - sig[64]
	return sig
}

// What the module takes on chain, Submit takes, and nothing else; also where the owner's address has code.
func TestSignaturesAreJudgedAsTheModuleDoes(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]account.OwnedOption{"ECDSA": nil, "multichain": {account.Multichain()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.owner = w.client.OwnedAccount(w.owner.Owner(), opts...)
			done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
			w.delegate(t)
			for name, change := range map[string]func([]byte, *account.Prepared) []byte{
				"as it is":          func(sig []byte, _ *account.Prepared) []byte { return sig },
				"v of 0 or 1":       func(sig []byte, _ *account.Prepared) []byte { sig[64] -= 27; return sig },
				"of the bare bytes": func(_ []byte, p *account.Prepared) []byte { return w.signBare(t, p) },
				"v of 29":           func(sig []byte, _ *account.Prepared) []byte { sig[64] = 29; return sig },
				"the other v":       func(sig []byte, _ *account.Prepared) []byte { sig[64] = 55 - sig[64]; return sig },
				"high s":            func(sig []byte, _ *account.Prepared) []byte { return highS(sig) },
				"compact":           func(sig []byte, _ *account.Prepared) []byte { return sig[:64] },
				"r of zero":         func(sig []byte, _ *account.Prepared) []byte { return append(make([]byte, 32), sig[32:]...) },
				"longer":            func(sig []byte, _ *account.Prepared) []byte { return append(sig, 0) },
			} {
				t.Run(name, func(t *testing.T) {
					p, err := w.elsewhere(t, opts...).PrepareSend(t.Context(), []account.Call{{To: stranger}}, account.Sponsored())
					require.NoError(t, err)
					sig := change(w.sign(t, p), p)
					submitted, err := w.client.Submit(t.Context(), nil, p, slices.Clone(sig))
					// The module itself wants the v that Submit makes of 0 and 1.
					if len(sig) == 65 && sig[64] < 27 {
						sig[64] += 27
					}
					hash := common.HexToHash(p.Request().Params[0])
					asMessage := w.moduleTakes(t, common.BytesToHash(accounts.TextHash(hash[:])), sig)
					bare := w.moduleTakes(t, hash, sig)
					if !asMessage && !bare {
						require.Error(t, err)
						require.True(t, errors.Is(err, account.ErrBadSignature) || errors.Is(err, account.ErrWrongOwner), "%v", err)
						return
					}
					require.NoError(t, err)
					_, err = submitted.Wait(t.Context())
					require.NoError(t, err)
					require.Nil(t, submitted.Sessions())
				})
			}
		})
	}
}

// signBare signs the bytes themselves, as eth_sign of old did.
func (w *world) signBare(t *testing.T, p *account.Prepared) []byte {
	t.Helper()
	sig, err := crypto.Sign(common.FromHex(p.Request().Params[0]), w.ownerKey)
	require.NoError(t, err)
	sig[64] += 27
	return sig
}

// moduleTakes asks the ownership module itself, which takes a hash as it is or as that of a message.
func (w *world) moduleTakes(t *testing.T, hash common.Hash, sig []byte) bool {
	t.Helper()
	module := w.owner.Module().Address
	data := pack(t, "isValidSignatureForAddress(bytes32,bytes,address)", hash, sig, w.owner.Address())
	answer, err := w.chain.Client().CallContract(t.Context(), callMsg(module, data), nil)
	return err == nil && len(answer) >= 4 && common.Bytes2Hex(answer[:4]) == "1626ba7e"
}

// The same signature again, whenever and wherever, is the first submission's result.
func TestSubmittingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant(t, []policy.Policy{session.Named("first", w.nftPolicy())})
	p := w.prepareGrant(t, "minting")

	w.bundler.Pause()
	first, err := w.submit(t, p)
	require.NoError(t, err)
	second, err := w.submit(t, p)
	require.NoError(t, err)
	require.Equal(t, first.Pending().Hash(), second.Pending().Hash())
	w.bundler.Resume()
	require.Len(t, w.inForce(t)(second, nil).Leaves(), 2)
	w.inForce(t)(first, nil)

	w.inForce(t)(w.submit(t, p)) // after it landed
	w.grant(t, []policy.Policy{session.Named("third", w.nftPolicy())})
	require.NoError(t, w.chain.AdjustTime(48*time.Hour))
	w.inForce(t)(w.submit(t, p)) // late, and after another change
	require.Len(t, w.kept(t).Leaves, 3)

	// A send that stores nothing.
	mint := w.mint(t, w.owner.Address())
	p, err = w.elsewhere(t).PrepareSend(t.Context(), []account.Call{mint}, account.Sponsored())
	require.NoError(t, err)
	w.bundler.Pause()
	_, err = w.submit(t, p)
	require.NoError(t, err)
	again, err := w.submit(t, p)
	require.NoError(t, err)
	w.bundler.Resume()
	w.inForce(t)(again, nil)
	w.inForce(t)(w.submit(t, p))
	require.Equal(t, uint64(1), w.nfts(t))
}

// Replicas that submit the same at once agree.
func TestSubmittingAtManyReplicas(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]account.Option{"without a key": nil, "once": {account.Once("grant-17")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := onceWorld(t, nil)
			p := w.prepareGrant(t, "minting")
			var group sync.WaitGroup
			results := make([]*account.Submitted, 6)
			errs := make([]error, len(results))
			sig, opts := w.sign(t, p), append([]account.Option{account.Kept(p.Hash(), w.owner.Address())}, opts...)
			for i := range results {
				client, back := w.clientWith(t, account.Contracts{}), throughJSON(t, p)
				group.Go(func() { results[i], errs[i] = client.Submit(t.Context(), w.store, back, sig, opts...) })
			}
			group.Wait()
			for i := range results {
				w.inForce(t)(results[i], errs[i])
				require.Equal(t, p.Operations()[0].UserOpHash, results[i].Pending().Hash())
			}
			require.Len(t, w.kept(t).Leaves, 1)
		})
	}
}

// dying is a store whose process ends once it has stored something.
type dying struct {
	*memstore.Store
	dies bool
}

var errDied = errors.New("the process ended here")

func (d *dying) Apply(ctx context.Context, ref session.Ref, version uint64, change *session.Change) (uint64, error) {
	next, err := d.Store.Apply(ctx, ref, version, change)
	if d.dies && err == nil {
		panic(errDied)
	}
	return next, err
}

func (d *dying) ApplyRecording(ctx context.Context, ref session.Ref, version uint64, change *session.Change, recording outbox.Recording) (uint64, *outbox.Entry, error) {
	next, entry, err := d.Store.ApplyRecording(ctx, ref, version, change, recording)
	if d.dies && err == nil {
		panic(errDied)
	}
	return next, entry, err
}

// A process that ends between storing and sending leaves what the next submission, Reconcile or Run finishes.
func TestACrashWhileSubmitting(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opts   []account.Option
		finish func(t *testing.T, w *world, p *account.Prepared)
	}{
		"submitted again": {nil, func(t *testing.T, w *world, p *account.Prepared) { w.inForce(t)(w.submit(t, p)) }},
		"reconciled": {nil, func(t *testing.T, w *world, _ *account.Prepared) {
			require.NoError(t, w.client.ReconcileAll(t.Context(), w.store))
		}},
		"once, submitted again": {[]account.Option{account.Once("grant-17")}, func(t *testing.T, w *world, p *account.Prepared) {
			w.inForce(t)(w.submit(t, p, account.Once("grant-17")))
		}},
		"once, submitted again without its key": {[]account.Option{account.Once("grant-17")}, func(t *testing.T, w *world, p *account.Prepared) {
			w.inForce(t)(w.submit(t, p))
		}},
		"submitted again, once": {nil, func(t *testing.T, w *world, p *account.Prepared) {
			w.inForce(t)(w.submit(t, p, account.Once("grant-17")))
		}},
		"once, gone on with by Run": {[]account.Option{account.Once("grant-17")}, func(t *testing.T, w *world, p *account.Prepared) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.client.Run(ctx) }()
			require.Eventually(t, func() bool {
				e := w.entry(t, "grant-17")
				return e != nil && e.State == outbox.StateLanded
			}, time.Minute, 20*time.Millisecond)
			cancel()
			<-ended
			require.NoError(t, w.client.ReconcileAll(t.Context(), w.store))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := onceWorld(t, func(c *account.Config) { c.Lease = time.Second })
			p := w.prepareGrant(t, "minting")
			store := &dying{Store: w.store, dies: true}
			config := w.config
			config.Outbox = store
			client, err := account.NewClient(config)
			require.NoError(t, err)
			require.PanicsWithValue(t, errDied, func() {
				_, _ = client.Submit(t.Context(), store, p, w.sign(t, p), tt.opts...)
			})
			require.NotNil(t, w.kept(t).Pending)
			tt.finish(t, w, p)
			state := w.kept(t)
			require.Nil(t, state.Pending)
			require.Equal(t, session.StatusActive, state.Leaves[0].Status)
		})
	}
}

// What the bundler surely refused is undone, and the same signature can be submitted again.
func TestARefusedSubmissionIsUndone(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]account.Option{"without a key": nil, "once": {account.Once("grant-17")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, door := onceWorld(t, nil)
			p := w.prepareGrant(t, "minting")
			closed := bundler.New("http://127.0.0.1:1/")
			t.Cleanup(closed.Close)
			door.set(func(ctx context.Context, op *userop.Operation, _ func() (common.Hash, error)) (common.Hash, error) {
				return closed.SendUserOperation(ctx, op, w.client.Contracts().EntryPoint)
			})
			_, err := w.submit(t, p, opts...)
			require.Error(t, err)
			require.False(t, userop.MayBeAccepted(err), "%v", err)
			if state := w.kept(t); state != nil {
				require.Nil(t, state.Pending)
				require.Empty(t, state.Leaves)
			}
			door.set(nil)
			w.inForce(t)(w.submit(t, p, opts...))
		})
	}
}

// A key that was used for the same grant gives its result, whatever was signed since; for another it is one.
func TestSubmitOnce(t *testing.T) {
	t.Parallel()
	w, _ := onceWorld(t, nil)
	w.grant(t, []policy.Policy{session.Named("first", w.nftPolicy())})
	p, again := w.prepareGrant(t, "minting"), w.prepareGrant(t, "minting")
	w.inForce(t)(w.submit(t, p, account.Once("grant-17")))
	same, err := w.submit(t, again, account.Once("grant-17"))
	require.NoError(t, err)
	require.Equal(t, p.Operations()[0].UserOpHash, same.Pending().Hash())
	w.inForce(t)(same, nil)
	other := w.prepareGrant(t, "other")
	_, err = w.submit(t, other, account.Once("grant-17"))
	require.ErrorIs(t, err, account.ErrKeyReused)
	_, err = w.submit(t, other, account.Once("grant-18"))
	require.NoError(t, err)

	elsewhere := memstore.New()
	_, err = w.client.Submit(t.Context(), elsewhere, other, w.sign(t, other), account.Once("grant-19"))
	require.ErrorIs(t, err, account.ErrConfig)
}

// A grant that the chain took back after it had landed is sent again by submitting it again.
func TestSubmittedAgainAfterTheChainTookItBack(t *testing.T) {
	t.Parallel()
	for name, waits := range map[string]bool{"seen to have landed": true, "not seen": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForgetfulWorld(t)
			w.grant(t, []policy.Policy{session.Named("first", w.longer(5))})
			w.chain.Commit()
			p := w.prepareGrant(t, "minting")
			submitted, err := w.submit(t, p)
			require.NoError(t, err)
			if waits {
				w.inForce(t)(submitted, nil)
			} else {
				w.mined(t, submitted.Pending().Hash())
			}
			require.NoError(t, w.chain.Reorg(t.Context(), 1))
			w.chain.Commit()
			require.Len(t, w.inForce(t)(w.submit(t, p)).Leaves(), 2)
			w.requireRoot(t)
		})
	}
}

// What was submitted and replaced since, with its nonce and its root, is what the first submission began.
func TestSubmittedAgainAfterItWasReplaced(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]account.Option{"without a key": nil, "once": {account.Once("grant-17")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := onceWorld(t, nil)
			w.deployed(t)
			p := w.prepareGrant(t, "minting")
			w.bundler.Pause()
			submitted, err := w.submit(t, p, opts...)
			require.NoError(t, err)
			replacement, err := w.owner.Replace(t.Context(), submitted.Pending(), account.OfSessions(submitted.Sessions()))
			require.NoError(t, err)
			require.NotEqual(t, submitted.Pending().Hash(), replacement.Hash())
			again, err := w.submit(t, p, opts...)
			require.NoError(t, err)
			w.bundler.Resume()
			w.inForce(t)(again, nil)
			w.inForce(t)(submitted, nil)
			w.inForce(t)(w.submit(t, p, opts...)) // after it landed
			require.Equal(t, session.StatusActive, w.kept(t).Leaves[0].Status)
			require.Nil(t, w.kept(t).Pending)
		})
	}
}

// Whatever is done to a signature, Submit says of it what the module says.
func TestSpoiltSignaturesAreJudgedAsTheModuleDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	p, err := w.elsewhere(t).PrepareSend(t.Context(), []account.Call{{To: stranger}}, account.Sponsored())
	require.NoError(t, err)
	elsewhere := newWorldOf(t, accounttest.ChainConfig{ChainID: 137}).client // where the signature is judged, and nothing sent
	random, n, taken := rand.New(rand.NewPCG(14, 2)), crypto.S256().Params().N, 0
	hash := common.HexToHash(p.Request().Params[0])
	for i := range 300 {
		sig := w.sign(t, p)
		if random.IntN(2) == 0 {
			sig = w.signBare(t, p)
		}
		for range random.IntN(3) {
			half := sig[32*random.IntN(2):][:32]
			switch random.IntN(8) {
			case 0:
				sig[random.IntN(65)] ^= 1 << random.IntN(8)
			case 1:
				sig[64] = byte(random.IntN(256))
			case 2:
				sig[64] = byte(random.IntN(2))
			case 3:
				sig = highS(sig[:65])
			case 4:
				copy(half, make([]byte, 32))
			case 5: // at and about the order
				new(big.Int).Add(n, big.NewInt(int64(random.IntN(3)-1))).FillBytes(half)
			case 6: // at and about the half of it
				new(big.Int).Add(new(big.Int).Rsh(n, 1), big.NewInt(int64(random.IntN(3)-1))).FillBytes(sig[32:64])
			case 7:
				copy(half, bytes.Repeat([]byte{0xff}, 32))
			}
		}
		_, err := elsewhere.Submit(t.Context(), nil, p, slices.Clone(sig))
		require.Error(t, err)
		takes := !errors.Is(err, account.ErrBadSignature) && !errors.Is(err, account.ErrWrongOwner)
		if sig[64] < 2 { // which Submit writes as the module wants it
			sig[64] += 27
		}
		is := w.moduleTakes(t, common.BytesToHash(accounts.TextHash(hash[:])), sig) || w.moduleTakes(t, hash, sig)
		require.Equal(t, is, takes, "%d: %x: %v", i, sig, err)
		if takes {
			taken++
		}
	}
	require.Greater(t, taken, 50)
	require.Less(t, taken, 250)
}

// A grant that is stuck, of an owner who signs elsewhere, gives way as the error of Cancel says.
func TestAStuckGrantGivesWayElsewhere(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]account.Option{"without a key": nil, "once": {account.Once("grant-17")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testAStuckGrantGivesWay(t, opts)
		})
	}
}

func testAStuckGrantGivesWay(t *testing.T, opts []account.Option) {
	w, _ := onceWorld(t, nil)
	w.deployed(t)
	p := w.prepareGrant(t, "minting")
	w.bundler.Pause()
	submitted, err := w.submit(t, p, opts...)
	require.NoError(t, err)
	owner := w.elsewhere(t)
	_, err = owner.Replace(t.Context(), submitted.Pending(), account.OfSessions(submitted.Sessions()))
	require.ErrorIs(t, err, account.ErrNoSigner)
	require.ErrorContains(t, err, "prepare it with the nonce of the one that is stuck and higher fees (WithNonce, WithFees)")
	_, err = owner.Cancel(t.Context(), submitted.Pending(), account.OfSessions(submitted.Sessions()))
	require.ErrorIs(t, err, account.ErrNoSigner)
	require.ErrorContains(t, err, "prepare it with the nonce of the one that is stuck and higher fees (WithNonce, WithFees)")

	stuck := p.Operations()[0].Operation
	fees := stuck.Fees()
	fees.MaxFeePerGas.Lsh(&fees.MaxFeePerGas, 1)
	fees.MaxPriorityFeePerGas.Lsh(&fees.MaxPriorityFeePerGas, 1)
	end, err := owner.PrepareSend(t.Context(), []account.Call{{To: owner.Address()}}, account.WithNonce(&stuck.Nonce), account.WithFees(fees), account.Sponsored())
	require.NoError(t, err)
	ending, err := w.submit(t, end)
	require.NoError(t, err)
	w.bundler.Resume()
	w.inForce(t)(ending, nil)
	_, err = submitted.Wait(t.Context())
	require.ErrorIs(t, err, userop.ErrReplaced)
	require.NoError(t, w.client.ReconcileAll(t.Context(), w.store))
	require.Empty(t, w.kept(t).Leaves)
	again, err := w.submit(t, p, opts...)
	if len(opts) > 0 { // the key tells how it ended
		require.NoError(t, err)
		_, err = again.Wait(t.Context())
		require.ErrorIs(t, err, userop.ErrReplaced)
	} else {
		require.ErrorIs(t, err, session.ErrConflict)
	}
	w.inForce(t)(w.submit(t, w.prepareGrant(t, "minting")))
}

// The root may have changed meanwhile, if it is what it was.
func TestSubmittedAfterTheRootChangedAndChangedBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant(t, []policy.Policy{session.Named("first", w.nftPolicy())})
	p := w.prepareGrant(t, "minting")
	sess := w.grant(t, []policy.Policy{session.Named("between", w.longer(3))})
	tx, err := w.owner.Revoke(t.Context(), sess, "between", account.Sponsored())
	require.NoError(t, err)
	_, err = sess.Activate(t.Context(), tx)
	require.NoError(t, err)
	require.Len(t, w.inForce(t)(w.submit(t, p)).Leaves(), 3)
	w.requireRoot(t)
}

// The very same send under another key is the first submission's result, never one to prepare anew: it would
// be made twice.
func TestASendSubmittedUnderAnotherKey(t *testing.T) {
	t.Parallel()
	w, _ := onceWorld(t, nil)
	w.deployed(t)
	p, err := w.elsewhere(t).PrepareSend(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, account.Sponsored())
	require.NoError(t, err)
	w.bundler.Pause()
	for _, opts := range [][]account.Option{nil, {account.Once("one")}, {account.Once("two")}, {account.Once("one")}, nil} {
		submitted, err := w.submit(t, p, opts...)
		require.NoError(t, err)
		require.Equal(t, p.Operations()[0].UserOpHash, submitted.Pending().Hash())
	}
	w.bundler.Resume()
	for _, key := range []string{"one", "two", "three"} {
		w.inForce(t)(w.submit(t, p, account.Once(key)))
	}
	require.Equal(t, uint64(1), w.nfts(t))
}
