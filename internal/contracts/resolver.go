package contracts

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// AccountResolver returns the interface of the resolver, which finds accounts of version 1 that were upgraded
// to version 2.
func AccountResolver() *Contract { return accountResolver() }

var accountResolver = sync.OnceValue(func() *Contract {
	const results = "(address accountAddress, address factoryAddress, address currentImplementation, " +
		"string currentVersion, string factoryVersion, uint256 deploymentIndex)[]"
	return mustParse(`
function resolveAddresses(address _eoa, uint8 _maxIndex) view returns (` + results + `)
function resolveAddressesFlexibleForV2(address _eoa, uint8 _maxIndex, address _moduleAddress, bytes _moduleSetupData) view returns (` + results + `)
function resolveAddressesV1(address _eoa, uint8 _maxIndex) view returns (` + results + `)
`)
})

var selectorResolveAddressesFlexibleForV2 = newSelector(0x315f3c03)

// ResolvedAccount is an account that the resolver found.
type ResolvedAccount struct {
	Account        common.Address
	Factory        common.Address
	Implementation common.Address
	// CurrentVersion is the implementation's, like "2.0.0".
	CurrentVersion string
	// FactoryVersion is "v1" or "v2".
	FactoryVersion string
	Index          uint256.Int
}

// ResolveAddressesFlexibleForV2 returns the calldata of
// resolveAddressesFlexibleForV2(address,uint8,address,bytes): the deployed accounts of an owner with an index
// below endIndex, those of version 2 with this module as their first. The contract computes endIndex × 2 in
// eight bits: it reverts for one above 127. [DecodeResolvedAccounts] reads the result.
func ResolveAddressesFlexibleForV2(owner common.Address, endIndex uint8, module common.Address, setupData []byte) []byte {
	call := newCall(selectorResolveAddressesFlexibleForV2, 4*abiword.Size+abiword.BytesSize(len(setupData)))
	call = abiword.AppendAddress(call, owner)
	call = abiword.AppendUint64(call, uint64(endIndex))
	call = abiword.AppendAddress(call, module)
	call = abiword.AppendUint64(call, 4*abiword.Size)
	return abiword.AppendBytes(call, setupData)
}

// DecodeResolvedAccounts reads the result of the resolver's functions.
func DecodeResolvedAccounts(result []byte) ([]ResolvedAccount, error) {
	values, err := accountResolver().functions[selectorResolveAddressesFlexibleForV2].UnpackResult(result)
	if err != nil {
		return nil, err
	}
	tuples := values[0].([]abi.Tuple)
	accounts := make([]ResolvedAccount, len(tuples))
	for i, t := range tuples {
		accounts[i] = ResolvedAccount{
			Account:        t[0].Value.(common.Address),
			Factory:        t[1].Value.(common.Address),
			Implementation: t[2].Value.(common.Address),
			CurrentVersion: t[3].Value.(string),
			FactoryVersion: t[4].Value.(string),
			Index:          toUint256(t[5].Value),
		}
	}
	return accounts, nil
}
