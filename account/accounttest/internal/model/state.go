package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
)

// slot names one word of a contract's storage, as a variable or an element of up to two mappings.
type slot struct {
	at   common.Address
	name string
	a, b common.Hash
}

// Variables that are the chain's own rather than a contract's.
const (
	balanceSlot = "native balance"
	codeSlot    = "account code"
)

// state is the chain's memory. What was changed since a mark can be taken back.
type state struct {
	words map[slot]common.Hash
	undo  []change
	logs  []*types.Log
}

type change struct {
	where slot
	was   common.Hash
}

// mark is a moment of the state.
type mark struct{ changes, logs int }

func (s *state) mark() mark { return mark{len(s.undo), len(s.logs)} }

// rollback takes back what happened since the mark.
func (s *state) rollback(to mark) {
	for i := len(s.undo) - 1; i >= to.changes; i-- {
		s.words[s.undo[i].where] = s.undo[i].was
	}
	s.undo, s.logs = s.undo[:to.changes], s.logs[:to.logs]
}

// Logs are those since everything was final the last time.
func (s *state) Logs() []*types.Log { return s.logs }

// Settle makes everything final.
func (s *state) Settle() { s.undo, s.logs = s.undo[:0], nil }

func (s *state) set(where slot, word common.Hash) {
	s.undo = append(s.undo, change{where, s.words[where]})
	s.words[where] = word
}

func (s *state) number(where slot) uint256.Int {
	word := s.words[where]
	return *new(uint256.Int).SetBytes32(word[:])
}

func (s *state) setNumber(where slot, n *uint256.Int) { s.set(where, n.Bytes32()) }

func (s *state) address(where slot) common.Address {
	word := s.words[where]
	return common.BytesToAddress(word[:])
}

func (s *state) setAddress(where slot, a common.Address) { s.set(where, word(a)) }

// add adds to a number; false if the sum has no room.
func (s *state) add(where slot, n *uint256.Int) bool {
	sum := s.number(where)
	if _, overflow := sum.AddOverflow(&sum, n); overflow {
		return false
	}
	s.setNumber(where, &sum)
	return true
}

// subtract takes from a number; false if there is not so much.
func (s *state) subtract(where slot, n *uint256.Int) bool {
	left := s.number(where)
	if left.Lt(n) {
		return false
	}
	s.setNumber(where, left.Sub(&left, n))
	return true
}

// log writes a log: its topics, and its data as words.
func (s *state) log(at common.Address, topics []common.Hash, data []byte) {
	s.logs = append(s.logs, &types.Log{Address: at, Topics: topics, Data: data})
}

// word is an address as a word.
func word(a common.Address) common.Hash { return common.BytesToHash(a[:]) }

func balanceOf(a common.Address) slot { return slot{at: a, name: balanceSlot} }
