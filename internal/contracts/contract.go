package contracts

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
)

// Contract is the interface of one of the contracts. It is immutable and safe for concurrent use.
type Contract struct {
	*abi.Contract
	functions map[[abi.SelectorSize]byte]*abi.Function
	events    map[common.Hash]*abi.Event
}

// mustParse reads an interface, which is a constant here.
func mustParse(text string) *Contract {
	c := &Contract{
		Contract:  abi.MustParseContract(text),
		functions: make(map[[abi.SelectorSize]byte]*abi.Function),
		events:    make(map[common.Hash]*abi.Event),
	}
	for _, f := range c.Functions() {
		c.functions[f.Selector()] = f
	}
	for _, e := range c.Events() {
		c.events[e.Topic()] = e
	}
	return c
}

// Called returns the function that the calldata calls, by its selector alone; false where the contract has
// none such.
func (c *Contract) Called(callData []byte) (*abi.Function, bool) {
	if len(callData) < abi.SelectorSize {
		return nil, false
	}
	f, ok := c.functions[[abi.SelectorSize]byte(callData[:abi.SelectorSize])]
	return f, ok
}

// newSelector returns the selector that is written as this number.
func newSelector(n uint32) (selector [abi.SelectorSize]byte) {
	binary.BigEndian.PutUint32(selector[:], n)
	return selector
}

// newCall returns the selector with room for the arguments after it.
func newCall(selector [abi.SelectorSize]byte, room int) []byte {
	return append(make([]byte, 0, abi.SelectorSize+room), selector[:]...)
}
