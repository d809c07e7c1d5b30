package pgstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

const (
	// sessionIntact tells whether a row fits its checksum.
	sessionIntact = `checksum = sesame_session_sum(chain_id, account, version, leaves, root, tree_order,
			pending_root, pending_op, pending_nonce, pending_add, pending_remove, pending_operation, pending_until, landed)`
	selectVersion = `select version, ` + sessionIntact + ` from sesame_sessions where chain_id = $1 and account = $2`

	selectSession = `select version, root, tree_order, pending_root, pending_op, pending_nonce, pending_add, pending_remove,
			pending_operation::text, pending_until, landed::text, leaves, ` + sessionIntact + `
		from sesame_sessions where chain_id = $1 and account = $2`

	selectLeaves = `select position, ` + leafColumns + ` from sesame_leaves where chain_id = $1 and account = $2 order by position`
)

// Load implements [session.Store]: one snapshot in one round trip.
func (s *Store) Load(ctx context.Context, ref session.Ref) (*session.State, error) {
	if err := s.check(ctx, ref); err != nil {
		return nil, err
	}
	var state *session.State
	var leaves int
	err := s.round(ctx, beginRead, func(batch *pgx.Batch) {
		state = new(session.State)
		batch.Queue(selectSession, ref.ChainID, ref.Account[:]).QueryRow(func(row pgx.Row) error {
			return ignoreNoRows(scanSession(row, state, &leaves))
		})
		batch.Queue(selectLeaves, ref.ChainID, ref.Account[:]).Query(func(rows pgx.Rows) (err error) {
			state.Leaves, err = collectLeaves(rows, ref)
			return err
		})
	})
	switch {
	case err != nil:
		return nil, s.fail(ctx, "load sessions of "+ref.String(), err)
	case state.Version == 0:
		if len(state.Leaves) > 0 {
			return nil, fmt.Errorf("load sessions of %s: %w", ref, damaged("its row in sesame_sessions is missing"))
		}
		return nil, storekit.NotFoundError(ref)
	case len(state.Leaves) != leaves:
		return nil, fmt.Errorf("load sessions of %s: %w", ref, damaged("it has %d rows in sesame_leaves and should have %d", len(state.Leaves), leaves))
	}
	return state, nil
}

// Version implements [session.Store].
func (s *Store) Version(ctx context.Context, ref session.Ref) (version uint64, err error) {
	if err := s.check(ctx, ref); err != nil {
		return 0, err
	}
	err = s.round(ctx, beginRead, func(batch *pgx.Batch) { queueVersion(batch, ref, &version) })
	if err != nil {
		return 0, s.fail(ctx, "read session version of "+ref.String(), err)
	}
	return version, nil
}

// queueVersion reads the version of ref, 0 where it was never stored.
func queueVersion(batch *pgx.Batch, ref session.Ref, version *uint64) {
	*version = 0
	batch.Queue(selectVersion, ref.ChainID, ref.Account[:]).QueryRow(func(row pgx.Row) error {
		var intact bool
		err := row.Scan(version, &intact)
		if err == nil && !intact {
			*version, err = 0, damagedRow("its row in sesame_sessions")
		}
		return ignoreNoRows(err)
	})
}

func ignoreNoRows(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// scanSession reads a row of selectSession.
func scanSession(row pgx.Row, state *session.State, leaves *int) error {
	var root, pendingRoot, pendingOp, pendingNonce []byte
	var order, add, remove [][]byte
	var operation, landed *string
	var until uint64
	var intact bool
	if err := row.Scan(&state.Version, &root, &order, &pendingRoot, &pendingOp, &pendingNonce, &add, &remove, &operation, &until, &landed, leaves, &intact); err != nil {
		return err
	}
	if !intact {
		return damagedRow("its row in sesame_sessions")
	}
	state.Root = common.BytesToHash(root)
	state.Order = stringsOf(order)
	if pendingRoot != nil {
		state.Pending = &session.PendingRoot{
			Root:   common.BytesToHash(pendingRoot),
			OpHash: common.BytesToHash(pendingOp),
			Add:    stringsOf(add),
			Remove: stringsOf(remove),
			Until:  until,
		}
		state.Pending.Nonce.SetBytes(pendingNonce)
		if operation != nil {
			if err := json.Unmarshal([]byte(*operation), &state.Pending.Operation); err != nil {
				return damaged("pending operation: %v", err)
			}
		}
	}
	var err error
	state.Landed, err = decodeLanded(landed)
	return err
}

func stringsOf(list [][]byte) []string {
	if len(list) == 0 {
		return nil
	}
	out := make([]string, len(list))
	for i := range list {
		out[i] = string(list[i])
	}
	return out
}

// bytesOf is the reverse of stringsOf; an empty list is null.
func bytesOf(list []string) [][]byte {
	if len(list) == 0 {
		return nil
	}
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = []byte(list[i])
	}
	return out
}
