package session

import (
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session/internal/moment"
	"github.com/go-sesame/sesame/session/policy"
)

// RootPlan is a [RootChange] written down before anything is signed: what it was decided on, and what it
// does. It is plain data without secrets, which [RootPlan.Validate] checks and [Sessions.PlanAgain] decides
// anew, also in another process.
type RootPlan struct {
	// Before is the root that the store believed to be on chain, Root the one to set.
	Before common.Hash `json:"before"`
	Root   common.Hash `json:"root"`
	// Tree are the hashes of the leaves under Root, in the tree's order.
	Tree []common.Hash `json:"tree"`
	// Grant are the leaves that are new with it, Restore those that come back into the tree, and Remove those
	// that leave it: what is revoked, and what was revoked or has expired before.
	Grant   []Leaf `json:"grant,omitempty"`
	Restore []Leaf `json:"restore,omitempty"`
	Remove  []Leaf `json:"remove,omitempty"`
	// Revoke are the IDs of the leaves that never sign again once the change is begun.
	Revoke []string `json:"revoke,omitempty"`
}

// Plan writes the change down.
func (c *RootChange) Plan() *RootPlan {
	pending, state := c.change.Header.Pending, c.before.state()
	p := &RootPlan{Before: c.change.Header.Root, Root: pending.Root, Grant: []Leaf{}}
	adds, removes := set(pending.Add), set(pending.Remove)
	for i := range state.Leaves {
		switch leaf := &state.Leaves[i]; {
		case adds[leaf.ID]:
			p.Restore = append(p.Restore, leaf.Clone())
			delete(adds, leaf.ID)
		case removes[leaf.ID]:
			p.Remove = append(p.Remove, leaf.Clone())
		}
	}
	for i := range c.change.Put {
		switch leaf := &c.change.Put[i]; {
		case adds[leaf.ID]:
			p.Grant = append(p.Grant, leaf.Clone())
		case leaf.Status == StatusRevoked:
			p.Revoke = append(p.Revoke, leaf.ID)
		}
	}
	tree := c.before.treeWith(pending, p.Grant)
	for i := range tree.Len() {
		p.Tree = append(p.Tree, tree.Leaf(i))
	}
	return p
}

// Validate returns an error matching [policy.ErrInvalid] unless the plan holds together: its tree hashes to
// its root, has every leaf that it grants and restores, and none but those twice.
func (p *RootPlan) Validate() error {
	if root := merkle.New(p.Tree).Root(); root != p.Root {
		return fmt.Errorf("%w: the leaves of the planned root hash to %s, not to %s", policy.ErrInvalid, root, p.Root)
	}
	ids, places := make(map[string]bool), make(map[common.Hash]int)
	for _, hash := range p.Tree {
		places[hash]++
	}
	for _, enters := range [][]Leaf{p.Grant, p.Restore} {
		for i := range enters {
			leaf := &enters[i]
			places[leaf.Hash()]--
			switch {
			case places[leaf.Hash()] < 0:
				return fmt.Errorf("%w: %s is not in the tree of the planned root", policy.ErrInvalid, leaf.name())
			case ids[leaf.ID]:
				return fmt.Errorf("%w: session ID %q twice", policy.ErrInvalid, leaf.ID)
			case leaf.InTree:
				return fmt.Errorf("%w: %s is said to be in the tree already", policy.ErrInvalid, leaf.name())
			}
			ids[leaf.ID] = true
		}
	}
	for i := range p.Grant {
		if leaf := &p.Grant[i]; leaf.Status != StatusPending {
			return fmt.Errorf("%w: %s is granted as one that is %s", policy.ErrInvalid, leaf.name(), leaf.Status)
		} else if err := leaf.Validate(); err != nil {
			return err
		}
	}
	for i := range p.Remove {
		if leaf := &p.Remove[i]; ids[leaf.ID] || !leaf.InTree {
			return fmt.Errorf("%w: %s cannot leave the tree", policy.ErrInvalid, leaf.name())
		}
	}
	return nil
}

// PlanAgain decides on the same change anew, for the store as it is now: the result is the change that was
// written down, to be begun. Where it would be another one by now, the error matches [ErrConflict] and says
// what changed; where a change waits for the chain it matches [ErrPending], and where the window of a leaf to
// be granted is over [ErrExpired].
func (s *Sessions) PlanAgain(p *RootPlan) (*RootChange, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	v := s.view.Load()
	state := v.state()
	switch {
	case state.Pending != nil:
		return nil, fmt.Errorf("%w: a change of the session root of %s waits for operation %s", ErrPending, s.ref, state.Pending.OpHash)
	case state.Root != p.Before:
		return nil, fmt.Errorf("%w: the session root of %s was %s, and is %s now: another change of it landed", ErrConflict, s.ref, p.Before, state.Root)
	}
	for i := range p.Grant {
		switch leaf := &p.Grant[i]; {
		case leaf.checkEnd(s.now()) != nil:
			return nil, fmt.Errorf("%w: %s of %s ended at %s, before it was granted", ErrExpired, leaf.name(), s.ref, moment.Format(leaf.ValidUntil))
		case v.has(leaf.ID):
			return nil, fmt.Errorf("%w: session ID %q of %s is taken by now", ErrConflict, leaf.ID, s.ref)
		}
	}
	change := Change{Header: state.Header.clone()}
	pending := new(PendingRoot)
	change.Header.Pending = pending
	for i := range p.Restore {
		leaf := v.same(&p.Restore[i])
		if leaf == nil || leaf.InTree || leaf.StatusAt(s.now()) != StatusActive {
			return nil, fmt.Errorf("%w: %s of %s was to be restored, and is no session in force that was left out any more", ErrConflict, p.Restore[i].name(), s.ref)
		}
		pending.Add = append(pending.Add, leaf.ID)
		change.Put = append(change.Put, leaf.Clone())
	}
	for i := range p.Remove {
		leaf := v.same(&p.Remove[i])
		if leaf == nil || !leaf.InTree {
			return nil, fmt.Errorf("%w: %s of %s was to leave the tree, and is not in it any more", ErrConflict, p.Remove[i].name(), s.ref)
		}
		pending.Remove = append(pending.Remove, leaf.ID)
	}
	for _, id := range p.Revoke {
		if !v.has(id) {
			return nil, fmt.Errorf("%w: session %q of %s was to be revoked, and is not there any more", ErrConflict, id, s.ref)
		}
		if tombstone := v.leaf(id).Clone(); tombstone.Status != StatusRevoked {
			tombstone.Status = StatusRevoked
			change.Put = append(change.Put, tombstone)
		}
	}
	for i := range p.Grant {
		pending.Add = append(pending.Add, p.Grant[i].ID)
		change.Put = append(change.Put, p.Grant[i].Clone())
	}
	pending.Root = v.treeWith(pending, p.Grant).Root()
	if pending.Root != p.Root {
		return nil, fmt.Errorf("%w: the sessions of %s are not those that the change was decided on: with it their root would be %s, not %s", ErrConflict, s.ref, pending.Root, p.Root)
	}
	return &RootChange{sessions: s, version: state.Version, change: change, before: v}, nil
}

func (v *view) has(id string) bool {
	_, ok := v.find(id)
	return ok
}

// leaf returns the leaf with that ID, nil for none.
func (v *view) leaf(id string) *Leaf {
	i, ok := v.find(id)
	if !ok {
		return nil
	}
	return v.leaves.at(i)
}

// same returns the stored leaf that is the same one, nil for none.
func (v *view) same(leaf *Leaf) *Leaf {
	stored := v.leaf(leaf.ID)
	if stored == nil || stored.Hash() != leaf.Hash() || stored.Key != leaf.Key {
		return nil
	}
	return stored
}

// IDs returns the IDs of the sessions that the plan grants, in the order of the policies.
func (p *RootPlan) IDs() []string {
	ids := make([]string, len(p.Grant))
	for i := range p.Grant {
		ids[i] = p.Grant[i].ID
	}
	return ids
}

// Adds returns the IDs of the sessions that enter the tree, as [PendingRoot].Add has them.
func (p *RootPlan) Adds() []string {
	var ids []string
	for _, leaves := range [][]Leaf{p.Restore, p.Grant} {
		for i := range leaves {
			ids = append(ids, leaves[i].ID)
		}
	}
	return ids
}

// Clone returns a copy that shares no memory with p.
func (p *RootPlan) Clone() *RootPlan {
	clone := *p
	clone.Tree, clone.Revoke = slices.Clone(p.Tree), slices.Clone(p.Revoke)
	for _, leaves := range []*[]Leaf{&clone.Grant, &clone.Restore, &clone.Remove} {
		copied := make([]Leaf, len(*leaves))
		for i := range *leaves {
			copied[i] = (*leaves)[i].Clone()
		}
		*leaves = copied
	}
	return &clone
}
