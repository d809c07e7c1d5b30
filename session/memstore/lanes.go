package memstore

import (
	"context"
	"errors"
	"time"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// lane is a lane of one account, as it is leased.
type lane struct {
	key    uint256.Int
	holder string
	until  time.Time // zero after a release
}

// LeaseLane implements [session.LaneLeaser].
func (s *Store) LeaseLane(ctx context.Context, ref session.Ref, holder string, ttl time.Duration) (uint256.Int, error) {
	if err := errors.Join(s.check(ctx), storekit.CheckLease(ref, holder, ttl)); err != nil {
		return uint256.Int{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	free := s.freeLane(ref, now)
	if free == nil {
		free = &lane{key: storekit.NewLaneKey()}
		if s.lanes == nil {
			s.lanes = make(map[session.Ref][]*lane)
		}
		s.lanes[ref] = append(s.lanes[ref], free)
	}
	free.holder, free.until = holder, now.Add(ttl)
	return free.key, nil
}

// freeLane returns the lane that is free for longest, nil for none.
func (s *Store) freeLane(ref session.Ref, now time.Time) (free *lane) {
	for _, l := range s.lanes[ref] {
		if !l.until.After(now) && (free == nil || l.until.Before(free.until)) {
			free = l
		}
	}
	return free
}

// RenewLane implements [session.LaneLeaser].
func (s *Store) RenewLane(ctx context.Context, ref session.Ref, key uint256.Int, holder string, ttl time.Duration) error {
	if err := storekit.CheckLease(ref, holder, ttl); err != nil {
		return err
	}
	return s.changeLane(ctx, ref, key, holder, func(l *lane) { l.until = time.Now().Add(ttl) })
}

// ReleaseLane implements [session.LaneLeaser].
func (s *Store) ReleaseLane(ctx context.Context, ref session.Ref, key uint256.Int, holder string) error {
	return s.changeLane(ctx, ref, key, holder, func(l *lane) { l.holder, l.until = "", time.Time{} })
}

func (s *Store) changeLane(ctx context.Context, ref session.Ref, key uint256.Int, holder string, change func(*lane)) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes[ref] {
		if l.key == key && l.holder == holder && holder != "" {
			change(l)
			return nil
		}
	}
	return storekit.LaneLostError(ref, key, holder)
}
