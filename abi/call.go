package abi

import "encoding/binary"

// newSelector returns the selector that is written as this number.
func newSelector(n uint32) (selector [SelectorSize]byte) {
	binary.BigEndian.PutUint32(selector[:], n)
	return selector
}

// newCall returns the selector with room for the arguments after it.
func newCall(selector [SelectorSize]byte, room int) []byte {
	return append(make([]byte, 0, SelectorSize+room), selector[:]...)
}
