package filestore

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// recent returns what is noted of the last changes: nothing where a program of before made the last one.
func (s *sessions) recent() (h storekit.History, err error) {
	stored := s.Get(recentKey)
	if stored == nil {
		return h, nil
	}
	b, err := checked(recentKey, s.ref, stored, "the last changes of an account")
	if err != nil {
		return h, err
	}
	h, ok := storekit.ParseHistory(b)
	if !ok {
		return h, damaged("the last changes of an account are none")
	}
	return h, nil
}

// noteRecent notes the change that makes that version.
func (s *sessions) noteRecent(version uint64, touched []int, whole bool) error {
	h, err := s.recent()
	if err != nil {
		return err
	}
	return s.Put(recentKey, withSum(recentKey, s.ref, h.After(version, touched, whole).Append(nil)))
}

// ChangesSince implements [session.Differ].
func (s *Store) ChangesSince(ctx context.Context, ref session.Ref, version uint64) (delta *session.Delta, err error) {
	err = s.file.view(ctx, func(tx *bbolt.Tx) error {
		b := sessionsOf(tx, ref)
		if b == nil {
			return storekit.NotFoundError(ref)
		}
		delta, err = b.changesSince(version)
		return err
	})
	if err != nil {
		return nil, s.in(err)
	}
	return delta, nil
}

// changesSince returns nil where the changes are not known.
func (s *sessions) changesSince(version uint64) (*session.Delta, error) {
	h, err := s.head()
	if err != nil {
		return nil, err
	}
	recent, err := s.recent()
	if err != nil {
		return nil, err
	}
	positions, ok := recent.Since(version, h.version)
	if !ok || s.leaves() == nil {
		return nil, nil
	}
	delta := &session.Delta{Version: h.version}
	if delta.Header, err = h.decode(); err != nil {
		return nil, err
	}
	for _, i := range positions {
		record, err := s.leaf(i)
		if err != nil {
			return nil, err
		}
		leaf, err := decodeLeaf(record)
		if err != nil {
			return nil, err
		}
		delta.Leaves = append(delta.Leaves, session.Placed{Position: i, Leaf: *leaf})
	}
	return delta, nil
}
