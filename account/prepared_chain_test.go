package account_test

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// sign is ethereum.request() of what the backend sent as JSON.
func (w *world) sign(t *testing.T, p *account.Prepared) []byte {
	t.Helper()
	text, err := json.Marshal(p.Request())
	require.NoError(t, err)
	var request struct {
		Method string
		Params []hexutil.Bytes
	}
	require.NoError(t, json.Unmarshal(text, &request))
	require.Equal(t, "personal_sign", request.Method)
	require.Equal(t, crypto.PubkeyToAddress(w.ownerKey.PublicKey).Bytes(), []byte(request.Params[1]))
	sig, err := crypto.Sign(accounts.TextHash(request.Params[0]), w.ownerKey)
	require.NoError(t, err)
	sig[64] += 27
	return sig
}

// elsewhere is the owned account of an owner known by address alone, of a client of its own: another replica.
func (w *world) elsewhere(t *testing.T, opts ...account.OwnedOption) *account.OwnedAccount {
	t.Helper()
	return w.clientWith(t, account.Contracts{}).OwnedAccount(account.OwnerAddress(w.owner.Owner().Address()), opts...)
}

// throughJSON is what comes back from the browser.
func throughJSON(t *testing.T, p *account.Prepared) *account.Prepared {
	t.Helper()
	text, err := json.Marshal(p)
	require.NoError(t, err)
	back, err := account.ParsePrepared(text)
	require.NoError(t, err)
	require.Equal(t, p.Hash(), back.Hash())
	require.Equal(t, p.Describe(), back.Describe())
	require.Equal(t, p.Request(), back.Request())
	return back
}

func (w *world) submit(t *testing.T, p *account.Prepared, opts ...account.Option) (*account.Submitted, error) {
	t.Helper()
	opts = append([]account.Option{account.Kept(p.Hash(), w.owner.Address())}, opts...)
	return w.clientWith(t, account.Contracts{}).Submit(t.Context(), w.store, throughJSON(t, p), w.sign(t, p), opts...)
}

func (w *world) inForce(t *testing.T) func(*account.Submitted, error) *session.Sessions {
	return func(submitted *account.Submitted, err error) *session.Sessions {
		t.Helper()
		require.NoError(t, err)
		receipt, err := submitted.Wait(t.Context())
		require.NoError(t, err)
		require.True(t, receipt.Success)
		return submitted.Sessions()
	}
}

func TestOwnerSignsElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.elsewhere(t)
	require.Equal(t, w.owner.Address(), owner.Address())

	p, err := owner.PrepareGrant(t.Context(), w.store, []policy.Policy{session.Named("minting", w.nftPolicy())}, account.Sponsored())
	require.NoError(t, err)
	_, err = w.store.Load(t.Context(), owner.Ref())
	require.ErrorIs(t, err, session.ErrNotFound, "preparing stores nothing")
	for _, line := range p.Describe() {
		t.Log(line)
	}
	sess := w.inForce(t)(w.submit(t, p))
	require.Equal(t, session.StatusActive, sess.Leaves()[0].Status)
	_, err = w.send(t, []account.Call{w.mint(t, w.owner.Address())}, account.WithSession(sess.ByID("minting")))
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.nfts(t))

	p, err = owner.PrepareRevoke(t.Context(), sess, "minting", account.Sponsored())
	require.NoError(t, err)
	for _, line := range p.Describe() {
		t.Log(line)
	}
	_, err = w.send(t, []account.Call{w.mint(t, w.owner.Address())}, account.WithSession(sess.ByID("minting")))
	require.NoError(t, err, "until it is submitted")
	sess = w.inForce(t)(w.submit(t, p))
	require.Equal(t, session.StatusRevoked, sess.Leaves()[0].Status)
	require.Equal(t, common.Hash{}, sess.Root())
	_, err = w.send(t, []account.Call{w.mint(t, w.owner.Address())}, account.WithSession(sess.ByID("minting")))
	require.ErrorIs(t, err, session.ErrRevoked)
}
