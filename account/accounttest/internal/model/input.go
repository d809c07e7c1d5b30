package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// input reads ABI-encoded arguments as Solidity's decoder does: what lies beyond its end, or does not fit its
// type, makes it bad, for which a contract reverts without a reason. What follows the arguments does not
// matter.
type input struct {
	data []byte
	bad  bool
}

// head returns the i-th word.
func (in *input) head(i int) common.Hash {
	if len(in.data) < (i+1)*abi.WordSize {
		in.bad = true
		return common.Hash{}
	}
	return common.Hash(in.data[i*abi.WordSize : (i+1)*abi.WordSize])
}

func (in *input) number(i int) uint256.Int {
	word := in.head(i)
	return *new(uint256.Int).SetBytes32(word[:])
}

func (in *input) address(i int) common.Address {
	word := in.head(i)
	address := common.BytesToAddress(word[:])
	in.bad = in.bad || common.BytesToHash(address[:]) != word
	return address
}

// uint reads an unsigned integer of so many bits.
func (in *input) uint(i, bits int) uint64 {
	n := in.number(i)
	in.bad = in.bad || n.BitLen() > bits
	return n.Uint64()
}

func (in *input) time(i int) uint64 { return in.uint(i, 48) }

func (in *input) flag(i int) bool { return in.uint(i, 1) == 1 }

// tail returns what begins at the offset in the i-th word.
func (in *input) tail(i int) []byte {
	offset := in.number(i)
	if in.bad || !offset.LtUint64(uint64(len(in.data))+1) {
		in.bad = true
		return nil
	}
	return in.data[offset.Uint64():]
}

// counted returns what follows the count at the i-th word's offset; each element has at least size bytes.
func (in *input) counted(i, size int) (n int, rest []byte) {
	at := input{data: in.tail(i)}
	count := at.number(0)
	if in.bad = in.bad || at.bad; in.bad {
		return 0, nil
	}
	rest = at.data[abi.WordSize:]
	if !count.LtUint64(uint64(len(rest)/size) + 1) {
		in.bad = true
		return 0, nil
	}
	return int(count.Uint64()), rest
}

func (in *input) bytes(i int) []byte {
	n, rest := in.counted(i, 1)
	return rest[:n]
}

// each reads an array whose elements take a word of its head each.
func each[T any](in *input, i int, read func(*input, int) T) []T {
	n, rest := in.counted(i, abi.WordSize)
	elements, list := &input{data: rest}, make([]T, n)
	for k := range list {
		list[k] = read(elements, k)
	}
	in.bad = in.bad || elements.bad
	return list
}

// tuple reads a tuple of dynamic size.
func (in *input) tuple(i int) *input { return &input{data: in.tail(i), bad: in.bad} }

// method is a contract's function.
type method struct {
	payable bool
	run     func(c *call, in *input) ([]byte, error)
}

// take0 is a function without arguments.
func take0(run func(*call) ([]byte, error)) method {
	return method{run: func(c *call, _ *input) ([]byte, error) { return run(c) }}
}

// take1 is a function of one argument.
func take1[A any](a func(*input, int) A, run func(*call, A) ([]byte, error)) method {
	return method{run: func(c *call, in *input) ([]byte, error) {
		first := a(in, 0)
		if in.bad {
			return nil, bare()
		}
		return run(c, first)
	}}
}

// take2 is a function of two arguments.
func take2[A, B any](a func(*input, int) A, b func(*input, int) B, run func(*call, A, B) ([]byte, error)) method {
	return method{run: func(c *call, in *input) ([]byte, error) {
		first, second := a(in, 0), b(in, 1)
		if in.bad {
			return nil, bare()
		}
		return run(c, first, second)
	}}
}

// take3 is a function of three arguments.
func take3[A, B, C any](a func(*input, int) A, b func(*input, int) B, c func(*input, int) C, run func(*call, A, B, C) ([]byte, error)) method {
	return method{run: func(call *call, in *input) ([]byte, error) {
		first, second, third := a(in, 0), b(in, 1), c(in, 2)
		if in.bad {
			return nil, bare()
		}
		return run(call, first, second, third)
	}}
}

// withValue makes a function one that takes the chain's own currency.
func withValue(m method) method {
	m.payable = true
	return m
}
