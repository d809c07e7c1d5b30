package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/internal/testutil/storefixture"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
)

// mutations change every column of every table that holds sessions or keys to something else of its type.
var mutations = map[string][]string{
	"sesame_sessions": {
		"chain_id = chain_id + 1000", "account = set_byte(account, 0, 255 - get_byte(account, 0))", "version = version + 1", "leaves = leaves + 1",
		"leaves = leaves - 1", "root = set_byte(root, 5, 255 - get_byte(root, 5))", "tree_order = array['x'::bytea]",
		"pending_root = set_byte(pending_root, 0, 255 - get_byte(pending_root, 0))", "pending_op = set_byte(pending_op, 0, 255 - get_byte(pending_op, 0))",
		"pending_nonce = set_byte(pending_nonce, 31, 255 - get_byte(pending_nonce, 31))", "pending_add = array['x'::bytea]", "pending_add = pending_remove, pending_remove = pending_add",
		"pending_remove = array['x'::bytea]", "pending_operation = '{}'", "pending_operation = null", "pending_until = pending_until + 1",
		"pending_root = null, pending_op = null, pending_nonce = null, pending_add = null, pending_remove = null, pending_operation = null, pending_until = 0",
		"landed = null", "landed = '{}'", "landed = pending_operation, pending_operation = landed",
		"checksum = set_byte(checksum, 0, 255 - get_byte(checksum, 0))",
	},
	"sesame_leaves": {
		"chain_id = chain_id + 1000", "account = set_byte(account, 0, 255 - get_byte(account, 0))", "position = position + 1000", "id = id || 'x'",
		"status = 1 + status % 3", "status = 3 - status % 3", "status = 9", "in_tree = not in_tree", "valid_until = valid_until + 1", "valid_after = valid_after + 1",
		"module = set_byte(module, 0, 255 - get_byte(module, 0))", "key = set_byte(key, 0, 255 - get_byte(key, 0))", "data = data || '\\x00'",
		"data = ''", "function = function || ' '", "function = data, data = function", "checksum = set_byte(checksum, 0, 255 - get_byte(checksum, 0))",
	},
	"sesame_keys": {
		"chain_id = chain_id + 1000", "account = set_byte(account, 0, 255 - get_byte(account, 0))", "address = set_byte(address, 0, 255 - get_byte(address, 0))",
		"sealed = set_byte(sealed, 9, 255 - get_byte(sealed, 9))", "sealed = ''", "checksum = set_byte(checksum, 0, 255 - get_byte(checksum, 0))",
	},
	"sesame_data_keys": {
		"sealed = set_byte(sealed, 9, 255 - get_byte(sealed, 9))", "checksum = set_byte(checksum, 0, 255 - get_byte(checksum, 0))",
	},
}

// TestRowsChangedByHand changes and deletes each row of a database, one after the other: what is read is what
// was written, or an error that says so.
func TestRowsChangedByHand(t *testing.T) {
	url := server.URL(t)
	store := openFixture(t, url)
	require.NoError(t, storefixture.Write(t.Context(), store, 0))
	pgtest.Exec(t, url, `alter table sesame_leaves drop constraint sesame_leaves_status_check`)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	exec := func(statements string) {
		_, err := conn.Exec(t.Context(), statements)
		require.NoError(t, err, statements)
	}
	backup, restore := "", "delete from sesame_keys;"
	for _, table := range []string{"sesame_data_keys", "sesame_keys", "sesame_leaves", "sesame_sessions"} {
		backup += "create table kept_" + table + " as table " + table + ";"
		restore += "delete from " + table + "; insert into " + table + " table kept_" + table + ";"
	}
	exec(backup)
	for table, changes := range mutations {
		var rows int
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from "+table).Scan(&rows))
		for row := range rows {
			where := fmt.Sprintf(" where ctid = (select ctid from %s order by checksum offset %d limit 1)", table, row)
			for _, change := range changes {
				statement := "update " + table + " set " + change + where
				if _, err := conn.Exec(t.Context(), statement); err != nil {
					require.Regexp(t, "violates", err.Error(), statement) // the database itself refuses it
					continue
				}
				requireExactOrDamaged(t, store, statement)
				if table == "sesame_leaves" {
					_, err := store.List(t.Context(), session.Query{})
					requireDamage(t, conn, table, err, statement)
				}
				exec(restore)
			}
			if table != "sesame_data_keys" { // which the keys refer to
				statement := "delete from " + table + where
				exec(statement)
				requireExactOrDamaged(t, store, statement)
				exec(restore)
			}
		}
	}
	require.NoError(t, storefixture.Require(t.Context(), store, storefixture.Form, 0))
}

// requireDamage wants an error if a row is not what it was.
func requireDamage(t *testing.T, conn *pgx.Conn, table string, err error, statement string) {
	t.Helper()
	var changed int
	query := "select count(*) from (table " + table + " except table kept_" + table + ") as changed"
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&changed))
	if changed == 0 {
		require.NoError(t, err, statement)
		return
	}
	require.ErrorIs(t, err, session.ErrDamaged, statement)
}

func requireExactOrDamaged(t *testing.T, store *pgstore.Store, statement string) {
	t.Helper()
	for _, account := range storefixture.Accounts(storefixture.Form) {
		state, err := store.Load(t.Context(), account.Ref)
		_, versionErr := store.Version(t.Context(), account.Ref)
		if err != nil {
			require.ErrorIs(t, err, session.ErrDamaged, statement)
			require.ErrorContains(t, err, "load sessions of "+account.Ref.String()+": session store is damaged: ")
		} else {
			require.NoError(t, versionErr, statement)
			account.State.Version = 2
			require.Equal(t, &account.State, state, statement)
		}
		for _, n := range account.Keys {
			_, err := store.SignDigest(t.Context(), session.SignRequest{Ref: account.Ref, Key: crypto.PubkeyToAddress(storefixture.Key(n).PublicKey)})
			if err != nil && !errors.Is(err, session.ErrNoKey) {
				require.ErrorIs(t, err, session.ErrDamaged, statement)
			}
		}
	}
}

// TestDamageMoves has a change move a row that was changed by hand to another position.
func TestDamageMoves(t *testing.T) {
	url := server.URL(t)
	store := open(t, url)
	_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 3)})
	require.NoError(t, err)
	pgtest.Exec(t, url, `update sesame_leaves set status = 1 where position = 2`)
	_, err = store.Apply(t.Context(), testRef, 1, &session.Change{Delete: []string{newLeaf(0).ID}})
	require.NoError(t, err)
	_, err = store.Load(t.Context(), testRef)
	require.EqualError(t, err, "load sessions of "+testRef.String()+": session store is damaged: its row in sesame_leaves at position 1 was changed by something else than this program; restore the database from a backup")
}

// TestDamageIsNotPassedOn has changes touch rows that were changed by hand: none gives them a new checksum.
func TestDamageIsNotPassedOn(t *testing.T) {
	for name, test := range map[string]struct {
		damage, want string
		change       session.Change
	}{
		"session": {`update sesame_sessions set root = set_byte(root, 0, 7)`, "its row in sesame_sessions", session.Change{}},
		"put":     {`update sesame_leaves set status = 1 where position = 1`, "a row in sesame_leaves that was to be replaced", session.Change{Put: newLeaves(1, 2)}},
		"deleted": {`update sesame_leaves set status = 1 where position = 2`, "its row in sesame_leaves at position 2", session.Change{Delete: []string{newLeaf(2).ID}}},
	} {
		t.Run(name, func(t *testing.T) {
			url := server.URL(t)
			store := open(t, url)
			_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 3)})
			require.NoError(t, err)
			pgtest.Exec(t, url, test.damage)
			_, err = store.Apply(t.Context(), testRef, 1, &test.change)
			require.ErrorIs(t, err, session.ErrDamaged)
			require.EqualError(t, err, "change sessions of "+testRef.String()+": session store is damaged: "+test.want+" was changed by something else than this program; restore the database from a backup")
		})
	}
}
