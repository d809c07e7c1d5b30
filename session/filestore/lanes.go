package filestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/holiman/uint256"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// LeaseLane implements [session.LaneLeaser], by the machine's clock. One process has the store open for
// writing: with leases, it finds the lanes it had when it starts again.
func (s *Store) LeaseLane(ctx context.Context, ref session.Ref, holder string, ttl time.Duration) (key uint256.Int, err error) {
	if err := storekit.CheckLease(ref, holder, ttl); err != nil {
		return uint256.Int{}, err
	}
	err = s.changeLanes(ctx, func(tx *bbolt.Tx, lanes *bbolt.Bucket) error {
		now := time.Now()
		lane, err := freeLane(lanes, ref, now)
		if err != nil {
			return err
		}
		if lane == nil {
			lane = laneKey(ref, storekit.NewLaneKey())
			if err := count(tx, func(c *census) { c.lanes++ }); err != nil {
				return err
			}
		}
		key.SetBytes(lane[refSize:])
		return lanes.Put(lane, withSum(lanesBucket, lane, lease(holder, now.Add(ttl).UnixNano())))
	})
	return key, s.in(err)
}

// RenewLane implements [session.LaneLeaser].
func (s *Store) RenewLane(ctx context.Context, ref session.Ref, key uint256.Int, holder string, ttl time.Duration) error {
	if err := storekit.CheckLease(ref, holder, ttl); err != nil {
		return err
	}
	return s.changeLease(ctx, ref, key, holder, func() []byte { return lease(holder, time.Now().Add(ttl).UnixNano()) })
}

// ReleaseLane implements [session.LaneLeaser].
func (s *Store) ReleaseLane(ctx context.Context, ref session.Ref, key uint256.Int, holder string) error {
	return s.changeLease(ctx, ref, key, holder, func() []byte { return lease("", 0) })
}

// changeLease changes a lease that is holder's.
func (s *Store) changeLease(ctx context.Context, ref session.Ref, key uint256.Int, holder string, changed func() []byte) error {
	err := s.changeLanes(ctx, func(_ *bbolt.Tx, lanes *bbolt.Bucket) error {
		lane := laneKey(ref, key)
		stored := lanes.Get(lane)
		if stored == nil {
			return storekit.LaneLostError(ref, key, holder)
		}
		record, err := checked(lanesBucket, lane, stored, "the record of lane %s of %s", key.Hex(), ref)
		if err != nil {
			return err
		}
		if len(record) <= endSize || string(record[endSize:]) != holder || key.BitLen() > 8*storekit.LaneKeySize {
			return storekit.LaneLostError(ref, key, holder)
		}
		return lanes.Put(lane, withSum(lanesBucket, lane, changed()))
	})
	return s.in(err)
}

func (s *Store) changeLanes(ctx context.Context, change func(tx *bbolt.Tx, lanes *bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.file.update(ctx, func(tx *bbolt.Tx) error {
		lanes, err := tx.CreateBucketIfNotExists(lanesBucket)
		if err != nil {
			return err
		}
		return change(tx, lanes)
	})
}

// freeLane returns the lane of ref that is free for longest, nil for none.
func freeLane(lanes *bbolt.Bucket, ref session.Ref, now time.Time) (free []byte, err error) {
	var first int64
	prefix, cursor := refKey(ref), lanes.Cursor()
	for lane, stored := cursor.Seek(prefix); bytes.HasPrefix(lane, prefix); lane, stored = cursor.Next() {
		record, err := checked(lanesBucket, lane, stored, "the record of a lane of %s", ref)
		if err != nil {
			return nil, err
		}
		if len(record) < endSize || len(lane) != refSize+storekit.LaneKeySize {
			return nil, damaged("lane %x is leased until %x", lane, record)
		}
		end := int64(binary.BigEndian.Uint64(record))
		if end <= now.UnixNano() && (free == nil || end < first) {
			free, first = bytes.Clone(lane), end
		}
	}
	return free, nil
}

// endSize is how many bytes the end of a lease has.
const endSize = 8

// lease is the record of a lane.
func lease(holder string, end int64) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(end)), holder...)
}

func laneKey(ref session.Ref, key uint256.Int) []byte {
	word := key.Bytes32()
	return append(refKey(ref), word[len(word)-storekit.LaneKeySize:]...)
}
