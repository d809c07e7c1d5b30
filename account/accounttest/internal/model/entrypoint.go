package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
)

// Variables of the EntryPoint.
const (
	depositSlot = "deposit"
	nonceSlot   = "nonce"
)

// entryPointMethods are the EntryPoint's, as far as accounts and simulations call them.
func entryPointMethods() map[string]method {
	return map[string]method{
		"getNonce(address,uint192)": take2((*input).address, laneKey, func(c *call, sender common.Address, key uint256.Int) ([]byte, error) {
			return number(c.nonce(sender, &key))
		}),
		"incrementNonce(uint192)": take1(laneKey, func(c *call, key uint256.Int) ([]byte, error) {
			c.add(c.nonceAt(c.from, &key), uint256.NewInt(1))
			return nothing()
		}),
		"balanceOf(address)": take1((*input).address, func(c *call, account common.Address) ([]byte, error) {
			return number(c.deposit(account))
		}),
		"depositTo(address)": withValue(take1((*input).address, func(c *call, account common.Address) ([]byte, error) {
			return nil, c.depositFor(account, &c.value)
		})),
		"withdrawTo(address,uint256)": take2((*input).address, (*input).number, withdrawTo),
		"getUserOpHash(" + operationTuple + ")": {run: func(c *call, in *input) ([]byte, error) {
			op := readOperation(in.tuple(0))
			if in.bad || op == nil {
				return nil, bare()
			}
			hash := c.hash(op)
			return hash[:], nil
		}},
		"handleOps(" + operationTuple + "[],address)":            take2(readOperations, (*input).address, handleOps),
		"simulateHandleOp(" + operationTuple + ",address,bytes)": {run: simulateHandleOp},
	}
}

// laneKey reads a uint192.
func laneKey(in *input, i int) uint256.Int {
	key := in.number(i)
	in.bad = in.bad || key.BitLen() > 192
	return key
}

func receiveDeposit(c *call) error { return c.depositFor(c.from, &c.value) }

func (m *Machine) depositAt(account common.Address) slot {
	return slot{at: m.Addresses.EntryPoint, name: depositSlot, a: word(account)}
}

func (m *Machine) deposit(account common.Address) uint256.Int { return m.number(m.depositAt(account)) }

func (c *call) depositFor(account common.Address, wei *uint256.Int) error {
	if !c.add(c.depositAt(account), wei) {
		return panicked(0x11)
	}
	total := c.deposit(account)
	c.emit("Deposited(address,uint256)", []common.Hash{word(account)}, numberWord(&total))
	return nil
}

func withdrawTo(c *call, to common.Address, amount uint256.Int) ([]byte, error) {
	if !c.subtract(c.depositAt(c.from), &amount) {
		return nil, reason("Withdraw amount too large")
	}
	c.emit("Withdrawn(address,address,uint256)", []common.Hash{word(c.from)}, word(to), numberWord(&amount))
	if _, err := c.call(to, &amount, nil); err != nil {
		return nil, reason("failed to withdraw")
	}
	return nothing()
}

func (m *Machine) nonceAt(sender common.Address, key *uint256.Int) slot {
	return slot{at: m.Addresses.EntryPoint, name: nonceSlot, a: word(sender), b: key.Bytes32()}
}

// nonce is key ‖ the lane's counter of 64 bits.
func (m *Machine) nonce(sender common.Address, key *uint256.Int) uint256.Int {
	next := m.number(m.nonceAt(sender, key))
	return *next.Or(&next, new(uint256.Int).Lsh(key, 64))
}

// useNonce counts the lane's nonce up, and reports whether it was the one that comes next.
func (m *Machine) useNonce(sender common.Address, nonce *uint256.Int) bool {
	key := new(uint256.Int).Rsh(nonce, 64)
	next := m.nonce(sender, key)
	m.add(m.nonceAt(sender, key), uint256.NewInt(1))
	return next.Eq(nonce)
}

func (m *Machine) hash(op *userop.Operation) common.Hash {
	return op.Hash(m.Addresses.EntryPoint, m.ChainID)
}
