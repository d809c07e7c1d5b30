package session

import (
	"math"
	"sync"

	"github.com/go-sesame/sesame/session/policy"
)

// leafList are the leaves of one version of a store, in chunks: the next version shares those that did not
// change. It is not changed once it is made.
type leafList struct {
	n      int
	chunks []leafChunk
	whole  bool // the chunks are one slice
}

type leafChunk struct {
	leaves []Leaf
	// due is the first second at which the next root is to leave one of them out: 0 where one in the tree was
	// revoked.
	due int64
}

// chunkSize is how many leaves a chunk has.
const chunkSize = 128

func newLeafList(leaves []Leaf) leafList {
	l := leafList{n: len(leaves), whole: true}
	l.chunks = make([]leafChunk, (l.n+chunkSize-1)/chunkSize)
	for c := range l.chunks {
		chunk := leaves[c*chunkSize : min((c+1)*chunkSize, l.n)]
		l.chunks[c] = leafChunk{chunk, dueOf(chunk)}
	}
	return l
}

func dueOf(chunk []Leaf) int64 {
	due := int64(math.MaxInt64)
	for i := range chunk {
		switch leaf := &chunk[i]; {
		case !leaf.InTree:
		case leaf.Status == StatusRevoked:
			return 0
		case leaf.ValidUntil != 0:
			due = min(due, int64(min(leaf.ValidUntil, policy.MaxTime))+1)
		}
	}
	return due
}

func (l *leafList) at(i int) *Leaf { return &l.chunks[i/chunkSize].leaves[i%chunkSize] }

// flat returns all leaves as one slice, which must not be changed.
func (l *leafList) flat() []Leaf {
	if l.n == 0 {
		return nil
	}
	if l.whole {
		return l.chunks[0].leaves[:l.n:l.n]
	}
	all := make([]Leaf, 0, l.n)
	for _, chunk := range l.chunks {
		all = append(all, chunk.leaves...)
	}
	return all
}

// with returns the list with leaves replaced and appended; false where they do not fit it, as leaves behind
// its end that leave a gap, or one of another ID.
func (l *leafList) with(changes []Placed) (leafList, bool) {
	if len(changes) == 0 {
		return *l, true
	}
	next := leafList{n: l.n}
	next.chunks = append(make([]leafChunk, 0, len(l.chunks)+1), l.chunks...)
	own := make(map[int]bool, 1) // chunks that l does not have
	for i := range changes {
		at, leaf := changes[i].Position, &changes[i].Leaf
		c := at / chunkSize
		switch {
		case at < 0 || at > next.n || at < next.n && next.at(at).ID != leaf.ID:
			return leafList{}, false
		case c == len(next.chunks):
			next.chunks = append(next.chunks, leafChunk{})
		}
		chunk := &next.chunks[c]
		if !own[c] {
			own[c] = true
			chunk.leaves = append(make([]Leaf, 0, len(chunk.leaves)+1), chunk.leaves...)
		}
		if at == next.n {
			chunk.leaves = append(chunk.leaves, *leaf)
			next.n++
		} else {
			chunk.leaves[at%chunkSize] = *leaf
		}
	}
	for c := range own {
		next.chunks[c].due = dueOf(next.chunks[c].leaves)
	}
	return next, true
}

// leafIndex finds leaves by their IDs. It is shared by the versions of a store in which no leaf moved, and
// learns of the leaves when one is asked for.
type leafIndex struct {
	mu    sync.RWMutex // guards the fields below
	known int          // how many leaves it has
	at    map[string]int
}

// indexed is how many leaves are worth an index.
const indexed = 8

// find returns where the leaf with that ID stands.
func (x *leafIndex) find(leaves *leafList, id string) (int, bool) {
	x.mu.RLock()
	known := x.known
	at, ok := x.at[id]
	x.mu.RUnlock()
	if known < leaves.n && !ok {
		x.learn(leaves)
		x.mu.RLock()
		at, ok = x.at[id]
		x.mu.RUnlock()
	}
	return at, ok && at < leaves.n && leaves.at(at).ID == id
}

func (x *leafIndex) learn(leaves *leafList) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.at == nil {
		x.at = make(map[string]int, leaves.n)
	}
	for ; x.known < leaves.n; x.known++ {
		x.at[leaves.at(x.known).ID] = x.known
	}
}
