package tsstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/storekit"
	"github.com/go-sesame/sesame/session/tsstore"
)

// The account in testdata, whose files the TypeScript SDK wrote: one session active, two pending.
var ref = session.Ref{ChainID: 80002, Account: common.HexToAddress("0x9F0685Bd516F66Fd00dC05a7aC9D5B89c2CC31f9")}

const (
	sessionsFile = "0x9f0685bd516f66fd00dc05a7ac9d5b89c2cc31f9_sessions.json"
	signersFile  = "0x9f0685bd516f66fd00dc05a7ac9d5b89c2cc31f9_signers.json"
)

// openSDK opens a copy of what the SDK wrote.
func openSDK(t *testing.T) (*tsstore.Store, string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/sdk")))
	store, err := tsstore.OpenPlaintext(dir, ref.ChainID)
	require.NoError(t, err)
	return store, dir
}

func TestReadsWhatTheSDKWrites(t *testing.T) {
	store, _ := openSDK(t)

	state, err := store.Load(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, common.HexToHash("0x749f647463deb4198ee172a6c3fb4a5f62ab547ecb2d7d65a65501700935decb"), state.Root)
	require.Nil(t, state.Pending)
	require.Len(t, state.Leaves, 3)

	require.Equal(t, session.Leaf{
		ID: "46921cb70b", Status: session.StatusPending, InTree: true, Key: common.HexToAddress("0x4F06869E36F2De69d97e636E52B45F07A91b4fa6"),
		Compiled: policy.Compiled{
			ValidAfter: 1, Module: common.HexToAddress("0x000006bC2eCdAe38113929293d241Cf252D91861"), Data: common.FromHex("0x4F06869E36F2De69d97e636E52B45F07A91b4fa61758f42Af7026fBbB559Dc60EcE0De3ef81f665e40d097c30000000000000000000000000000000000010000000000000000000000000000009F0685Bd516F66Fd00dC05a7aC9D5B89c2CC31f9"),
		},
	}, state.Leaves[1])
	require.Equal(t, session.StatusActive, state.Leaves[0].Status)
	require.EqualValues(t, 1900000000, state.Leaves[0].ValidUntil)
	require.Equal(t, "mine", state.Leaves[2].ID)

	keys, err := store.Keys(t.Context(), ref)
	require.NoError(t, err)
	require.Len(t, keys, 3)
	for i := range state.Leaves {
		digest := crypto.Keccak256Hash([]byte("digest"))
		sig, err := store.SignDigest(t.Context(), session.SignRequest{Ref: ref, Key: state.Leaves[i].Key, Digest: digest})
		require.NoError(t, err)
		err = storekit.CheckSignature(sig, digest, state.Leaves[i].Key)
		require.NoError(t, err)
	}
}

func TestVersionIsOfTheFile(t *testing.T) {
	store, dir := openSDK(t)
	before, err := store.Version(t.Context(), ref)
	require.NoError(t, err)
	require.NotZero(t, before)

	path := filepath.Join(dir, sessionsFile)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(content, '\n'), 0o644))

	_, err = store.Apply(t.Context(), ref, before, &session.Change{})
	require.ErrorIs(t, err, session.ErrConflict)
}
