package account

import (
	"hash/maphash"
	"sync"

	"github.com/ethereum/go-ethereum/common/lru"
)

// recents are values by key, of which those that were not used for longest are forgotten once there are many.
// Keys are spread over locks of their own, so that who looks up one holds up few others.
type recents[K comparable, V any] struct {
	seed   maphash.Seed
	shards [16]recentShard[K, V]
}

type recentShard[K comparable, V any] struct {
	mu     sync.Mutex
	values lru.BasicLRU[K, V]
}

// newRecents returns recents that keep about that many.
func newRecents[K comparable, V any](most int) *recents[K, V] {
	r := &recents[K, V]{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].values = lru.NewBasicLRU[K, V](most / len(r.shards))
	}
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
	known, has := s.values.Get(key)
	if next, keep := change(known, has); keep {
		s.values.Add(key, next)
	} else {
		s.values.Remove(key)
	}
}
