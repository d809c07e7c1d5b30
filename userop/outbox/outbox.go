package outbox

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Outbox keeps sends until they have ended, and for a while after it. Implementations are safe for concurrent
// use, and what they return shares no memory with what they keep. Times are those of the store's own clock.
//
// What is asked for with a version is done only to the entry as it was at that version, or else is an error
// matching [ErrConflict]: read it again. An entry that is not there, or not any more, is [ErrNotFound].
type Outbox interface {
	// Record writes a send down, before its operation is given to any service, and leases it. If it fails for
	// another reason than a [*TakenError], the entry may be stored all the same: [Outbox.Find] tells.
	//
	// A key that its account used already on that chain is a [*TakenError] matching [ErrExists], and a nonce
	// that another open entry of the account has is one matching [ErrNonceTaken]; both have that entry.
	Record(ctx context.Context, recording Recording) (*Entry, error)
	// Find returns the entry of a key, and the nonces that the account's open entries have, in one round
	// trip. A key that is free is an error matching [ErrNotFound], and the nonces are there with it.
	Find(ctx context.Context, chainID uint64, account common.Address, key string) (Found, error)
	// FindHash returns the newest entry one of whose operations has that userOpHash.
	FindHash(ctx context.Context, hash common.Hash) (*Entry, error)
	// AddAttempt writes a further signed operation of an open entry down, before it is given to any service,
	// and leases the entry to who does.
	AddAttempt(ctx context.Context, id, version uint64, attempt Attempt, lease Lease) (*Entry, error)
	// Settle writes down what became of an open entry by what the chain shows. It stays: the same outcome
	// again changes nothing, and another one is an error matching [ErrSettled]. That an operation of the
	// entry's was included holds for later versions, too; that none ever will be was judged by those it had.
	//
	// It leases the entry to who will report it, or with the zero Lease to nobody, so that it can be claimed.
	Settle(ctx context.Context, id, version uint64, outcome Outcome, lease Lease) (*Entry, error)
	// MarkGiven writes down that somebody beside the process that recorded the entry is about to give its
	// bytes to a service, so that it is not freed any more. No lease changes, and nothing where that is
	// written down already.
	MarkGiven(ctx context.Context, id, version uint64) (*Entry, error)
	// Free deletes an entry whose bytes were given to no service, and so frees its key and nonce. Only the
	// process that recorded it can know that: once another attempt was added, anybody else had the entry
	// leased, or marked it as given, the error matches [ErrGiven].
	Free(ctx context.Context, id, version uint64) error

	// Claim leases entries of a chain, of all chains for 0, that nobody has: open ones, and settled ones to
	// be reported. Those whose lease ended first come first, and no more than limit, which is 100 for 0 and
	// up to 1000. Of several that claim at once, each gets others. Entries that are damaged are passed over;
	// what could be claimed is returned beside the error that names one of them.
	Claim(ctx context.Context, chainID uint64, lease Lease, limit int) ([]*Entry, error)
	// Take is Claim for one entry, at that version. While somebody else's lease of it lasts, the error
	// matches [ErrLeased].
	Take(ctx context.Context, id, version uint64, lease Lease) (*Entry, error)
	// Renew makes leases last the lease's time from now, those that ended but that nobody else got among
	// them, and returns the IDs of the entries that its holder has. No version changes.
	Renew(ctx context.Context, lease Lease, ids ...uint64) (held []uint64, err error)
	// Release ends the holder's leases of those entries, which can be claimed at once then. What the holder
	// does not have is let be.
	Release(ctx context.Context, holder string, ids ...uint64) error
	// MarkReported writes down that a settled entry's outcome was reported: it is not claimed any more.
	// Marked again, nothing changes. An open entry is an error matching [ErrConflict].
	MarkReported(ctx context.Context, id uint64) error

	// List returns the entries that fit query, the newest first.
	List(ctx context.Context, query Query) ([]*Entry, error)
	// Sweep deletes entries that ended longer ago than that and were reported, the oldest first, and no more
	// than limit, which is 1000 for 0. It returns how many; fewer than limit were the last ones. An entry
	// that is open, or whose outcome nobody was told, stays.
	Sweep(ctx context.Context, kept time.Duration, limit int) (int, error)
}

// Listener is an [Outbox] that tells when there may be something to claim, so that nobody has to ask all the
// time. That a lease ran out it does not tell.
type Listener interface {
	// Listen calls due, at first too, whenever entries may have come to be claimed: they were released, or
	// settled without a lease. It returns with ctx, or with an error if it cannot listen any more. What
	// became due in between is told once.
	Listen(ctx context.Context, due func()) error
}

// Send is what is sent, as its caller asked for it. It never changes.
type Send struct {
	ChainID    uint64         `json:"chainId"`
	Account    common.Address `json:"account"`
	EntryPoint common.Address `json:"entryPoint"`
	// Key is the caller's name of the send, of one account on one chain: printable UTF-8 of up to [MaxKey]
	// bytes.
	Key string `json:"key"`
	// Kind and Asked are what was asked for under the key, to be compared where it is used again: a word, and
	// a description of up to [MaxAsked] bytes in which equal things are equal.
	Kind  string `json:"kind"`
	Asked string `json:"asked,omitempty"`
}

// Recording is what [Outbox.Record] writes down.
type Recording struct {
	Send    Send
	Attempt Attempt
	Lease   Lease
}

// Lease says who works on an entry and for how long.
type Lease struct {
	// Holder names one worker: printable UTF-8 of up to [MaxKey] bytes, which no other worker has.
	Holder string
	// TTL is how long it lasts from now, up to [MaxTTL].
	TTL time.Duration
}

// Found is what [Outbox.Find] found.
type Found struct {
	// Entry is the key's, nil where it is free.
	Entry *Entry
	// Nonces are those of all open entries of the account, in order. They are not to be used for others.
	Nonces []uint256.Int
}

// Query says which entries to list. Zero fields ask for nothing, so that the zero Query lists all.
type Query struct {
	ChainID uint64
	Account common.Address
	State   State
	// Unreported asks for settled entries whose outcome nobody was told.
	Unreported bool
	// Before is the ID that entries come before; 0 begins with the newest. To go on, it is the last one's.
	Before uint64
	// Limit is how many entries to return at most, by default 100, up to 1000.
	Limit int
}

// What an outbox takes at most.
const (
	// MaxKey bounds the bytes of a key and of a holder's name, MaxKind those of a kind.
	MaxKey  = 255
	MaxKind = 32
	// MaxAsked bounds the bytes of what was asked for.
	MaxAsked = 64 << 10
	// MaxAttempts bounds the operations of one entry, MaxOperation the bytes of one that are not numbers.
	MaxAttempts  = 64
	MaxOperation = 128 << 10
	// MaxTTL bounds a lease.
	MaxTTL = 24 * time.Hour
)
