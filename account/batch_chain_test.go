package account_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// tokenPolicy allows minting at most 100 of the demo token.
func (w *world) tokenPolicy() policy.ABI {
	return policy.ABI{
		Key: w.key, Contract: w.chain.Contracts.Token, Function: "mint(address to, uint256 amount)",
		Rules: []policy.Rule{
			policy.Arg("to", policy.Equal, w.owner.Address()),
			policy.Arg("amount", policy.LessThanOrEqual, 100),
		},
		Window: policy.Until(w.now().Add(time.Hour)),
	}
}

func (w *world) mintTokens(t *testing.T, amount uint64) account.Call {
	t.Helper()
	return account.Call{To: w.chain.Contracts.Token, Data: pack(t, "mint(address,uint256)", w.owner.Address(), amount)}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nft := w.nftPolicy()
	short := w.tokenPolicy()
	short.Window = policy.Until(w.now().Add(time.Minute))
	other := w.tokenPolicy()
	var err error
	other.Key, err = w.store.NewKey(t.Context(), w.owner.Ref())
	require.NoError(t, err)
	granted := w.grant(t, []policy.Policy{
		session.Named("nft", nft), session.Named("token", w.tokenPolicy()), session.Named("short", short), session.Named("other", other),
	}, account.ForBatches())
	sess, err := session.Open(t.Context(), w.store, w.user.Ref(), session.WithClock(w.now), session.WithChain(w.client))
	require.NoError(t, err)
	require.Equal(t, granted.Root(), sess.Root())
	calls := []account.Call{w.mint(t, w.user.Address()), w.mintTokens(t, 60)}

	t.Run("two policies", func(t *testing.T) {
		receipt, err := w.send(t, calls, account.WithSession(sess.ByID("nft"), sess.ByID("token")))
		require.NoError(t, err)
		require.True(t, receipt.Success)
		require.Equal(t, uint64(1), w.nfts(t))
		require.Equal(t, uint64(60), w.balance(t, w.chain.Contracts.Token, w.user.Address()))
	})
	t.Run("one call as a batch", func(t *testing.T) {
		_, err := w.send(t, calls[:1], account.WithSession(sess.ByID("nft")), account.AsBatch())
		require.NoError(t, err)
		require.Equal(t, uint64(2), w.nfts(t))
	})
	t.Run("call-specific data", func(t *testing.T) {
		_, err := w.send(t, calls, account.WithSession(sess.ByID("nft").WithCallData([]byte("proof")), sess.ByID("token")))
		require.NoError(t, err)
		require.Equal(t, uint64(3), w.nfts(t))
	})
	t.Run("found by preflight", func(t *testing.T) {
		_, err := w.send(t, calls, account.WithOnlyLeafOf(sess))
		require.ErrorIs(t, err, session.ErrAmbiguous, "token and short both allow the second call")
		require.ErrorContains(t, err, "[token short]")
		_, err = w.send(t, calls[:1], account.WithLeafOf(sess))
		require.NoError(t, err)
		require.Equal(t, uint64(4), w.nfts(t))
		_, err = w.send(t, []account.Call{w.mint(t, stranger)}, account.WithLeafOf(sess))
		require.ErrorIs(t, err, session.ErrNoLeaf)
	})
	t.Run("wrong order", func(t *testing.T) {
		order := account.WithSession(sess.ByID("token"), sess.ByID("nft"))
		_, err := w.send(t, calls, order)
		require.ErrorContains(t, err, "call 0: session token: contract: ")
		require.ErrorContains(t, err, "ABISV Destination Forbidden")
		_, err = w.send(t, calls, order, account.Unchecked())
		require.ErrorContains(t, err, "AA23 reverted: ABISV Destination Forbidden")
	})
	t.Run("wrong argument", func(t *testing.T) {
		bad := []account.Call{calls[0], w.mintTokens(t, 101)}
		leaves := account.WithSession(sess.ByID("nft"), sess.ByID("token"))
		_, err := w.send(t, bad, leaves)
		require.ErrorContains(t, err, "call 1: session token: rule 1 (amount): 101 must be ≤ 100")
		_, err = w.send(t, bad, leaves, account.Unchecked())
		require.ErrorContains(t, err, "ABISV Arg Rule Violated")
	})
	t.Run("missing leaf", func(t *testing.T) {
		_, err := w.send(t, calls, account.WithSession(sess.ByID("nft")))
		require.ErrorIs(t, err, account.ErrConfig)
		require.ErrorContains(t, err, "2 calls with 1 session leaves; each call needs its leaf")
		signer, err := session.NewBatchSigner(w.client.Contracts().Session, sess.ByID("nft"))
		require.NoError(t, err)
		_, err = w.send(t, calls, account.WithSigner(signer))
		require.ErrorContains(t, err, "Lengths mismatch")
	})
	t.Run("mixed keys", func(t *testing.T) {
		_, err := w.send(t, calls, account.WithSession(sess.ByID("nft"), sess.ByID("other")))
		require.ErrorIs(t, err, session.ErrWrongKey)
		require.ErrorContains(t, err, "one key signs a batch")
	})
	t.Run("a single call's signature on a batch", func(t *testing.T) {
		signer, err := session.NewSigner(w.client.Contracts().Session, sess.ByID("nft"))
		require.NoError(t, err)
		_, err = w.send(t, calls, account.WithSigner(signer))
		require.ErrorContains(t, err, "ABISV Not Execute Selector")
	})
	t.Run("one expired", func(t *testing.T) {
		require.NoError(t, w.chain.AdjustTime(2*time.Minute))
		leaves := account.WithSession(sess.ByID("nft"), sess.ByID("short"))
		_, err := w.send(t, calls, leaves)
		require.ErrorIs(t, err, session.ErrExpired)
		_, err = w.send(t, calls, leaves, account.Unchecked())
		require.ErrorContains(t, err, "AA22 expired or not due")
	})
}

func TestBatchNeedsTheRouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sess := w.grant(t, []policy.Policy{w.nftPolicy(), session.Named("token", w.tokenPolicy())})
	leaves := account.WithSession(sess.Leaf(0), sess.Leaf(1))
	calls := []account.Call{w.mint(t, w.user.Address()), w.mintTokens(t, 1)}
	_, err := w.send(t, calls, leaves)
	require.ErrorIs(t, err, account.ErrModuleNotEnabled)
	require.ErrorContains(t, err, "batched session router 0x00000D09967410f8C76752A104c9848b57ebba55")
	_, err = w.send(t, calls, leaves, account.Unchecked())
	require.ErrorContains(t, err, "AA23 reverted (or OOG)")

	// A later grant enables it, without enabling the manager again.
	w.grant(t, []policy.Policy{session.Named("extra", w.tokenPolicy())}, account.ForBatches())
	require.NoError(t, sess.Refresh(t.Context()))
	_, err = w.send(t, calls, leaves)
	require.NoError(t, err)
}

func TestERC20Policy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token
	sess := w.grant(t, []policy.Policy{policy.ERC20{
		Key: w.key, Token: token, Recipient: stranger, MaxAmount: *uint256.NewInt(50),
		Window: policy.Until(w.now().Add(time.Hour)),
	}})
	_, err := w.chain.SendTx(t.Context(), token, nil, pack(t, "mint(address,uint256)", w.owner.Address(), 1000))
	require.NoError(t, err)
	transfer := func(to common.Address, amount uint64) []account.Call {
		return []account.Call{{To: token, Data: contracts.Transfer(to, *uint256.NewInt(amount))}}
	}
	_, err = w.send(t, transfer(stranger, 50), account.WithSession(sess.Leaf(0)))
	require.NoError(t, err)
	require.Equal(t, uint64(50), w.balance(t, token, stranger))
	for _, opts := range [][]account.Option{nil, {account.Unchecked()}} {
		opts = append(opts, account.WithSession(sess.Leaf(0)))
		_, err = w.send(t, transfer(stranger, 51), opts...)
		require.ErrorContains(t, err, "ERC20SV Max Amount Exceeded")
		_, err = w.send(t, transfer(w.key, 1), opts...)
		require.ErrorContains(t, err, "ERC20SV Wrong Recipient")
	}
}
