package storetest

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// newOperation returns an operation without an empty field.
func newOperation() *userop.Operation {
	n := *uint256.NewInt(7)
	return &userop.Operation{
		Sender: common.HexToAddress("0x0a"), Nonce: n, InitCode: []byte{1}, CallData: []byte{2},
		CallGasLimit: n, VerificationGasLimit: n, PreVerificationGas: n, MaxFeePerGas: n, MaxPriorityFeePerGas: n,
		PaymasterAndData: []byte{3}, Signature: crypto.Keccak256([]byte{4}),
	}
}

// testSuspend stops sessions while a change of the account's root waits for the chain: through one use of the
// store, and seen through another.
func (c *Config) testSuspend(t *testing.T) {
	stores, ref, keys := c.stores(t), c.ref(0), memstore.New()
	key, err := keys.NewKey(t.Context(), ref)
	require.NoError(t, err)
	leaves := newLeaves(0, 24)
	next := len(leaves) - 1
	for i := range leaves {
		leaves[i].Key, leaves[i].ValidAfter = key, 0
	}
	leaves[next].Status, leaves[next].InTree = session.StatusPending, false
	leaves[5].ID, leaves[6].ID = "granted before\nIDs were \x1b[1mone\u202e line", "\x00" // which must not keep them
	_, root := treeOf(leaves[:next]...)
	_, pendingRoot := treeOf(leaves[1:]...)
	header := session.Header{Root: root, Pending: &session.PendingRoot{
		Root: pendingRoot, OpHash: common.HexToHash("0x09"), Nonce: *uint256.NewInt(7), Operation: newOperation(), Until: 1_900_000_000,
		Add: []string{leaves[next].ID}, Remove: []string{leaves[0].ID},
	}}
	apply(t, stores[0], ref, session.Change{Header: header, Put: leaves})
	signs := func(sess *session.Sessions, id string) error {
		signer, err := session.NewSigner(policy.Modules{}, sess.ByID(id))
		require.NoError(t, err)
		_, err = signer.Force().Sign(t.Context(), &userop.Operation{Sender: ref.Account}, common.Hash{1})
		return err
	}
	here, err := session.Open(t.Context(), stores[0], ref, session.WithKeyring(keys))
	require.NoError(t, err)
	for _, leaf := range leaves {
		require.NoError(t, signs(here, leaf.ID))
	}

	var group errgroup.Group // all but the last two of the tree, one by one and at once
	for i := range leaves {
		if i == next-1 || i == next-2 {
			continue
		}
		group.Go(func() error {
			there, err := session.Open(t.Context(), stores[i%2], ref, session.WithKeyring(keys))
			if err != nil {
				return err
			}
			return there.Suspend(t.Context(), leaves[i].ID)
		})
		leaves[i].Status = session.StatusRevoked
	}
	require.NoError(t, group.Wait())
	state := stateOf(t, stores[0], ref)
	requireSame(t, &session.State{Header: header, Leaves: leaves}, state)
	require.NoError(t, here.Suspend(t.Context(), leaves[0].ID, leaves[next].ID))
	load(t, stores[0], ref, state.Version) // what is stopped already is no change
	for _, leaf := range leaves {
		if leaf.Status == session.StatusRevoked {
			require.ErrorIs(t, signs(here, leaf.ID), session.ErrRevoked)
		} else {
			require.NoError(t, signs(here, leaf.ID))
		}
	}

	require.NoError(t, here.SuspendAll(t.Context()))
	for i := range leaves {
		leaves[i].Status = session.StatusRevoked
		require.ErrorIs(t, signs(here, leaves[i].ID), session.ErrRevoked)
	}
	requireSame(t, &session.State{Header: header, Leaves: leaves}, stateOf(t, stores[1], ref))
}
