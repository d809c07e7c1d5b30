package contracts

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/go-sesame/sesame/internal/abiword"
)

var (
	selectorEnableModule         = newSelector(0x610b5925)
	selectorSetupAndEnableModule = newSelector(0x5305dd27)
	selectorDisableModule        = newSelector(0xe009cfde)
	selectorIsModuleEnabled      = newSelector(0x2d9ad53d)
	selectorGetModulesPaginated  = newSelector(0xcc2f8452)
)

// SentinelModule is where the account's list of modules begins and ends.
var SentinelModule = common.Address{19: 1}

// EnableModule returns the calldata of enableModule(address), which the account calls on itself.
func EnableModule(module common.Address) []byte {
	return abiword.AppendAddress(newCall(selectorEnableModule, abiword.Size), module)
}

// SetupAndEnableModule returns the calldata of setupAndEnableModule(address,bytes), which the account calls
// on itself: it calls setupContract with setupData, and enables the module whose address comes back.
func SetupAndEnableModule(setupContract common.Address, setupData []byte) []byte {
	call := newCall(selectorSetupAndEnableModule, 2*abiword.Size+abiword.BytesSize(len(setupData)))
	call = abiword.AppendAddress(call, setupContract)
	call = abiword.AppendUint64(call, 2*abiword.Size)
	return abiword.AppendBytes(call, setupData)
}

// DisableModule returns the calldata of disableModule(address,address), which the account calls on itself.
// prev is the module before it in the list (see [GetModulesPaginated]), or [SentinelModule] before the first.
func DisableModule(prev, module common.Address) []byte {
	return abiword.AppendAddress(abiword.AppendAddress(newCall(selectorDisableModule, 2*abiword.Size), prev), module)
}

// IsModuleEnabled returns the calldata of isModuleEnabled(address). [DecodeBool] reads the result.
func IsModuleEnabled(module common.Address) []byte {
	return abiword.AppendAddress(newCall(selectorIsModuleEnabled, abiword.Size), module)
}

// GetModulesPaginated returns the calldata of getModulesPaginated(address,uint256): at most size modules
// after start, [SentinelModule] for the beginning. [DecodeModules] reads the result.
func GetModulesPaginated(start common.Address, size uint64) []byte {
	return abiword.AppendUint64(abiword.AppendAddress(newCall(selectorGetModulesPaginated, 2*abiword.Size), start), size)
}

// DecodeModules reads the result of getModulesPaginated: the modules of the page, and where the next page
// starts ([SentinelModule] when there is none).
func DecodeModules(result []byte) (modules []common.Address, next common.Address, err error) {
	values, err := smartAccount().functions[selectorGetModulesPaginated].UnpackResult(result)
	if err != nil {
		return nil, common.Address{}, err
	}
	return values[0].([]common.Address), values[1].(common.Address), nil
}

// First topics of the logs about an account's modules.
var (
	EnabledModuleTopic  = common.HexToHash("0xecdf3a3effea5783a3c4c2140e677577666428d44ed9d474a0b3a4c9943f8440")
	DisabledModuleTopic = common.HexToHash("0xaab4fa2b463f581b2b32cb3b7e3b704b9ce37cc209b5fb4d77e593ace4054276")
)

// DecodeEnabledModule reads the module that an account logged as enabled. See [abi.Event.Decode] for the
// errors, and for what the caller has to check.
func DecodeEnabledModule(log *types.Log) (module common.Address, err error) {
	return decodeModule(EnabledModuleTopic, log)
}

// DecodeDisabledModule reads the module that an account logged as disabled. See [abi.Event.Decode] for the
// errors, and for what the caller has to check.
func DecodeDisabledModule(log *types.Log) (module common.Address, err error) {
	return decodeModule(DisabledModuleTopic, log)
}

func decodeModule(topic common.Hash, log *types.Log) (common.Address, error) {
	v, err := smartAccount().events[topic].Decode(log)
	if err != nil {
		return common.Address{}, err
	}
	return v[0].(common.Address), nil
}
