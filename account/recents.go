package account

import (
	"hash/maphash"
	"sync"
)

// recents are values by key, of which those that were not used for long are forgotten once there are many.
// Keys are spread over locks of their own, so that who looks up one holds up few others.
type recents[K comparable, V any] struct {
	seed   maphash.Seed
	half   int // of the most that a shard keeps
	shards [16]recentShard[K, V]
}

// recentShard has two generations: what is used moves into the young one and, once that is full, the old one
// is forgotten.
type recentShard[K comparable, V any] struct {
	mu         sync.Mutex
	young, old map[K]V
}

// newRecents returns recents that keep at least half of most, and at most about that many.
func newRecents[K comparable, V any](most int) *recents[K, V] {
	r := &recents[K, V]{seed: maphash.MakeSeed()}
	r.half = max(most/len(r.shards)/2, 1)
	return r
}

func (r *recents[K, V]) lock(key K) *recentShard[K, V] {
	s := &r.shards[maphash.Comparable(r.seed, key)%uint64(len(r.shards))]
	s.mu.Lock()
	return s
}

// load returns the value of a key, false for none.
func (r *recents[K, V]) load(key K) (value V, ok bool) {
	r.update(key, func(known V, has bool) (V, bool) {
		value, ok = known, has
		return known, has
	})
	return value, ok
}

func (r *recents[K, V]) store(key K, value V) {
	r.update(key, func(V, bool) (V, bool) { return value, true })
}

func (r *recents[K, V]) delete(key K) {
	r.update(key, func(known V, _ bool) (V, bool) { return known, false })
}

// update replaces the value of a key in one step. change is given what there is, and says what is to be kept.
func (r *recents[K, V]) update(key K, change func(known V, has bool) (next V, keep bool)) {
	s := r.lock(key)
	defer s.mu.Unlock()
	known, young := s.young[key]
	has := young
	if !young {
		known, has = s.old[key]
	}
	next, keep := change(known, has)
	if has && !young {
		delete(s.old, key)
	}
	if !keep {
		delete(s.young, key)
		return
	}
	if !young && len(s.young) >= r.half {
		s.old, s.young = s.young, nil
	}
	if s.young == nil {
		s.young = make(map[K]V)
	}
	s.young[key] = next
}
