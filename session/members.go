package session

import "math/bits"

// members are the positions of an account's leaves that are in a tree, in the order of the store.
type members struct {
	count   int
	*bitset // nil where they are the first count
}

// bitset has a bit for each position, and the last word is not zero.
type bitset struct {
	words []uint64
	below []int32 // how many there are below each word
}

const wordBits = 64

// word returns the bits of positions 64·w to 64·w+63.
func (m *members) word(w int) uint64 {
	switch {
	case m.bitset == nil && m.count <= w*wordBits:
		return 0
	case m.bitset == nil && m.count < (w+1)*wordBits:
		return 1<<(m.count-w*wordBits) - 1
	case m.bitset == nil:
		return ^uint64(0)
	case w < len(m.words):
		return m.words[w]
	}
	return 0
}

// end is behind the last position.
func (m *members) end() int {
	if m.bitset == nil {
		return m.count
	}
	last := len(m.words) - 1
	return last*wordBits + bits.Len64(m.words[last])
}

func (m *members) has(i int) bool { return m.word(i/wordBits)>>(i%wordBits)&1 == 1 }

// rank is how many there are below position i.
func (m *members) rank(i int) int {
	if m.bitset == nil || i >= m.end() {
		return min(i, m.count)
	}
	w := i / wordBits
	return int(m.below[w]) + bits.OnesCount64(m.words[w]&(1<<(i%wordBits)-1))
}

// from returns the positions from i on.
func (m *members) from(i int) []int {
	positions := make([]int, 0, m.count-m.rank(i))
	for end := m.end(); i < end; i++ {
		if m.has(i) {
			positions = append(positions, i)
		}
	}
	return positions
}

// difference is the first position at which two of them differ; behind all of them where they do not.
func (m *members) difference(other *members) int {
	end := max(m.end(), other.end())
	for w := 0; w*wordBits < end; w++ {
		if d := m.word(w) ^ other.word(w); d != 0 {
			return w*wordBits + bits.TrailingZeros64(d)
		}
	}
	return end
}

// with returns what they are after some changed: is says of each position whether it is one now.
func (m *members) with(is map[int]bool) members {
	end := m.end()
	for i := range is {
		end = max(end, i+1)
	}
	words := make([]uint64, (end+wordBits-1)/wordBits)
	for w := range words {
		words[w] = m.word(w)
	}
	for i, in := range is {
		words[i/wordBits] &^= 1 << (i % wordBits)
		if in {
			words[i/wordBits] |= 1 << (i % wordBits)
		}
	}
	return newMembers(words)
}

// membersOf returns the leaves, by position, for which in is true.
func membersOf(leaves *leafList, in func(*Leaf) bool) members {
	words := make([]uint64, (leaves.n+wordBits-1)/wordBits)
	for i := range leaves.n {
		if in(leaves.at(i)) {
			words[i/wordBits] |= 1 << (i % wordBits)
		}
	}
	return newMembers(words)
}

func newMembers(words []uint64) members {
	for len(words) > 0 && words[len(words)-1] == 0 {
		words = words[:len(words)-1]
	}
	count, below := 0, make([]int32, len(words))
	for w, word := range words {
		below[w] = int32(count)
		count += bits.OnesCount64(word)
	}
	if first := (members{count: count}); len(words) == (count+wordBits-1)/wordBits && (count == 0 || words[len(words)-1] == first.word(len(words)-1)) {
		return first
	}
	return members{count, &bitset{words, below}}
}
