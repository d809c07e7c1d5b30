package pgstore

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"

	"github.com/go-sesame/sesame/userop/outbox"
)

// scanEntry reads a row of entryColumns. It is one that a store can have written, or damaged.
func scanEntry(row pgx.Row) (outbox.Row, error) {
	e := new(outbox.Entry)
	var account, entryPoint, key, kind, asked, nonce, holder []byte
	var attempts string
	var outcome *string
	var created, updated, now int64
	var ended, lease *int64
	var state int16
	var intact bool
	if err := row.Scan(&e.ID, &e.Version, &e.ChainID, &account, &entryPoint, &key, &kind, &asked, &nonce, &attempts, &state,
		&outcome, &e.Given, &e.Reported, &holder, &created, &updated, &ended, &lease, &now, &intact); err != nil {
		return outbox.Row{}, err
	}
	name := fmt.Sprintf("row %d of sesame_outbox", e.ID)
	if !intact {
		return outbox.Row{}, damagedRow(name)
	}
	e.Account, e.EntryPoint = common.BytesToAddress(account), common.BytesToAddress(entryPoint)
	e.Key, e.Kind, e.Asked, e.Holder = string(key), string(kind), string(asked), string(holder)
	e.Nonce.SetBytes(nonce)
	e.State = outbox.State(state)
	e.CreatedAt, e.UpdatedAt = moment(&created), moment(&updated)
	e.EndedAt, e.LeaseUntil = moment(ended), moment(lease)
	if err := json.Unmarshal([]byte(attempts), &e.Attempts); err != nil {
		return outbox.Row{}, damaged("%s: %v", name, err)
	}
	if outcome != nil {
		if err := json.Unmarshal([]byte(*outcome), &e.Outcome); err != nil {
			return outbox.Row{}, damaged("%s: %v", name, err)
		}
	}
	if err := e.ValidateStored(); err != nil {
		return outbox.Row{}, damaged("%s: %v", name, err)
	}
	return outbox.Row{Entry: e, Now: moment(&now)}, nil
}

// moment returns a time in microseconds, zero for null.
func moment(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return time.UnixMicro(*micros).UTC()
}

// collectEntries reads all rows.
func collectEntries(list *[]*outbox.Entry) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		*list = nil
		for rows.Next() {
			row, err := scanEntry(rows)
			if err != nil {
				return err
			}
			*list = append(*list, row.Entry)
		}
		return nil
	}
}

// recordArguments are the arguments of recordEntry.
func recordArguments(r *outbox.Recording) ([]any, error) {
	s, a := &r.Send, &r.Attempt
	operation, err := json.Marshal(a.Operation)
	if err != nil {
		return nil, fmt.Errorf("write operation: %w", err)
	}
	nonce := a.Operation.Nonce.Bytes32()
	return []any{
		int64(s.ChainID), s.Account[:], s.EntryPoint[:], []byte(s.Key), []byte(s.Kind), []byte(s.Asked), nonce[:],
		a.Hash[:], string(operation), a.Hash.Hex(), int64(a.Until), []byte(r.Lease.Holder), r.Lease.TTL, int64(a.Reserved),
	}, nil
}

// updateArguments are the arguments of updateEntry.
func updateArguments(e, before *outbox.Entry) ([]any, error) {
	attempts, err := json.Marshal(e.Attempts)
	if err != nil {
		return nil, fmt.Errorf("write operations: %w", err)
	}
	var outcome *string
	if e.State != outbox.StateOpen {
		text, err := json.Marshal(e.Outcome)
		if err != nil {
			return nil, fmt.Errorf("write outcome: %w", err)
		}
		outcome = new(string(text))
	}
	hashes := make([][]byte, len(e.Attempts))
	for i := range e.Attempts {
		hashes[i] = e.Attempts[i].Hash[:]
	}
	return []any{
		int64(e.ID), int64(e.Version), hashes, string(attempts), int16(e.State), outcome, e.Given, e.Reported,
		e.UpdatedAt, orNull(e.EndedAt), []byte(e.Holder), orNull(e.LeaseUntil),
		int64(before.Version), []byte(before.Holder), orNull(before.LeaseUntil),
	}, nil
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
