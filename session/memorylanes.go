package session

import (
	"context"
	"errors"
	"time"

	"github.com/holiman/uint256"
)

// memoryLane is a lane of one account.
type memoryLane struct {
	key    uint256.Int
	holder string
	until  time.Time // zero after a release
}

// LeaseLane implements [LaneLeaser].
func (m *Memory) LeaseLane(ctx context.Context, ref Ref, holder string, ttl time.Duration) (uint256.Int, error) {
	if err := errors.Join(ctx.Err(), CheckLease(ref, holder, ttl)); err != nil {
		return uint256.Int{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	lane := m.freeLane(ref, now)
	if lane == nil {
		if m.lanes == nil {
			m.lanes = make(map[Ref][]*memoryLane)
		}
		lane = &memoryLane{key: NewLaneKey()}
		m.lanes[ref] = append(m.lanes[ref], lane)
	}
	lane.holder, lane.until = holder, now.Add(ttl)
	return lane.key, nil
}

// freeLane returns the lane that is free for longest, nil for none.
func (m *Memory) freeLane(ref Ref, now time.Time) (free *memoryLane) {
	for _, lane := range m.lanes[ref] {
		if !lane.until.After(now) && (free == nil || lane.until.Before(free.until)) {
			free = lane
		}
	}
	return free
}

// RenewLane implements [LaneLeaser].
func (m *Memory) RenewLane(ctx context.Context, ref Ref, key uint256.Int, holder string, ttl time.Duration) error {
	if err := CheckLease(ref, holder, ttl); err != nil {
		return err
	}
	return m.changeLane(ctx, ref, key, holder, func(lane *memoryLane) { lane.until = time.Now().Add(ttl) })
}

// ReleaseLane implements [LaneLeaser].
func (m *Memory) ReleaseLane(ctx context.Context, ref Ref, key uint256.Int, holder string) error {
	return m.changeLane(ctx, ref, key, holder, func(lane *memoryLane) { lane.holder, lane.until = "", time.Time{} })
}

func (m *Memory) changeLane(ctx context.Context, ref Ref, key uint256.Int, holder string, change func(*memoryLane)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, lane := range m.lanes[ref] {
		if lane.key == key && lane.holder == holder && holder != "" {
			change(lane)
			return nil
		}
	}
	return LaneLostError(ref, key, holder)
}
