package account_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

func callMsg(to common.Address, data []byte) ethereum.CallMsg {
	return ethereum.CallMsg{To: &to, Data: data}
}

var stranger = common.HexToAddress("0x00000000000000000000000000000000DeaDBeef")

func TestGrantAndUse(t *testing.T) {
	w := newWorld(t)
	granted := w.grant(t, []policy.Policy{w.nftPolicy()})
	require.Equal(t, 1, granted.Len())
	require.Equal(t, session.StatusActive, granted.Leaves()[0].Status)
	root, err := w.client.SessionRoot(t.Context(), w.user.Address())
	require.NoError(t, err)
	require.Equal(t, granted.Root(), root)

	sess, err := session.Open(t.Context(), w.store, w.user.Ref(), session.WithChain(w.client))
	require.NoError(t, err)
	receipt, err := w.send(t, []account.Call{w.mint(t, w.user.Address())}, account.WithSession(sess.Leaf(0)))
	require.NoError(t, err)
	require.True(t, receipt.Success)
	require.Equal(t, w.user.Address(), receipt.Sender)
	require.Equal(t, uint64(1), w.nfts(t))
}

func TestASecondGrantKeepsTheFirst(t *testing.T) {
	w := newWorld(t)
	w.grant(t, []policy.Policy{w.nftPolicy()})
	token := policy.ABI{
		Key: w.key, Contract: w.chain.Contracts.Token, Function: "mint(address to, uint256 amount)",
		Rules:  []policy.Rule{policy.Arg("amount", policy.LessThanOrEqual, 100)},
		Window: policy.Forever(),
	}
	sess := w.grant(t, []policy.Policy{token})
	require.Equal(t, 2, sess.Len())
	_, err := w.send(t, []account.Call{w.mint(t, w.user.Address())}, account.WithSession(sess.Leaf(0)))
	require.NoError(t, err)
	_, err = w.send(t, []account.Call{{To: w.chain.Contracts.Token, Data: pack(t, "mint(address,uint256)", w.user.Address(), 100)}},
		account.WithSession(sess.Leaf(1)))
	require.NoError(t, err)
	require.Equal(t, uint64(100), w.balance(t, w.chain.Contracts.Token, w.user.Address()))
}

// TestRefusals sends what a session does not allow: with the local check, and without it to the chain.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	now := w.now()
	expired, early := w.nftPolicy(), w.nftPolicy()
	expired.Window = policy.Until(now.Add(time.Minute))
	early.Window = policy.Between(now.Add(time.Hour), now.Add(2*time.Hour))
	paid := session.Named("paid", policy.ABI{
		Key: w.key, Contract: w.chain.Contracts.Target, Function: "store(uint256 number)",
		ValueLimit: *uint256.NewInt(10), Window: policy.Until(now.Add(time.Hour)),
	})
	w.grant(t, []policy.Policy{
		session.Named("minting", w.nftPolicy()), session.Named("expired", expired), session.Named("early", early), paid,
	})
	w.fund(t, 1)
	require.NoError(t, w.chain.AdjustTime(2*time.Minute))
	clock := func() time.Time { return w.now() }
	sess, err := session.Open(t.Context(), w.store, w.user.Ref(), session.WithClock(clock))
	require.NoError(t, err)

	mine := w.mint(t, w.user.Address())
	elsewhere := mine
	elsewhere.To = w.chain.Contracts.Token
	tests := []struct {
		name, leaf, local, chain string
		call                     account.Call
		is                       error
	}{
		{name: "wrong argument", leaf: "minting", call: w.mint(t, stranger),
			local: "rule 0 (to)", chain: "ABISV Arg Rule Violated"},
		{name: "wrong contract", leaf: "minting", call: elsewhere,
			local: "ABISV Destination Forbidden", chain: "ABISV Destination Forbidden"},
		{name: "wrong selector", leaf: "minting", call: account.Call{To: mine.To, Data: pack(t, "mint(address)", w.user.Address())},
			local: "ABISV Selector Forbidden", chain: "ABISV Selector Forbidden"},
		{name: "value over the limit", leaf: "paid", call: account.Call{To: w.chain.Contracts.Target, Value: *uint256.NewInt(11), Data: pack(t, "store(uint256)", 1)},
			local: "ABISV Permitted Value Exceeded", chain: "ABISV Permitted Value Exceeded"},
		{name: "short calldata", leaf: "minting", call: account.Call{To: mine.To, Data: mine.Data[:20]},
			local: "rule 0 (to)", chain: "AA23 reverted"},
		{name: "expired", leaf: "expired", call: mine, is: session.ErrExpired,
			local: "session is expired: session expired of " + w.user.Ref().String() + " ended at ", chain: "AA22 expired or not due"},
		{name: "not yet valid", leaf: "early", call: mine, is: session.ErrNotYetValid,
			local: "session is not yet valid: session early of " + w.user.Ref().String() + " starts at ", chain: "AA22 expired or not due"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := []account.Option{account.WithSession(sess.ByID(tt.leaf))}
			_, err := w.send(t, []account.Call{tt.call}, opts...)
			require.ErrorContains(t, err, tt.local)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			} else {
				var violation *policy.Violation
				require.ErrorAs(t, err, &violation)
			}
			_, err = w.send(t, []account.Call{tt.call}, append(opts, account.Unchecked())...)
			require.ErrorContains(t, err, tt.chain)
		})
	}
	require.Zero(t, w.nfts(t), "nothing was minted")
}

func TestUnknownLeafIsRefused(t *testing.T) {
	w := newWorld(t)
	w.grant(t, []policy.Policy{w.nftPolicy()})

	// A store that believes in a leaf the owner never granted.
	store := memstore.New()
	minting := w.nftPolicy()
	var err error
	minting.Key, err = store.NewKey(t.Context(), w.user.Ref())
	require.NoError(t, err)
	forged := w.activeLeaf(t, "forged", minting)
	_, err = store.Apply(t.Context(), w.user.Ref(), 0, &session.Change{Header: session.Header{Root: forged.Hash()}, Put: []session.Leaf{forged}})
	require.NoError(t, err)

	sess, err := session.Open(t.Context(), store, w.user.Ref())
	require.NoError(t, err)
	calls := []account.Call{w.mint(t, w.user.Address())}
	_, err = w.send(t, calls, account.WithSession(sess.Leaf(0)))
	require.ErrorIs(t, err, session.ErrRootMismatch)
	require.ErrorContains(t, err, "sessions that cannot be proven: forged")
	_, err = w.send(t, calls, account.WithSession(sess.Leaf(0)), account.Unchecked())
	require.ErrorContains(t, err, "SessionNotApproved")

	_, err = session.Open(t.Context(), store, w.user.Ref(), session.WithChain(w.client))
	require.ErrorIs(t, err, session.ErrRootMismatch)
}

func TestWrongKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	other, err := w.store.ImportKey(t.Context(), w.user.Ref(), key)
	require.NoError(t, err)
	state, err := w.store.Load(t.Context(), w.user.Ref())
	require.NoError(t, err)
	state.Leaves[0].Key = other
	_, err = w.store.Apply(t.Context(), w.user.Ref(), state.Version, &session.Change{Header: state.Header, Put: state.Leaves})
	require.NoError(t, err)
	require.NoError(t, sess.Refresh(t.Context()))

	calls := []account.Call{w.mint(t, w.user.Address())}
	_, err = w.send(t, calls, account.WithSession(sess.Leaf(0)))
	require.ErrorIs(t, err, session.ErrWrongKey)
	_, err = w.send(t, calls, account.WithSession(sess.Leaf(0)), account.Unchecked())
	require.ErrorContains(t, err, "AA24 signature error")

	require.NoError(t, w.store.RemoveKey(t.Context(), w.user.Ref(), other))
	_, err = w.send(t, calls, account.WithSession(sess.Leaf(0)), account.Unchecked())
	require.ErrorIs(t, err, session.ErrNoKey)
}

func TestModuleNotEnabledIsRefused(t *testing.T) {
	w := newWorld(t)
	// The root alone, without enabling the session key manager.
	leaf := w.activeLeaf(t, "a", w.nftPolicy())
	tx, err := w.owner.Send(t.Context(), []account.Call{{
		To: w.client.Contracts().Session.Manager, Data: pack(t, "setMerkleRoot(bytes32)", leaf.Hash()),
	}}, account.Sponsored())
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	_, err = w.store.Apply(t.Context(), w.user.Ref(), 0, &session.Change{Header: session.Header{Root: leaf.Hash()}, Put: []session.Leaf{leaf}})
	require.NoError(t, err)

	sess, err := session.Open(t.Context(), w.store, w.user.Ref())
	require.NoError(t, err)
	calls := []account.Call{w.mint(t, w.user.Address())}
	_, err = w.send(t, calls, account.WithSession(sess.Leaf(0)))
	require.ErrorIs(t, err, account.ErrModuleNotEnabled)
	require.ErrorContains(t, err, "module is not enabled: session key manager 0x000002FbFfedd9B33F4E7156F2DE8D48945E7489 on account "+w.user.Address().Hex())
	_, err = w.send(t, calls, account.WithSession(sess.Leaf(0)), account.Unchecked())
	require.ErrorContains(t, err, "AA23 reverted (or OOG)", "the EntryPoint hides custom errors of the account")
}

func TestFault14UndeployedAccountIsAnErrorAndNeverSomeoneElsesInitCode(t *testing.T) {
	w := newWorld(t)
	leaf := w.activeLeaf(t, "a", w.nftPolicy())
	_, err := w.store.Apply(t.Context(), w.user.Ref(), 0, &session.Change{Header: session.Header{Root: leaf.Hash()}, Put: []session.Leaf{leaf}})
	require.NoError(t, err)
	sess, err := session.Open(t.Context(), w.store, w.user.Ref())
	require.NoError(t, err)
	for _, opts := range [][]account.Option{nil, {account.Unchecked()}} {
		_, err = w.send(t, []account.Call{w.mint(t, w.user.Address())}, append(opts, account.WithSession(sess.Leaf(0)))...)
		require.ErrorIs(t, err, account.ErrNotDeployed)
		require.ErrorContains(t, err, "its owner deploys it with a first operation, a session cannot")
	}
}

func TestFault05TheKeyStaysInTheStoreItWasMadeIn(t *testing.T) {
	w := newWorld(t)
	w.grant(t, []policy.Policy{w.nftPolicy()})
	keys, err := w.store.Keys(t.Context(), w.user.Ref())
	require.NoError(t, err)
	require.Equal(t, []common.Address{w.key}, keys, "a grant makes no key of its own")
}
