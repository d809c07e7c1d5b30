package storekit

import (
	"fmt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// Apply returns the state after a change with the version counted up, leaving the one before as it is. Stores
// that keep whole states use it, so that all stores agree on what a change means. Deleting a leaf that is not
// there is an error matching [session.ErrNoLeaf].
func Apply(s *session.State, c *session.Change) (*session.State, error) {
	if err := CheckChange(c); err != nil {
		return nil, err
	}
	put := make(map[string]*session.Leaf, len(c.Put))
	for i := range c.Put {
		put[c.Put[i].ID] = &c.Put[i]
	}
	drop := make(map[string]bool, len(c.Delete))
	for _, id := range c.Delete {
		drop[id] = true
	}
	next := session.State{Version: s.Version + 1, Header: c.Header, Leaves: make([]session.Leaf, 0, len(s.Leaves)+len(c.Put))}
	for _, leaf := range s.Leaves {
		if drop[leaf.ID] {
			delete(drop, leaf.ID)
			continue
		}
		if changed, ok := put[leaf.ID]; ok {
			leaf = *changed
			delete(put, leaf.ID)
		}
		next.Leaves = append(next.Leaves, leaf)
	}
	for id := range drop {
		return nil, fmt.Errorf("%w: cannot delete leaf %q", session.ErrNoLeaf, id)
	}
	for i := range c.Put {
		if _, isNew := put[c.Put[i].ID]; isNew {
			next.Leaves = append(next.Leaves, c.Put[i])
		}
	}
	return next.Clone(), nil
}

// CheckChange returns an error matching [policy.ErrInvalid] if the change can be applied to no state at all.
func CheckChange(c *session.Change) error {
	seen := make(map[string]bool, len(c.Put)+len(c.Delete))
	for i := range c.Put {
		leaf := &c.Put[i]
		if err := leaf.ValidateStored(); err != nil {
			return err
		}
		if seen[leaf.ID] {
			return fmt.Errorf("%w: leaf %q twice in one change", policy.ErrInvalid, leaf.ID)
		}
		seen[leaf.ID] = true
	}
	for _, id := range c.Delete {
		if seen[id] {
			return fmt.Errorf("%w: leaf %q twice in one change", policy.ErrInvalid, id)
		}
		seen[id] = true
	}
	return nil
}
