package contracts

import (
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// AccountFactory returns the interface of the smart account's factory, version 2.
func AccountFactory() *Contract { return factory() }

var factory = sync.OnceValue(func() *Contract {
	return mustParse(`
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
	selectorBasicImplementation         = newSelector(0xdaf0dfc8)
	selectorMinimalHandler              = newSelector(0x3b3cb143)
	selectorCounterFactualAddress       = newSelector(0x2e7a1a83)
)

// DeployCounterFactualAccount returns the calldata with which the factory deploys an account at its
// counterfactual address: deployCounterFactualAccount(address,bytes,uint256). Behind the factory's address it
// is the initCode of an operation.
func DeployCounterFactualAccount(setupContract common.Address, setupData []byte, index uint256.Int) []byte {
	call := newCall(selectorDeployCounterFactualAccount, 3*abiword.Size+abiword.BytesSize(len(setupData)))
	call = abiword.AppendAddress(call, setupContract)
	call = abiword.AppendUint64(call, 3*abiword.Size)
	call = abiword.AppendUint256(call, &index)
	return abiword.AppendBytes(call, setupData)
}

// AccountCreationCode returns the calldata of accountCreationCode(), the code of the accounts' proxy.
// [DecodeBytes] reads the result.
func AccountCreationCode() []byte {
	return newCall(selectorAccountCreationCode, 0)
}

// ProxyInitCodeHash returns keccak256(code ‖ uint256(implementation)), the hash of what makes a proxy, for
// the proxies' creation code.
func ProxyInitCodeHash(code []byte, implementation common.Address) common.Hash {
	return crypto.Keccak256Hash(abiword.AppendAddress(slices.Clip(code), implementation))
}

// BasicImplementation returns the calldata of basicImplementation(), what new accounts delegate to.
// [DecodeAddress] reads the result.
func BasicImplementation() []byte {
	return newCall(selectorBasicImplementation, 0)
}

// MinimalHandler returns the calldata of minimalHandler(), the fallback handler of new accounts.
// [DecodeAddress] reads the result.
func MinimalHandler() []byte {
	return newCall(selectorMinimalHandler, 0)
}

// GetAddressForCounterFactualAccount returns the calldata of
// getAddressForCounterFactualAccount(address,bytes,uint256) with the arguments of a call of
// [DeployCounterFactualAccount]: which address that account gets. [DecodeAddress] reads the result.
func GetAddressForCounterFactualAccount(deploy []byte) []byte {
	arguments := deploy[min(abi.SelectorSize, len(deploy)):]
	return append(newCall(selectorCounterFactualAddress, len(arguments)), arguments...)
}

// ProxyMetadataHash is the metadata hash at the end of the account proxy's code as it is deployed on public
// chains. A proxy compiled elsewhere differs in these 32 bytes only; with them in place, counterfactual
// addresses are those of public chains.
func ProxyMetadataHash() common.Hash {
	return common.HexToHash("0xa03b18dce0be0b4c9afe58a9eb85c35205e2cf087da098bbf1d23945bf894960")
}
