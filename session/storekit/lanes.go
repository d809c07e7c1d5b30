package storekit

import (
	"fmt"
	"time"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/lanekey"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// LaneKeySize is how many bytes the key of a lane has.
const LaneKeySize = lanekey.Size

// NewLaneKey returns the key of a new lane: random, so that nobody else uses it.
func NewLaneKey() uint256.Int { return lanekey.New() }

// CheckLease returns an error matching [policy.ErrInvalid] for a lease that cannot be.
func CheckLease(ref session.Ref, holder string, ttl time.Duration) error {
	switch {
	case holder == "":
		return fmt.Errorf("%w: lane of %s leased to nobody", policy.ErrInvalid, ref)
	case ttl <= 0:
		return fmt.Errorf("%w: lane of %s leased for %s", policy.ErrInvalid, ref, ttl)
	}
	return ref.Validate()
}

// LaneLostError returns the error of a lane that is not the holder's, matching [session.ErrLaneLost].
func LaneLostError(ref session.Ref, key uint256.Int, holder string) error {
	return fmt.Errorf("%w: lane %s of %s is not leased to %s any more; lease another one", session.ErrLaneLost, key.Hex(), ref, holder)
}
