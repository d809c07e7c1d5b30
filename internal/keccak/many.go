package keccak

import (
	"encoding/binary"
	"sync"

	"github.com/cloudflare/circl/simd/keccakf1600"
	"github.com/ethereum/go-ethereum/common"
)

// Many puts Keccak-256 of many inputs into sums: of input i, which is what appendInput appends to dst. Where
// the processor can, it hashes four at a time, which takes about as long as one does by itself.
func Many(sums []common.Hash, appendInput func(dst []byte, i int) []byte) {
	done := 0
	if keccakf1600.IsEnabledX4() {
		done = byFours(sums, appendInput)
	}
	oneByOne(sums, done, appendInput)
}

// oneByOne hashes what any processor can, from that input on.
func oneByOne(sums []common.Hash, from int, appendInput func(dst []byte, i int) []byte) {
	if from == len(sums) {
		return
	}
	h := Get()
	defer h.Put()
	for i := from; i < len(sums); i++ {
		sums[i] = h.Sum(appendInput(h.Buffer(), i))
	}
}

// byFours hashes as many inputs as there are fours, and returns how many those are.
func byFours(sums []common.Hash, appendInput func(dst []byte, i int) []byte) int {
	n := len(sums) / lanes * lanes
	if n == 0 {
		return 0
	}
	f := fours.Get().(*four)
	defer fours.Put(f)
	for i := 0; i < n; i += lanes {
		for lane := range f.padded {
			f.padded[lane] = pad(appendInput(f.padded[lane][:0], i+lane))
		}
		f.sum(sums[i:])
	}
	return n
}

const (
	lanes    = 4
	wordSize = 8
	rate     = 136 // bytes that one permutation takes in
)

// four are four hashers that go in step. Word w of one's state is word lanes·w + lane of all.
type four struct {
	state  keccakf1600.StateX4
	padded [lanes][]byte
}

var fours = sync.Pool{New: func() any {
	f := new(four)
	for lane := range f.padded {
		f.padded[lane] = make([]byte, 0, room)
	}
	return f
}}

// pad fills the last block up.
func pad(b []byte) []byte {
	var zeros [rate]byte
	n := len(b)
	b = append(b, zeros[:rate-n%rate]...)
	b[n] ^= 0x01
	b[len(b)-1] ^= 0x80
	return b
}

// sum hashes what is in padded. The inputs may be of several lengths: one that ended goes along.
func (f *four) sum(sums []common.Hash) {
	words := f.state.Initialize(false)
	clear(words)
	for at, more := 0, true; more; at += rate {
		for lane, b := range f.padded {
			if at < len(b) {
				absorb(words[lane:], b[at:at+rate])
			}
		}
		f.state.Permute()
		more = false
		for lane, b := range f.padded {
			if at+rate == len(b) {
				squeeze(&sums[lane], words[lane:])
			}
			more = more || at+rate < len(b)
		}
	}
}

func absorb(words []uint64, block []byte) {
	for w := range rate / wordSize {
		words[lanes*w] ^= binary.LittleEndian.Uint64(block[wordSize*w:])
	}
}

func squeeze(sum *common.Hash, words []uint64) {
	for w := range len(sum) / wordSize {
		binary.LittleEndian.PutUint64(sum[wordSize*w:], words[lanes*w])
	}
}
