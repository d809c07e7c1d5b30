package session

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// LeafRef chooses one of an account's sessions to act with. It is a cheap value; a choice that does not
// exist says so when it is used, so that calls can be chained.
type LeafRef struct {
	sessions *Sessions
	id       string
	data     []byte // call-specific data for the router
	err      error
}

// Leaf chooses the leaf at a position: 0 is the first that was granted, never "none".
func (s *Sessions) Leaf(i int) LeafRef {
	leaves := s.view.Load().state.Leaves
	if i < 0 || i >= len(leaves) {
		return LeafRef{err: s.noLeaf(i)}
	}
	return LeafRef{sessions: s, id: leaves[i].ID}
}

// ByID chooses the leaf with that ID.
func (s *Sessions) ByID(id string) LeafRef {
	if _, ok := s.view.Load().byID[id]; !ok {
		return LeafRef{err: fmt.Errorf("%w: %q of %s", ErrNoLeaf, id, s.ref)}
	}
	return LeafRef{sessions: s, id: id}
}

// ByKey chooses the only leaf of a session key that is not revoked or expired; several are an error
// matching [ErrAmbiguous] that lists them.
func (s *Sessions) ByKey(key common.Address) LeafRef {
	return s.only("key "+key.Hex(), func(l *Leaf) bool { return l.Key == key })
}

// only chooses the one usable leaf that fits.
func (s *Sessions) only(what string, fits func(*Leaf) bool) LeafRef {
	state, now := s.view.Load().state, s.now()
	var found []string
	for i := range state.Leaves {
		l := &state.Leaves[i]
		if status := l.StatusAt(now); status != StatusRevoked && status != StatusExpired && fits(l) {
			found = append(found, l.ID)
		}
	}
	switch len(found) {
	case 0:
		return LeafRef{err: fmt.Errorf("%w: none of %s with %s is in force", ErrNoLeaf, s.ref, what)}
	case 1:
		return LeafRef{sessions: s, id: found[0]}
	}
	return LeafRef{err: fmt.Errorf("%w: %v of %s have %s; choose one by ID", ErrAmbiguous, found, s.ref, what)}
}

// WithCallData adds call-specific data, which the batched session router hands to the leaf's
// validation module. The ABI and ERC-20 modules take none.
func (r LeafRef) WithCallData(data []byte) LeafRef {
	r.data = bytes.Clone(data)
	return r
}

// Leaf returns a copy of the chosen leaf.
func (r LeafRef) Leaf() (Leaf, error) {
	v, i, err := r.resolve()
	if err != nil {
		return Leaf{}, err
	}
	return v.state.Leaves[i].Clone(), nil
}

// resolve finds the leaf in the newest view.
func (r LeafRef) resolve() (*view, int, error) {
	if r.err != nil {
		return nil, 0, r.err
	}
	if r.sessions == nil {
		return nil, 0, fmt.Errorf("%w: a LeafRef is made by Sessions.Leaf, ByID or ByKey", ErrNoLeaf)
	}
	v := r.sessions.view.Load()
	i, ok := v.byID[r.id]
	if !ok {
		return nil, 0, fmt.Errorf("%w: %s of %s is gone from the store", ErrNoLeaf, r.id, r.sessions.ref)
	}
	return v, i, nil
}
