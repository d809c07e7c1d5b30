package session

import (
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/internal/moment"
	"github.com/go-sesame/sesame/session/policy"
)

// Leaf is one session as a store keeps it: what its policy compiled to, which is the leaf of the account's
// Merkle tree on chain, and what is known of it besides.
type Leaf struct {
	// ID names the leaf within its [Ref]; it is not part of the leaf on chain.
	ID string
	// Status is what the store knows; see [Leaf.StatusAt] for what time makes of it.
	Status Status
	// InTree says that the leaf belongs to the tree of [State.Root]. A revoked leaf stays in that
	// tree until the chain shows a root without it.
	InTree bool
	// Key is the address of the session key that signs.
	Key common.Address
	policy.Compiled
}

// Policy reads the leaf back as the policy it was made of; see [policy.Compiled.Policy].
func (l *Leaf) Policy(m policy.Modules) (policy.Policy, error) {
	p, err := l.Compiled.Policy(m, l.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.name(), err)
	}
	return p, nil
}

// StatusAt returns the leaf's status at a moment: an active or pending leaf past its end is expired.
func (l *Leaf) StatusAt(now time.Time) Status {
	if l.Status != StatusRevoked && l.ValidUntil != 0 && now.Unix() > int64(l.ValidUntil) {
		return StatusExpired
	}
	return l.Status
}

// checkTime returns an error matching [ErrExpired] or [ErrNotYetValid] if the leaf is outside its
// window at that moment. The EntryPoint takes both ends as inside.
func (l *Leaf) checkTime(now time.Time) error {
	switch s := now.Unix(); {
	case l.ValidUntil != 0 && s > int64(l.ValidUntil):
		return fmt.Errorf("%w: %s ended at %s; grant a new session", ErrExpired, l.name(), moment.Format(l.ValidUntil))
	case s < int64(l.ValidAfter):
		return fmt.Errorf("%w: %s starts at %s", ErrNotYetValid, l.name(), moment.Format(l.ValidAfter))
	}
	return nil
}

// checkEnd returns an error matching [policy.ErrInvalid] if the leaf's window is over already.
func (l *Leaf) checkEnd(now time.Time) error {
	if l.ValidUntil != 0 && now.Unix() > int64(l.ValidUntil) {
		return fmt.Errorf("%w: the window of %s ended at %s already", policy.ErrInvalid, l.name(), moment.Format(l.ValidUntil))
	}
	return nil
}

// Validate returns an error if the leaf cannot stand in a tree or a store.
func (l *Leaf) Validate() error {
	switch {
	case l.ID == "":
		return fmt.Errorf("%w: leaf without an ID", policy.ErrInvalid)
	case l.ValidUntil > policy.MaxTime || l.ValidAfter > policy.MaxTime:
		return fmt.Errorf("%w: %s has a time beyond uint48 seconds", policy.ErrInvalid, l.name())
	case l.Module == (common.Address{}):
		return fmt.Errorf("%w: %s has no session validation module", policy.ErrInvalid, l.name())
	case l.Key == (common.Address{}):
		return fmt.Errorf("%w: %s has no session key address", policy.ErrInvalid, l.name())
	case l.Status == StatusExpired:
		return fmt.Errorf("%w: %s is stored as expired; that is what time makes of an active or pending leaf, store it as one of these", policy.ErrInvalid, l.name())
	}
	_, err := l.Status.MarshalText()
	return err
}

// Clone returns a copy that shares no memory with l.
func (l *Leaf) Clone() Leaf {
	clone := *l
	clone.Compiled = l.Compiled.Clone()
	return clone
}

func (l *Leaf) name() string {
	if l.ID == "" {
		return "session leaf of key " + l.Key.Hex()
	}
	return "session " + l.ID
}
