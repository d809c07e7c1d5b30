package session

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/session/policy"
)

// Ref names the sessions of one smart account on one chain. It is the key of every [Store] and
// [Keyring]: the same account on another chain has other sessions.
type Ref struct {
	ChainID uint64
	Account common.Address
}

// String returns "account 0x… on chain 80002".
func (r Ref) String() string {
	return fmt.Sprintf("account %s on chain %d", r.Account, r.ChainID)
}

// Validate returns an error if the chain or the account is missing.
func (r Ref) Validate() error {
	switch {
	case r.ChainID == 0:
		return fmt.Errorf("%w: session reference without a chain ID", policy.ErrInvalid)
	case r.Account == (common.Address{}):
		return fmt.Errorf("%w: session reference without an account", policy.ErrInvalid)
	}
	return nil
}

// Store keeps the sessions of many accounts. A change is a compare-and-set: it names the version it was
// decided on and is refused if another process was quicker. Implementations are safe for concurrent use;
// sub-packages have one for a single machine, one for PostgreSQL, one for the TypeScript SDK's files and, for
// tests, one in memory. Whoever writes another finds help in package storekit.
type Store interface {
	// Load returns everything stored for ref, or an error matching [ErrNotFound].
	Load(ctx context.Context, ref Ref) (*State, error)
	// Version returns the version Load would, cheaply; 0 when nothing is stored.
	Version(ctx context.Context, ref Ref) (uint64, error)
	// Hold calls fn with the current version of ref, and no change of ref is committed by any process before
	// fn has returned. Signing happens inside: once a revocation is committed, nothing is signed any more. It
	// returns fn's error as it is.
	//
	// It holds until ctx's deadline and for [MaxHold] at most, so that a signer which hangs holds up no
	// revocation. If fn returns nil after that, Hold returns an error, and what fn signed must not be used.
	//
	// Inside fn, do not call Hold or Apply, of this ref or another: a change that came in between waits for
	// fn, what comes after a change may have to wait for it, and there may be room for so many at once only.
	// The other methods, the keyring's among them, may be called.
	Hold(ctx context.Context, ref Ref, fn func(version uint64) error) error
	// Apply makes change durable if ref is still at version, and returns the new version. It returns an error
	// matching [ErrConflict], and changes nothing, if it is not. A ref that was never stored has version 0.
	Apply(ctx context.Context, ref Ref, version uint64, change *Change) (uint64, error)
}

// Differ is a [Store] that tells what changed in the sessions of an account, so that who knows an earlier
// version need not read all of them again. The stores of packages memstore and filestore are.
type Differ interface {
	// ChangesSince returns what makes the state of that version the one of now, or nil where the store does
	// not know: [Store].Load tells then. It always knows it of the version that is the one of now.
	ChangesSince(ctx context.Context, ref Ref, version uint64) (*Delta, error)
}

// Delta is what makes an earlier version of a [State] a later one, if no leaf was deleted in between.
type Delta struct {
	// Version and Header are those of the later one.
	Version uint64
	Header  Header
	// Leaves are those that may have changed, and those that are new, in the order of their positions.
	Leaves []Placed
}

// Placed is a leaf with its position in [State.Leaves].
type Placed struct {
	Position int
	Leaf     Leaf
}

// MaxHold is how long a [Store] holds an account's sessions at most, and how long a [Keyring] may take for a
// signature.
const MaxHold = 10 * time.Second

// Lister finds leaves, and changes that wait, across accounts and chains, page by page. The stores of this
// module that keep several accounts implement it beside [Store].
type Lister interface {
	// List returns the leaves that fit query, ordered by chain, account and position. The order is stable:
	// what is granted while paging comes later, or in its place if that was not passed yet.
	List(ctx context.Context, query Query) (Page, error)
	// ListPending returns the accounts with a change of their root that waits for the chain
	// ([Header].Pending), ordered by chain and account: those that come after that one, or all after the zero
	// Ref, and no more than limit, which is 100 for 0 and up to 1000. Fewer than limit are the last ones.
	ListPending(ctx context.Context, after Ref, limit int) ([]Ref, error)
}

// Query says which leaves to list. Zero fields ask for nothing, so that the zero Query lists all.
type Query struct {
	ChainID uint64
	Account common.Address
	// Key is the address of the session key.
	Key common.Address
	// Status is the status at the moment At; see [Leaf.StatusAt].
	Status Status
	// Standing asks for the leaves that were revoked here but still stand on chain until their owner's
	// revocation lands; see [Leaf.Standing]. Another Status than revoked beside it is an error.
	Standing bool
	// At is the moment that statuses are judged at, by default now.
	At time.Time
	// ExpiresBefore and ExpiresAfter bound the leaf's end, both exclusive. A leaf that never ends ends after
	// every moment.
	ExpiresBefore, ExpiresAfter time.Time
	// Limit is how many leaves a page holds at most, by default 100, up to 1000.
	Limit int
	// Cursor is the Next of the page before; empty for the first page. The rest of the query must stay the
	// same.
	Cursor string
}

// Page is one page of a listing.
type Page struct {
	Items []Listed
	// Next is the Cursor of the next page, empty on the last one.
	Next string
}

// Listed is one leaf of a listing.
type Listed struct {
	Ref Ref
	// Position is the leaf's place in [State.Leaves].
	Position int
	Leaf     Leaf
}

// LaneLeaser leases lanes, so that processes which send for one account share none. The stores for one
// machine, for PostgreSQL and in memory are leasers.
//
// A lane is a 192-bit key of the account's nonces at the EntryPoint. Leases run by the store's clock: whoever
// has one counts its time from before asking for it.
type LaneLeaser interface {
	// LeaseLane leases one of ref's lanes to holder for ttl, and returns its key: of the lanes that nobody
	// has, the one released, or else the one whose lease ended longest ago; a new one if there is none.
	LeaseLane(ctx context.Context, ref Ref, holder string, ttl time.Duration) (uint256.Int, error)
	// RenewLane makes holder's lease of a lane last ttl from now, even if it ended but nobody else got the
	// lane. An error matching [ErrLaneLost] if it is not holder's.
	RenewLane(ctx context.Context, ref Ref, key uint256.Int, holder string, ttl time.Duration) error
	// ReleaseLane ends holder's lease of a lane, whose operations have all landed or will not. An error
	// matching [ErrLaneLost] if it is not holder's.
	ReleaseLane(ctx context.Context, ref Ref, key uint256.Int, holder string) error
}

// FullStore is all that an application asks of where it keeps sessions: the sessions, their keys, lists
// across accounts, and leases of lanes. The stores of packages filestore, pgstore and memstore are such, so
// that a program can take either; package storekit has what writing another takes.
type FullStore interface {
	Store
	Keyring
	Lister
	LaneLeaser
	// Close waits for what is under way. Every method returns an error matching [ErrClosed] afterwards.
	io.Closer
}
