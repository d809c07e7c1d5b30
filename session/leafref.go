package session

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/internal/line"
	"github.com/go-sesame/sesame/session/policy"
)

// LeafRef chooses one of an account's sessions to act with. It is a cheap value; a choice that does not exist
// says so when it is used, so that calls can be chained.
type LeafRef struct {
	sessions *Sessions
	id       string
	at       int    // where it stood when it was chosen
	data     []byte // call-specific data for the router
	err      error
}

// Leaf chooses the leaf at a position: 0 is the first that was granted, never "none".
func (s *Sessions) Leaf(i int) LeafRef {
	v := s.view.Load()
	if i < 0 || i >= v.leaves.n {
		return LeafRef{err: s.noLeaf(i)}
	}
	return LeafRef{sessions: s, id: v.leaves.at(i).ID, at: i}
}

// ByID chooses the leaf with that ID.
func (s *Sessions) ByID(id string) LeafRef {
	v := s.view.Load()
	i, ok := v.find(id)
	if !ok {
		return LeafRef{err: fmt.Errorf("%w: %q of %s, which has %s", ErrNoLeaf, id, s.ref, v.state().idList())}
	}
	return LeafRef{sessions: s, id: id, at: i}
}

// ByKey chooses the only leaf of a session key that is not revoked or expired; several are an error matching
// [ErrAmbiguous] that lists them.
func (s *Sessions) ByKey(key common.Address) LeafRef {
	return s.only("key "+key.Hex(), func(l *Leaf) bool { return l.Key == key })
}

// only chooses the one usable leaf that fits.
func (s *Sessions) only(what string, fits func(*Leaf) bool) LeafRef {
	v, now := s.view.Load(), s.now()
	var found []string
	for i := range v.leaves.n {
		l := v.leaves.at(i)
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
	return LeafRef{err: fmt.Errorf("%w: %v of %s have %s; choose one by ID", ErrAmbiguous, idTexts(found), s.ref, what)}
}

// WithCallData adds call-specific data, which the batched session router hands to the leaf's validation
// module. The ABI and ERC-20 modules take none.
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
	return v.leaves.at(i).Clone(), nil
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
	i, err := r.in(v)
	return v, i, err
}

// in returns where the leaf stands in a view.
func (r *LeafRef) in(v *view) (int, error) {
	if r.at < v.leaves.n && v.leaves.at(r.at).ID == r.id {
		return r.at, nil
	}
	i, ok := v.find(r.id)
	if !ok {
		return 0, fmt.Errorf("%w: %s of %s is gone from the store", ErrNoLeaf, line.Text(r.id), r.sessions.ref)
	}
	return i, nil
}

// Find chooses, for each call, the leaf in force whose policy allows it, all of one key: of several the one
// that lasts longest and, of those that end together, the one granted last. So a session that was renewed
// before its end is followed by the new one. Where several keys may do all calls, the key whose leaves last
// longest does. [Sessions.FindOnly] chooses nothing by itself.
//
// None is an error matching [ErrNoLeaf], which says for which call, and why those that are for its contract
// and function do not do: it matches their reasons, too, such as [ErrExpired] or a *[policy.Violation]. A
// leaf outside the account's tree, such as one that is being granted, is chosen only where those in the tree
// do not do. Leaves of modules that cannot be judged locally are not found.
func (s *Sessions) Find(m policy.Modules, calls ...abi.Call) ([]LeafRef, error) {
	return s.findBy(m, calls, s.chooseLongest)
}

// FindOnly is [Sessions.Find] where there is nothing to choose: several ways are an error matching
// [ErrAmbiguous] that lists the leaves by ID.
func (s *Sessions) FindOnly(m policy.Modules, calls ...abi.Call) ([]LeafRef, error) {
	return s.findBy(m, calls, s.chooseOnly)
}

// findBy is Find with the way to choose among the leaves, listed by call, that allow it.
func (s *Sessions) findBy(m policy.Modules, calls []abi.Call, choose func(allowed [][]*Leaf, keys []common.Address) ([]LeafRef, error)) ([]LeafRef, error) {
	if len(calls) == 0 {
		return nil, fmt.Errorf("%w: find session leaves for no call", policy.ErrInvalid)
	}
	m = m.WithDefaults()
	v := s.view.Load()
	allowed, keys, err := s.find(m, v, calls, v.current().has)
	if errors.Is(err, ErrNoLeaf) {
		// A leaf that waits for its operation says so when it is used.
		waiting, keysWaiting, errWaiting := s.find(m, v, calls, func(int) bool { return true })
		if errWaiting == nil {
			allowed, keys, err = waiting, keysWaiting, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return choose(allowed, keys)
}

// find returns, for each call, the leaves in force that allow it, in the order they were granted, and the
// keys that have one for every call. Only leaves that are eligible, by position, are looked at.
func (s *Sessions) find(m policy.Modules, v *view, calls []abi.Call, eligible func(int) bool) ([][]*Leaf, []common.Address, error) {
	now, allowed := s.now(), make([][]*Leaf, len(calls))
	for i := range v.leaves.n {
		leaf := v.leaves.at(i)
		if !eligible(i) || leaf.Status == StatusRevoked || !leaf.during(now) {
			continue
		}
		for n := range calls {
			if leaf.Allows(m, calls[n]) {
				allowed[n] = append(allowed[n], leaf)
			}
		}
	}
	for n, leaves := range allowed {
		if len(leaves) == 0 {
			return nil, nil, s.notAllowed(m, v, n, calls[n], now)
		}
	}
	var keys []common.Address
	for _, leaf := range allowed[0] {
		if !slices.Contains(keys, leaf.Key) && slices.IndexFunc(allowed, func(leaves []*Leaf) bool { return len(ofKey(leaves, leaf.Key)) == 0 }) < 0 {
			keys = append(keys, leaf.Key)
		}
	}
	if len(keys) == 0 {
		return nil, nil, fmt.Errorf("%w: no one key of %s may do all %d calls; send them apart", ErrNoLeaf, s.ref, len(allowed))
	}
	return allowed, keys, nil
}

// chooseLongest takes the key whose leaves last longest, and of its leaves those that do.
func (s *Sessions) chooseLongest(allowed [][]*Leaf, keys []common.Address) ([]LeafRef, error) {
	v := s.view.Load()
	place := func(leaf *Leaf) int { i, _ := v.find(leaf.ID); return i }
	// later reports whether b is to be taken rather than a.
	later := func(a, b *Leaf) bool {
		if ends := cmp.Compare(a.end(), b.end()); ends != 0 {
			return ends < 0
		}
		return place(a) < place(b)
	}
	var refs []LeafRef
	var first *Leaf // the one of the chosen that ends first
	for _, key := range keys {
		chosen, ends := make([]LeafRef, len(allowed)), (*Leaf)(nil)
		for n := range allowed {
			leaves := ofKey(allowed[n], key)
			best := leaves[0]
			for _, leaf := range leaves[1:] {
				if later(best, leaf) {
					best = leaf
				}
			}
			if ends == nil || later(best, ends) {
				ends = best
			}
			chosen[n] = LeafRef{sessions: s, id: best.ID}
		}
		if first == nil || later(first, ends) {
			refs, first = chosen, ends
		}
	}
	return refs, nil
}

// chooseOnly takes what there is to take, if it is one leaf for each call.
func (s *Sessions) chooseOnly(allowed [][]*Leaf, keys []common.Address) ([]LeafRef, error) {
	refs := make([]LeafRef, len(allowed))
	for n, leaves := range allowed {
		leaves = slices.DeleteFunc(slices.Clone(leaves), func(leaf *Leaf) bool { return !slices.Contains(keys, leaf.Key) })
		if len(leaves) > 1 {
			ids := make([]string, len(leaves))
			for i, leaf := range leaves {
				ids[i] = leaf.ID
			}
			return nil, fmt.Errorf("%w: %v of %s allow call %d; choose by ID, or let Find choose", ErrAmbiguous, idTexts(ids), s.ref, n)
		}
		refs[n] = LeafRef{sessions: s, id: leaves[0].ID}
	}
	return refs, nil
}

// ofKey returns the leaves that belong to key.
func ofKey(leaves []*Leaf, key common.Address) (of []*Leaf) {
	for _, leaf := range leaves {
		if leaf.Key == key {
			of = append(of, leaf)
		}
	}
	return of
}

// ByTarget chooses the only leaf in force of a [policy.ABI] for that contract and function selector, or of a
// [policy.ERC20] for that token.
func (s *Sessions) ByTarget(m policy.Modules, contract common.Address, selector [4]byte) LeafRef {
	m = m.WithDefaults()
	what := fmt.Sprintf("target %s and selector 0x%x", contract, selector)
	return s.only(what, func(l *Leaf) bool { return l.Targets(m, contract, selector) })
}
