package storekit

import (
	"encoding/binary"
	"slices"
)

// History is which leaves the last changes of an account touched, by position: what a [session.Differ] goes
// by. It is kept short. The zero value knows of no change; one that another program did not go on with is
// noticed, and knows of none.
type History struct {
	since   uint64  // the version before the first change
	touched [][]int // of each change, the positions of the leaves
}

// How much a history keeps.
const (
	maxChanges = 32
	maxTouched = 256
)

// After returns the history with the change that made that version. Leaves that were deleted moved others:
// then whole is true, and what was before is forgotten.
func (h History) After(version uint64, touched []int, whole bool) History {
	if whole || len(touched) > maxTouched || h.since+uint64(len(h.touched))+1 != version {
		h = History{since: version}
		return h
	}
	next := History{since: h.since, touched: append(slices.Clone(h.touched), touched)}
	for len(next.touched) > maxChanges || next.size() > maxTouched {
		next.since++
		next.touched = next.touched[1:]
	}
	return next
}

func (h *History) size() (n int) {
	for _, touched := range h.touched {
		n += len(touched)
	}
	return n
}

// Since returns the positions of the leaves that were touched after that version and up to version now, in
// their order; false where that is not known.
func (h History) Since(version, now uint64) (positions []int, ok bool) {
	switch {
	case version == now:
		return nil, true
	case version > now || version < h.since || h.since+uint64(len(h.touched)) != now:
		return nil, false
	}
	for _, touched := range h.touched[version-h.since:] {
		positions = append(positions, touched...)
	}
	slices.Sort(positions)
	return slices.Compact(positions), true
}

// Append appends the history as bytes.
func (h History) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, h.since)
	b = binary.AppendUvarint(b, uint64(len(h.touched)))
	for _, touched := range h.touched {
		b = binary.AppendUvarint(b, uint64(len(touched)))
		for _, position := range touched {
			b = binary.AppendUvarint(b, uint64(position))
		}
	}
	return b
}

// ParseHistory reads what Append writes; false for what it does not write.
func ParseHistory(b []byte) (h History, ok bool) {
	next := func(most uint64) uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > most {
			ok = false
			return 0
		}
		b = b[n:]
		return v
	}
	ok = true
	h.since = next(1<<63 - 1)
	h.touched = make([][]int, next(maxChanges))
	for i := range h.touched {
		h.touched[i] = make([]int, next(maxTouched))
		for j := range h.touched[i] {
			h.touched[i][j] = int(next(1<<31 - 1))
		}
	}
	if !ok || len(b) > 0 {
		return History{}, false
	}
	return h, true
}
