package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
)

// firstAccount is one that the factory of version 1 is said to have made.
const firstAccount = "account of version 1"

// factoryV1Methods are those of what stands for the factory of version 1: anybody may say what it made.
func factoryV1Methods() map[string]method {
	return map[string]method{
		"setAccount(address,uint256,address)": take3((*input).address, (*input).number, (*input).address, func(c *call, owner common.Address, index uint256.Int, account common.Address) ([]byte, error) {
			c.setAddress(c.slot(firstAccount, word(owner), numberWord(&index)), account)
			return nothing()
		}),
		"getAddressForCounterFactualAccount(address,uint256)": take2((*input).address, (*input).number, func(c *call, owner common.Address, index uint256.Int) ([]byte, error) {
			return address(c.accountV1(owner, &index))
		}),
	}
}

func (m *Machine) accountV1(owner common.Address, index *uint256.Int) common.Address {
	return m.address(slot{at: m.Addresses.FactoryV1, name: firstAccount, a: word(owner), b: numberWord(index)})
}

func resolverMethods() map[string]method {
	return map[string]method{"resolveAddressesFlexibleForV2(address,uint8,address,bytes)": {run: resolveAccounts}}
}

// resolution is an account that the resolver found.
type resolution struct {
	AccountAddress, FactoryAddress, CurrentImplementation common.Address
	CurrentVersion, FactoryVersion                        string
	DeploymentIndex                                       uint64
}

// resolveAccounts finds accounts with indexes below the one that is given.
func resolveAccounts(c *call, in *input) ([]byte, error) {
	owner, end, module, setup := in.address(0), in.uint(1, 8), in.address(2), in.bytes(3)
	switch {
	case in.bad:
		return nil, bare()
	case end > 127:
		return nil, panicked(0x11) // room for twice as many is reckoned in a uint8
	}
	factory := &call{Machine: c.Machine, self: c.Addresses.Factory}
	var found []resolution
	for i := range end {
		index := uint256.NewInt(i)
		second, _ := factory.counterfactual(module, setup, index)
		for _, r := range []resolution{
			{AccountAddress: c.accountV1(owner, index), FactoryAddress: c.Addresses.FactoryV1, FactoryVersion: "v1", DeploymentIndex: i},
			{AccountAddress: second, FactoryAddress: c.Addresses.Factory, FactoryVersion: "v2", DeploymentIndex: i},
		} {
			if !c.HasCode(r.AccountAddress) {
				continue
			}
			if err := c.describe(&r); err != nil {
				return nil, err
			}
			found = append(found, r)
		}
	}
	return packResolutions(found)
}

// describe asks an account what it is.
func (c *call) describe(r *resolution) error {
	implementation, err := c.call(r.AccountAddress, new(uint256.Int), pack("getImplementation()"))
	if err != nil {
		return err
	}
	version, err := c.call(r.AccountAddress, new(uint256.Int), pack("VERSION()"))
	if err != nil {
		return err
	}
	r.CurrentImplementation = common.BytesToAddress(implementation)
	r.CurrentVersion, err = contracts.DecodeString(version)
	return err
}

func packResolutions(found []resolution) ([]byte, error) {
	const results = "f((address accountAddress, address factoryAddress, address currentImplementation, string currentVersion, " +
		"string factoryVersion, uint256 deploymentIndex)[])"
	data, err := abi.Pack(results, found)
	if err != nil {
		return nil, err
	}
	return data[abi.SelectorSize:], nil
}
