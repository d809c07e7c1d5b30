package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
)

// factoryMethods are those of the account factory. Its proxies' code is not known here.
func factoryMethods() map[string]method {
	return map[string]method{
		"deployCounterFactualAccount(address,bytes,uint256)":        take3((*input).address, (*input).bytes, (*input).number, deployAccount),
		"getAddressForCounterFactualAccount(address,bytes,uint256)": take3((*input).address, (*input).bytes, (*input).number, accountAddress),
		"basicImplementation()":                                     take0(func(c *call) ([]byte, error) { return address(c.Addresses.Implementation) }),
		"minimalHandler()":                                          take0(func(c *call) ([]byte, error) { return address(c.Addresses.Handler) }),
	}
}

func accountAddress(c *call, setup common.Address, data []byte, index uint256.Int) ([]byte, error) {
	account, _ := c.counterfactual(setup, data, &index)
	return address(account)
}

// counterfactual returns an account's address, and what initializes it.
func (c *call) counterfactual(setup common.Address, data []byte, index *uint256.Int) (common.Address, []byte) {
	initializer := contracts.Init(c.Addresses.Handler, setup, data)
	number := index.Bytes32()
	salt := crypto.Keccak256Hash(crypto.Keccak256(initializer), number[:])
	return crypto.CreateAddress2(c.self, salt, c.Addresses.ProxyInitCodeHash[:]), initializer
}

func deployAccount(c *call, setup common.Address, data []byte, index uint256.Int) ([]byte, error) {
	account, initializer := c.counterfactual(setup, data, &index)
	if c.HasCode(account) {
		return nil, reason("Create2 call failed")
	}
	c.set(slot{at: account, name: codeSlot}, uintWord(1))
	result, err := c.call(account, new(uint256.Int), initializer)
	if err != nil {
		return nil, err
	}
	c.emit("AccountCreation(address,address,uint256)", []common.Hash{word(account), common.BytesToHash(result), numberWord(&index)})
	return address(account)
}
