package filestore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/storekit"
)

// apply makes a change to an account at that version, as [storekit.Apply] does, but touches only the leaves
// concerned.
func apply(tx *bbolt.Tx, ref session.Ref, version uint64, change *session.Change) error {
	have, err := sessionsOf(tx, ref).version()
	if err != nil {
		return err
	}
	if have != version {
		return storekit.ConflictError(ref, version, have)
	}
	b, err := tx.Bucket(accountsBucket).CreateBucketIfNotExists(refKey(ref))
	if err != nil {
		return err
	}
	w, err := newLeafWriter(b)
	if err != nil {
		return err
	}
	if err := w.delete(change.Delete); err != nil {
		return err
	}
	if err := w.put(change.Put); err != nil {
		return err
	}
	header, err := json.Marshal(change.Header)
	if err != nil {
		return err
	}
	return b.Put(headKey, append(binary.BigEndian.AppendUint64(nil, version+1), header...))
}

// leafWriter changes the leaves of one account.
type leafWriter struct{ leaves, ids *bbolt.Bucket }

func newLeafWriter(b *bbolt.Bucket) (*leafWriter, error) {
	leaves, err := b.CreateBucketIfNotExists(leavesBucket)
	if err != nil {
		return nil, err
	}
	leaves.FillPercent = 0.9 // leaves are mostly appended
	ids, err := b.CreateBucketIfNotExists(idsBucket)
	return &leafWriter{leaves, ids}, err
}

// put replaces leaves by ID, and appends new ones.
func (w *leafWriter) put(put []session.Leaf) error {
	end := countOf(w.leaves)
	for i := range put {
		leaf := &put[i]
		if len(leaf.ID) > bbolt.MaxKeySize {
			return fmt.Errorf("%w: session ID of %d bytes, want at most %d", policy.ErrInvalid, len(leaf.ID), bbolt.MaxKeySize)
		}
		position := slices.Clone(w.ids.Get([]byte(leaf.ID)))
		if position == nil {
			position = positionKey(end)
			end++
		}
		if err := w.write(position, leaf.ID, encodeLeaf(leaf)); err != nil {
			return err
		}
	}
	return nil
}

func (w *leafWriter) write(position []byte, id string, record []byte) error {
	if err := w.ids.Put([]byte(id), position); err != nil {
		return err
	}
	return w.leaves.Put(position, record)
}

// delete forgets leaves and moves those behind them up. Usually these are few, as what is deleted was granted
// last.
func (w *leafWriter) delete(ids []string) error {
	end := countOf(w.leaves)
	gone, to := make(map[int]bool, len(ids)), end
	for _, id := range ids {
		position := w.ids.Get([]byte(id))
		if position == nil {
			return fmt.Errorf("%w: cannot delete leaf %q", session.ErrNoLeaf, id)
		}
		i := int(binary.BigEndian.Uint64(position))
		gone[i], to = true, min(to, i)
		if err := w.ids.Delete([]byte(id)); err != nil {
			return err
		}
	}
	for from := to; from < end; from++ {
		if gone[from] {
			continue
		}
		record := slices.Clone(w.leaves.Get(positionKey(from)))
		leaf, err := decodeLeaf(record)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", from, err)
		}
		if err := w.write(positionKey(to), leaf.ID, record); err != nil {
			return err
		}
		to++
	}
	for ; to < end; to++ {
		if err := w.leaves.Delete(positionKey(to)); err != nil {
			return err
		}
	}
	return nil
}
