package consumer_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"example.com/consumer"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// grant has an owner grant a session for minting NFTs.
func grant(t *testing.T, devnet *accounttest.Devnet, store *memstore.Store, nft common.Address) (*account.OwnedAccount, *session.Sessions) {
	t.Helper()
	owner, err := devnet.NewOwner(t.Context())
	require.NoError(t, err)
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
	return owner, sess
}

// Grant, send and revoke on the real contracts.
func TestMintOnAChain(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	nft, store := devnet.Chain.Contracts.NFT, memstore.New()
	owner, sess := grant(t, devnet, store, nft)

	require.NoError(t, consumer.Mint(t.Context(), devnet.Client, store, owner.Address(), nft))

	tx, err := owner.Revoke(t.Context(), sess, "mint", account.Sponsored())
	require.NoError(t, err)
	_, err = sess.Activate(t.Context(), tx)
	require.NoError(t, err)
	require.ErrorIs(t, consumer.Mint(t.Context(), devnet.Client, store, owner.Address(), nft), session.ErrRevoked)
}

// A day later the session has ended, on chain as here.
func TestSessionsEnd(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	nft, store := devnet.Chain.Contracts.NFT, memstore.New()
	owner, sess := grant(t, devnet, store, nft)
	require.NoError(t, devnet.Chain.AdjustTime(24*time.Hour))
	data := []account.Call{{To: nft, Data: common.FromHex("0x40d097c3000000000000000000000000" + owner.Address().Hex()[2:])}}
	_, err := owner.Send(t.Context(), data, account.WithSession(sess.Leaf(0)), account.Sponsored(), account.Unchecked())
	require.ErrorContains(t, err, "AA2")
}

// A bundler that fails in the way it is told, before the real one.
func TestBundlerThatIsBusy(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	busy := bundlertest.NewServer(t, bundlertest.Config{Forward: devnet.Bundler.URL()})
	busy.On("eth_sendUserOperation", bundlertest.Fail(-32000, "try another bundler"))
	nft, store := devnet.Chain.Contracts.NFT, memstore.New()
	owner, _ := grant(t, devnet, store, nft)

	client := newClient(t, devnet, bundler.New(busy.URL()), paymaster.New(devnet.Paymaster.URL()))
	require.ErrorContains(t, consumer.Mint(t.Context(), client, store, owner.Address(), nft), "try another bundler")
	require.Equal(t, 3, busy.Count("eth_sendUserOperation"), "words that leave it open whether it was accepted: the same bytes again")
}

// A paymaster that refuses, before the real one.
func TestPaymasterThatRefuses(t *testing.T) {
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	mean := paymastertest.NewServer(t, paymastertest.Config{Forward: devnet.Paymaster.URL()})
	mean.On("pm_sponsorUserOperation", paymastertest.Fail(-32000, "daily budget is used up"))
	nft, store := devnet.Chain.Contracts.NFT, memstore.New()
	owner, _ := grant(t, devnet, store, nft)

	client := newClient(t, devnet, bundler.New(devnet.Bundler.URL()), paymaster.New(mean.URL()))
	require.ErrorContains(t, consumer.Mint(t.Context(), client, store, owner.Address(), nft), "daily budget is used up")
}

func newClient(t *testing.T, devnet *accounttest.Devnet, send *bundler.Client, sponsor *paymaster.Client) *account.Client {
	t.Helper()
	t.Cleanup(send.Close)
	t.Cleanup(sponsor.Close)
	client, err := account.NewClient(account.Config{
		ChainID: devnet.Chain.ChainID(), Chain: devnet.Node, Bundler: send, Paymaster: sponsor,
	})
	require.NoError(t, err)
	return client
}
