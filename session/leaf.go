package session

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/session/internal/line"
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
	// InTree says that the leaf belongs to the tree of [State.Root]. A revoked leaf stays in that tree until
	// the chain shows a root without it.
	InTree bool
	// Key is the address of the session key that signs.
	Key common.Address
	policy.Compiled
}

// Policy reads the leaf back as the policy it was made of; see [policy.Compiled.Policy]. It has no ID: grant
// it again as [Named](leaf.ID, p) to keep the leaf's.
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

// end returns the last second in which the leaf is in force.
func (l *Leaf) end() uint64 {
	if l.ValidUntil == 0 {
		return math.MaxUint64
	}
	return l.ValidUntil
}

// Standing reports whether the leaf was revoked here, and signs no more, but still stands in the account's
// root on chain: as long as the owner's revocation did not land, whoever has the key elsewhere can use it.
func (l *Leaf) Standing() bool { return l.Status == StatusRevoked && l.InTree }

const (
	stands     = "it still stands on chain until its owner's revocation lands"
	standsNot  = "it does not stand on chain"
	revokedIs  = "revoked here; " + stands
	revokedWas = "revoked; " + standsNot
)

// Describe says in one sentence what the leaf allows (see [policy.Compiled.Describe]) and, of one that was
// revoked, before that whether it still stands on chain.
func (l *Leaf) Describe(m policy.Modules, functions ...*abi.Function) string {
	return l.describe(l.Compiled.Describe(m, functions...))
}

// DescribeWith is [Leaf.Describe] with what is known of the account; see [policy.LintConfig.Describe].
func (l *Leaf) DescribeWith(c policy.LintConfig) string { return l.describe(c.Describe(&l.Compiled)) }

// describe puts whether the leaf was revoked before what its policy allows.
func (l *Leaf) describe(allows string) string {
	switch {
	case l.Standing():
		return revokedIs + ": " + allows
	case l.Status == StatusRevoked:
		return revokedWas + ": " + allows
	}
	return allows
}

// checkRevoked returns an error matching [ErrRevoked] if the leaf of that account was revoked, which says
// whether it still stands on chain.
func (l *Leaf) checkRevoked(of Ref) error {
	switch {
	case l.Standing():
		return fmt.Errorf("%w: %s of %s; %s", ErrRevoked, l.name(), of, stands)
	case l.Status == StatusRevoked:
		return fmt.Errorf("%w: %s of %s; %s", ErrRevoked, l.name(), of, standsNot)
	}
	return nil
}

// over reports whether the leaf's window has ended at that moment.
func (l *Leaf) over(now time.Time) bool { return l.ValidUntil != 0 && now.Unix() > int64(l.ValidUntil) }

// during reports whether checkTime has nothing to say.
func (l *Leaf) during(now time.Time) bool { return !l.over(now) && now.Unix() >= int64(l.ValidAfter) }

// checkTime returns an error matching [ErrExpired] or [ErrNotYetValid] if the leaf of that account is outside
// its window at that moment. The EntryPoint takes both ends as inside.
func (l *Leaf) checkTime(of Ref, now time.Time) error {
	switch {
	case l.during(now):
		return nil
	case l.over(now):
		return fmt.Errorf("%w: %s of %s ended at %s; grant a new session", ErrExpired, l.name(), of, moment.Format(l.ValidUntil))
	}
	return fmt.Errorf("%w: %s of %s starts at %s; wait until then", ErrNotYetValid, l.name(), of, moment.Format(l.ValidAfter))
}

// checkEnd returns an error matching [policy.ErrInvalid] if the leaf's window is over already.
func (l *Leaf) checkEnd(now time.Time) error {
	if l.over(now) {
		return fmt.Errorf("%w: the window of %s ended at %s already", policy.ErrInvalid, l.name(), moment.Format(l.ValidUntil))
	}
	return nil
}

// Validate returns an error if the leaf cannot be a new one in a tree or a store: its ID is one line of text,
// and the rest is as [Leaf.ValidateStored] has it.
func (l *Leaf) Validate() error {
	if err := checkID(l.ID); err != nil {
		return err
	}
	return l.ValidateStored()
}

// ValidateStored returns an error if the leaf cannot stand in a tree or a store that has it already. Its ID
// may be any but none: what an ID may not be any more must not keep the leaf from being revoked.
func (l *Leaf) ValidateStored() error {
	switch {
	case l.ID == "":
		return errNoID
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
	return "session " + line.Text(l.ID)
}

// Status is where a leaf stands in its life.
type Status uint8

const (
	// StatusPending: written down before its operation was sent. It signs only once the account's root on
	// chain is the one it belongs to.
	StatusPending Status = iota + 1
	// StatusActive: the account's root on chain was seen to contain the leaf.
	StatusActive
	// StatusRevoked: a tombstone. The leaf never signs again, whatever the chain still allows.
	StatusRevoked
	// StatusExpired is never stored: it is what an active or pending leaf is after its end.
	StatusExpired
)

var statusNames = [...]string{StatusPending: "pending", StatusActive: "active", StatusRevoked: "revoked", StatusExpired: "expired"}

// String returns the status in lower case.
func (s Status) String() string {
	if int(s) < len(statusNames) && statusNames[s] != "" {
		return statusNames[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// MarshalText writes the status in lower case.
func (s Status) MarshalText() ([]byte, error) {
	if int(s) < len(statusNames) && statusNames[s] != "" {
		return []byte(statusNames[s]), nil
	}
	return nil, fmt.Errorf("%w: unknown session status %d", policy.ErrInvalid, uint8(s))
}

// UnmarshalText reads what MarshalText writes.
func (s *Status) UnmarshalText(text []byte) error {
	for i, name := range statusNames {
		if name != "" && name == string(text) {
			*s = Status(i)
			return nil
		}
	}
	return fmt.Errorf("%w: unknown session status %q; it is pending, active, revoked or expired", policy.ErrInvalid, text)
}

// leafJSON is a [Leaf] as stores and documents write it.
type leafJSON struct {
	ID         string         `json:"id"`
	Status     Status         `json:"status"`
	InTree     bool           `json:"inTree"`
	ValidUntil uint64         `json:"validUntil"`
	ValidAfter uint64         `json:"validAfter"`
	Module     common.Address `json:"module"`
	Key        common.Address `json:"key"`
	Data       hexutil.Bytes  `json:"data"`
	Function   string         `json:"function,omitempty"`
}

// MarshalJSON writes every field of the leaf, bytes as 0x-hex and times as unix seconds.
func (l Leaf) MarshalJSON() ([]byte, error) {
	return json.Marshal(leafJSON{
		ID: l.ID, Status: l.Status, InTree: l.InTree, ValidUntil: l.ValidUntil, ValidAfter: l.ValidAfter,
		Module: l.Module, Key: l.Key, Data: l.Data, Function: l.Function,
	})
}

// UnmarshalJSON reads what MarshalJSON writes. It refuses fields that are unknown, given twice or in other
// letter case, and leaves that cannot stand in a store.
func (l *Leaf) UnmarshalJSON(text []byte) error {
	var read leafJSON
	if err := jsonobject.Strict(text, &read); err != nil {
		return fmt.Errorf("%w: session leaf: %w", policy.ErrInvalid, err)
	}
	leaf := Leaf{
		ID: read.ID, Status: read.Status, InTree: read.InTree, Key: read.Key,
		Compiled: policy.Compiled{
			ValidUntil: read.ValidUntil, ValidAfter: read.ValidAfter, Module: read.Module, Data: read.Data, Function: read.Function,
		},
	}
	if err := leaf.ValidateStored(); err != nil {
		return err
	}
	*l = leaf
	return nil
}
