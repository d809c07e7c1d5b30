package consumer_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/consumer"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// A user's unit test: grant, send and revoke in milliseconds, with neither contracts nor a network.
func TestMintOnTheModel(t *testing.T) {
	model := accounttest.NewModel(accounttest.ModelConfig{})
	owner, err := model.NewOwner(t.Context())
	require.NoError(t, err)
	nft, store := model.Contracts.NFT, memstore.New()
	key, err := store.NewKey(t.Context(), owner.Ref())
	require.NoError(t, err)
	sess, tx, err := owner.Grant(t.Context(), store, []policy.Policy{session.Named("mint", policy.ABI{
		Key:      key,
		Contract: nft,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, owner.Address())},
		Window:   policy.Until(time.Now().Add(time.Hour)),
	})}, account.Sponsored())
	require.NoError(t, err)
	_, err = sess.Activate(t.Context(), tx)
	require.NoError(t, err)

	require.NoError(t, consumer.Mint(t.Context(), model.Client(), store, owner.Address(), nft))

	throttled := &bundler.Error{Method: "eth_sendUserOperation", Code: -32504, Message: "throttled"}
	model.Bundler.Refuse(throttled, throttled) // it is asked once more: the chain finds nothing wrong
	err = consumer.Mint(t.Context(), model.Client(), store, owner.Address(), nft)
	require.ErrorIs(t, err, bundler.ErrBanned)
	require.True(t, userop.MayBeAccepted(err), "a refusal that the chain does not bear out is a claim")

	tx, err = owner.Revoke(t.Context(), sess, "mint", account.Sponsored())
	require.NoError(t, err)
	_, err = sess.Activate(t.Context(), tx)
	require.NoError(t, err)
	require.ErrorIs(t, consumer.Mint(t.Context(), model.Client(), store, owner.Address(), nft), session.ErrRevoked)
}
