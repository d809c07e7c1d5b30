package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/seal"
)

// The commands that look and stop do the same with a database, beside whoever else works on it.
func TestPostgreSQL(t *testing.T) {
	url := server.URL(t)
	w := newWorld(t)
	sealer, err := seal.NewKeyAEAD([]byte("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"))
	require.NoError(t, err)
	running, err := pgstore.Open(t.Context(), url, pgstore.Config{Sealer: sealer})
	require.NoError(t, err)
	defer running.Close()
	carol := w.owner("carol")
	sess := w.grant(t.Context(), running, carol, minting(w.key(running, carol.Ref(), "carol's session key"), carol.Address()))
	leaf := sess.Leaves()[0]

	w.env["SESAME_STORE"] = "@" + w.file("store.url", url+"\n")
	require.Contains(t, w.ok(exitOK, "inspect"), "PostgreSQL database: 1 account, 1 session")
	require.Contains(t, w.ok(exitOK, "inspect", "-account", carol.Address().Hex(), "-node", "http://node.example"), "the store's root")
	w.ok(exitOK, "stop", "-yes", "-everything", "-why", "a drill", "-who", "me")
	stops, err := running.Stops(t.Context())
	require.NoError(t, err)
	require.Len(t, stops, 1)
	w.ok(exitOK, "lift", "-yes", "everything")
	w.ok(exitOK, "rotate", "-yes", "-new-seal", "key:"+w.file("next.key", "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"))
	require.Contains(t, w.fails(exitFailed, "inspect"), "is -seal the secret")
	w.env["SESAME_SEAL"] = "" // which looking and stopping do not need
	require.Contains(t, w.fails(exitFailed, "export", "-account", carol.Address().Hex(), "-keys", "-seal-for", "key:"+w.dir+"/next.key"), "name the file of the secret with -seal")
	w.ok(exitOK, "suspend", "-yes", "-key", leaf.Key.Hex())
	require.Contains(t, w.ok(exitAction, "inspect"), "stopped here, standing on chain")
}
