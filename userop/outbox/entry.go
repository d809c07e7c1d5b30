package outbox

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
)

// Entry is one send with all that was written down of it.
type Entry struct {
	// ID is the entry's number in its store. It is never another one's, also after the entry is gone.
	ID uint64 `json:"id"`
	// Version counts the entry's changes from 1. A renewed or released lease is none, one that was claimed
	// is.
	Version uint64 `json:"version"`
	Send
	// Nonce is that of every attempt.
	Nonce uint256.Int `json:"-"`
	// Attempts are the signed operations, the oldest first: one at least.
	Attempts []Attempt `json:"attempts"`
	// State is open until Outcome is what became of it.
	State   State   `json:"state"`
	Outcome Outcome `json:"outcome,omitzero"`
	// Given says that bytes of the entry may have been given to a service, whoever asks. While it is false,
	// who recorded the entry knows.
	Given bool `json:"given,omitempty"`
	// Reported says that who was to be told of the outcome was.
	Reported bool `json:"reported,omitempty"`
	// Holder has the entry until LeaseUntil; empty and zero after a release.
	Holder     string    `json:"holder,omitempty"`
	LeaseUntil time.Time `json:"leaseUntil,omitzero"`
	// CreatedAt, UpdatedAt and EndedAt are when the entry was recorded, changed last, and settled; the last
	// is zero while it is open.
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
}

// Attempt is one signed operation of an entry.
type Attempt struct {
	Operation *userop.Operation `json:"operation"`
	// Hash is the operation's userOpHash.
	Hash common.Hash `json:"hash"`
	// Until is the last second, by the chain's time, in which the operation can be included; 0 where none is
	// known.
	Until uint64 `json:"until,omitempty"`
	// At is when it was written down; the store sets it.
	At time.Time `json:"at"`
	// Reserved is what was reserved for it of the account's budgets, which becomes its entry's when it is
	// written down; 0 for nothing. What is read has none. See [Budgeter].
	Reserved uint64 `json:"-"`
}

// State says how far an entry is.
type State uint8

// The states of an entry.
const (
	// StateOpen means that one of the operations may land, or has and nobody saw it yet.
	StateOpen State = iota + 1
	// StateLanded means that one was included, and its call succeeded.
	StateLanded
	// StateReverted means that one was included, and its call reverted.
	StateReverted
	// StateEnded means that none was, nor will be.
	StateEnded
)

var stateNames = [...]string{StateOpen: "open", StateLanded: "landed", StateReverted: "reverted", StateEnded: "ended"}

// String returns the state in a word.
func (s State) String() string {
	if s == 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("unknown state %d", uint8(s))
	}
	return stateNames[s]
}

// ended reports whether it is a state that stays.
func (s State) ended() bool { return s > StateOpen && s <= StateEnded }

// Included reports whether an operation of the entry was included.
func (s State) Included() bool { return s == StateLanded || s == StateReverted }

// Latest returns the newest attempt.
func (e *Entry) Latest() *Attempt { return &e.Attempts[len(e.Attempts)-1] }

// Attempt returns the newest attempt with that userOpHash, nil for none.
func (e *Entry) Attempt(hash common.Hash) *Attempt {
	for i := len(e.Attempts) - 1; i >= 0; i-- {
		if e.Attempts[i].Hash == hash {
			return &e.Attempts[i]
		}
	}
	return nil
}

// Until returns the last second in which one of the operations can be included, 0 where that is not known.
func (e *Entry) Until() (last uint64) {
	for i := range e.Attempts {
		if e.Attempts[i].Until == 0 {
			return 0
		}
		last = max(last, e.Attempts[i].Until)
	}
	return last
}

// Clone returns a copy that shares no memory with e.
func (e *Entry) Clone() *Entry {
	clone := *e
	clone.Attempts = slices.Clone(e.Attempts)
	for i := range clone.Attempts {
		clone.Attempts[i].Operation = clone.Attempts[i].Operation.Clone()
	}
	clone.Outcome.RevertData = slices.Clone(e.Outcome.RevertData)
	return &clone
}

// String says which send it is and how far.
func (e *Entry) String() string {
	return fmt.Sprintf("%s of %s (%s)", e.name(), place(e.ChainID, e.Account), e.State)
}

// Format writes [Entry.String] whatever the verb: whoever has a signed operation can send it.
func (e *Entry) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.String()) }

func (s *Send) name() string { return fmt.Sprintf("send %q", s.Key) }

func place(chainID uint64, account common.Address) string {
	return fmt.Sprintf("account %s on chain %d", account, chainID)
}
