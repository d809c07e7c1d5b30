package abi

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// AccountFactory returns the interface of the smart account's factory, version 2.
func AccountFactory() *Contract { return accountFactory() }

var accountFactory = sync.OnceValue(func() *Contract {
	return MustParseContract(`
function deployCounterFactualAccount(address moduleSetupContract, bytes moduleSetupData, uint256 index) returns (address proxy)
function deployAccount(address moduleSetupContract, bytes moduleSetupData) returns (address proxy)
function getAddressForCounterFactualAccount(address moduleSetupContract, bytes moduleSetupData, uint256 index) view returns (address _account)
function accountCreationCode() pure returns (bytes)
function basicImplementation() view returns (address)
function minimalHandler() view returns (address)

event AccountCreation(address indexed account, address indexed initialAuthModule, uint256 indexed index)
event AccountCreationWithoutIndex(address indexed account, address indexed initialAuthModule)

error ProxyDeploymentFailed(address owner, uint256 index)
`)
})

var (
	selectorDeployCounterFactualAccount = newSelector(0xdf20ffbc)
	selectorAccountCreationCode         = newSelector(0x31c884df)
)

// DeployCounterFactualAccount returns the calldata with which the factory deploys an account at its
// counterfactual address: deployCounterFactualAccount(address,bytes,uint256). Behind the factory's address it is
// the initCode of an operation.
func DeployCounterFactualAccount(setupContract common.Address, setupData []byte, index uint256.Int) []byte {
	call := newCall(selectorDeployCounterFactualAccount, 3*WordSize+BytesSize(len(setupData)))
	call = AppendAddress(call, setupContract)
	call = AppendUint64(call, 3*WordSize)
	call = AppendUint256(call, &index)
	return AppendBytes(call, setupData)
}

// AccountCreationCode returns the calldata of accountCreationCode(), the code of the accounts' proxy.
// [DecodeBytes] reads the result.
func AccountCreationCode() []byte {
	return newCall(selectorAccountCreationCode, 0)
}
