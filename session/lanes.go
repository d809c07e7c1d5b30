package session

import (
	"context"
	"time"

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
