package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/go-sesame/sesame/session/policy"
	"github.com/holiman/uint256"
)

// LaneLeaser leases lanes, so that processes which send for one account share none. The stores for one
// machine, for PostgreSQL and in memory are leasers.
//
// A lane is a 192-bit key of the account's nonces at the EntryPoint. Leases run by the store's clock: who
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

// LaneKeySize is how many bytes the key of a lane has.
const LaneKeySize = 24

// NewLaneKey returns the key of a new lane: random, so that nobody else uses it.
func NewLaneKey() (key uint256.Int) {
	var bytes [LaneKeySize]byte
	rand.Read(bytes[:]) // never fails
	return *key.SetBytes(bytes[:])
}

// CheckLease returns an error matching [policy.ErrInvalid] for a lease that cannot be; leasers share it.
func CheckLease(ref Ref, holder string, ttl time.Duration) error {
	switch {
	case holder == "":
		return fmt.Errorf("%w: lane of %s leased to nobody", policy.ErrInvalid, ref)
	case ttl <= 0:
		return fmt.Errorf("%w: lane of %s leased for %s", policy.ErrInvalid, ref, ttl)
	}
	return ref.Validate()
}

// LaneLostError returns the error of a lane that is not the holder's, matching [ErrLaneLost]; leasers share it.
func LaneLostError(ref Ref, key uint256.Int, holder string) error {
	return fmt.Errorf("%w: lane %s of %s is not leased to %s any more; lease another one", ErrLaneLost, key.Hex(), ref, holder)
}
