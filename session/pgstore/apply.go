package pgstore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

const callApply = `select have, done, missing from sesame_apply(` + program + `,
	$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::json, $12, $13::text::json, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)`

// Apply implements [session.Store]: one statement in one round trip, whose function compares the version
// (sesame_apply, in the schema). After an error of the connection, the change may be stored or not: read the
// version.
func (s *Store) Apply(ctx context.Context, ref session.Ref, version uint64, change *session.Change) (uint64, error) {
	if err := s.check(ctx, ref); err != nil {
		return 0, err
	}
	if err := storekit.CheckChange(change); err != nil {
		return 0, err
	}
	doing := "change sessions of " + ref.String()
	ctx, cancel := bounded(ctx, s.lockTime)
	defer cancel()
	leave, err := s.enter(ctx, doing)
	if err != nil {
		return 0, err
	}
	defer leave()
	arguments, err := applyArguments(ref, version, change)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	var have uint64
	var done bool
	var missing []byte
	err = s.tries(ctx, beginWrite, func(batch *pgx.Batch) {
		batch.Queue(callApply, arguments...).QueryRow(func(row pgx.Row) error {
			return row.Scan(&have, &done, &missing)
		})
	})
	switch {
	case err != nil:
		return 0, s.fail(ctx, doing, err)
	case done:
		return have, nil
	case have != version:
		return 0, storekit.ConflictError(ref, version, have)
	}
	return 0, fmt.Errorf("%w: cannot delete leaf %q of %s", session.ErrNoLeaf, missing, ref)
}

// applyArguments are the arguments of sesame_apply. A version beyond bigint turns negative, which no version
// is.
func applyArguments(ref session.Ref, version uint64, change *session.Change) ([]any, error) {
	header, put := &change.Header, arraysOf(change.Put)
	var root, op, nonce []byte
	var add, remove [][]byte
	var operation *string
	var until uint64
	if p := header.Pending; p != nil {
		word := p.Nonce.Bytes32()
		root, op, nonce = p.Root[:], p.OpHash[:], word[:]
		add, remove = bytesOf(p.Add), bytesOf(p.Remove)
		until = p.Until
		if p.Operation != nil {
			text, err := json.Marshal(p.Operation)
			if err != nil {
				return nil, fmt.Errorf("write pending operation: %w", err)
			}
			operation = new(string(text))
		}
	}
	landed, err := encodeLanded(header.Landed)
	if err != nil {
		return nil, err
	}
	return []any{
		ref.ChainID, ref.Account[:], int64(version),
		header.Root[:], bytesOf(header.Order), root, op, nonce, add, remove, operation, until, landed,
		put.id, put.status, put.inTree, put.until, put.after, put.module, put.key, put.data, put.function,
		append([][]byte{}, bytesOf(change.Delete)...), // not null
	}, nil
}
