package policy

import (
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// The heads of execute's arguments, in bytes from the start of callData.
const (
	executeToAt    = abi.SelectorSize
	executeValueAt = executeToAt + abi.WordSize
	executeDataAt  = executeValueAt + abi.WordSize
)

// calldata is the data of an inner call as a validation module sees it: length bytes of source from
// start. The ABI module takes start and length as they stand in an operation's callData and never looks
// where that ends.
type calldata struct {
	source []byte
	start  uint64
	length uint64
	// beyond is set once something was read that lies outside source: zero in the padding of the last
	// word, and beyond that whatever the operation has there.
	beyond bool
}

func wholeCalldata(data []byte) calldata {
	return calldata{source: data, length: uint64(len(data))}
}

// selector returns the first four bytes, or false if there are fewer.
func (c *calldata) selector() (selector [abi.SelectorSize]byte, ok bool) {
	if c.length < abi.SelectorSize {
		return selector, false
	}
	c.read(c.start, selector[:])
	return selector, true
}

// argument returns the word that begins offset bytes after the selector, or false if the call ends before it.
func (c *calldata) argument(offset uint64) (word common.Hash, ok bool) {
	at := abi.SelectorSize + offset
	if at+abi.WordSize > c.length {
		return word, false
	}
	c.read(c.start+at, word[:])
	return word, true
}

// word reads a word of source.
func (c *calldata) word(at uint64) (word common.Hash) {
	c.read(at, word[:])
	return word
}

// read fills dst from source, with zeros where source has ended.
func (c *calldata) read(at uint64, dst []byte) {
	size := uint64(len(c.source))
	if at < size {
		copy(dst, c.source[at:])
	}
	padded := (size + abi.WordSize - 1) / abi.WordSize * abi.WordSize
	if at+uint64(len(dst)) > padded {
		c.beyond = true
	}
}

// looseExecute reads the arguments of execute as the assembly of the ABI module does: higher bits of the
// address are dropped, and the data is wherever its offset points.
func looseExecute(callData []byte) (to common.Address, value uint256.Int, data calldata) {
	data.source = callData
	head := data.word(executeToAt)
	to = common.BytesToAddress(head[:])
	head = data.word(executeValueAt)
	value.SetBytes32(head[:])
	head = data.word(executeDataAt)
	offset := capped(head)
	if offset > uint64(len(callData)) {
		data.beyond = true
		return to, value, data
	}
	data.start = executeToAt + offset + abi.WordSize
	data.length = capped(data.word(executeToAt + offset))
	return to, value, data
}

// capped returns a word as a number, all large ones alike.
func capped(word common.Hash) uint64 {
	var v uint256.Int
	if v.SetBytes32(word[:]); !v.IsUint64() {
		return math.MaxUint64
	}
	return v.Uint64()
}

// strictExecute reads the arguments of execute as abi.decode does, or returns false where that reverts.
func strictExecute(callData []byte) (to common.Address, value uint256.Int, data []byte, ok bool) {
	args := callData[abi.SelectorSize:]
	if len(args) < 3*abi.WordSize {
		return to, value, nil, false
	}
	if to, ok = cleanAddress(args); !ok {
		return to, value, nil, false
	}
	value.SetBytes32(args[abi.WordSize : 2*abi.WordSize])
	data, ok = tail(args, capped(common.Hash(args[2*abi.WordSize:3*abi.WordSize])))
	return to, value, data, ok
}

// tail returns the bytes value whose length stands at offset, or false if it does not lie within args.
func tail(args []byte, offset uint64) ([]byte, bool) {
	if offset > uint64(len(args)) || uint64(len(args))-offset < abi.WordSize {
		return nil, false
	}
	content := args[offset+abi.WordSize:]
	length := capped(common.Hash(args[offset : offset+abi.WordSize]))
	if length > uint64(len(content)) {
		return nil, false
	}
	return content[:length], true
}
