package filestore

import (
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
	w, err := newLeafWriter(tx, ref)
	if err != nil {
		return err
	}
	if err := w.delete(change.Delete); err != nil {
		return err
	}
	touched, err := w.put(change.Put)
	if err != nil {
		return err
	}
	if err := w.noteRecent(version+1, touched, len(change.Delete) > 0); err != nil {
		return err
	}
	header, err := json.Marshal(change.Header)
	if err != nil {
		return err
	}
	return w.putHead(head{version + 1, w.end, header})
}

// leafWriter changes the leaves of one account.
type leafWriter struct {
	*sessions
	end int // how many leaves there are
}

func newLeafWriter(tx *bbolt.Tx, ref session.Ref) (*leafWriter, error) {
	if s := sessionsOf(tx, ref); s != nil {
		h, err := s.head()
		if err != nil {
			return nil, err
		}
		leaves := s.leaves()
		if leaves == nil || s.ids() == nil || countOf(leaves) != h.leaves {
			return nil, damaged("an account has not its %d leaves", h.leaves)
		}
		leaves.FillPercent = fillPercent
		return &leafWriter{s, h.leaves}, nil
	}
	name := refKey(ref)
	b, err := tx.Bucket(accountsBucket).CreateBucket(name)
	if err != nil {
		return nil, err
	}
	leaves, err := b.CreateBucket(leavesBucket)
	if err != nil {
		return nil, err
	}
	leaves.FillPercent = fillPercent
	if _, err := b.CreateBucket(idsBucket); err != nil {
		return nil, err
	}
	return &leafWriter{&sessions{b, name}, 0}, count(tx, func(c *census) { c.accounts++ })
}

// fillPercent is high, as leaves are mostly appended.
const fillPercent = 0.9

// put replaces leaves by ID, and appends new ones. It returns where they stand.
func (w *leafWriter) put(put []session.Leaf) (touched []int, err error) {
	for i := range put {
		leaf := &put[i]
		if len(leaf.ID) > bbolt.MaxKeySize {
			return nil, fmt.Errorf("%w: session ID of %d bytes, want at most %d", policy.ErrInvalid, len(leaf.ID), bbolt.MaxKeySize)
		}
		position, ok, err := w.position(leaf.ID)
		if err != nil {
			return nil, err
		}
		if !ok {
			position = w.end
			w.end++
		} else if _, err := w.leaf(position); err != nil {
			return nil, err
		}
		if err := w.write(position, leaf.ID, encodeLeaf(leaf)); err != nil {
			return nil, err
		}
		touched = append(touched, position)
	}
	return touched, nil
}

func (w *leafWriter) write(position int, id string, record []byte) error {
	key := positionKey(position)
	if err := w.ids().Put([]byte(id), withSum(idsBucket, w.at([]byte(id)), key)); err != nil {
		return err
	}
	return w.leaves().Put(key, withSum(leavesBucket, w.at(key), record))
}

// delete forgets leaves and moves those behind them up. Usually these are few, as what is deleted was granted
// last.
func (w *leafWriter) delete(ids []string) error {
	gone, to := make(map[int]bool, len(ids)), w.end
	for _, id := range ids {
		i, ok, err := w.position(id)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: cannot delete leaf %q", session.ErrNoLeaf, id)
		}
		gone[i], to = true, min(to, i)
		if err := w.ids().Delete([]byte(id)); err != nil {
			return err
		}
	}
	for from := to; from < w.end; from++ {
		if gone[from] {
			continue
		}
		record, err := w.leaf(from)
		if err != nil {
			return err
		}
		leaf, err := decodeLeaf(record)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", from, err)
		}
		if err := w.write(to, leaf.ID, slices.Clone(record)); err != nil {
			return err
		}
		to++
	}
	for i := to; i < w.end; i++ {
		if err := w.leaves().Delete(positionKey(i)); err != nil {
			return err
		}
	}
	w.end = to
	return nil
}
