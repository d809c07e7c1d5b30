package abi

import "github.com/ethereum/go-ethereum/common"

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
	return AppendAddress(newCall(selectorEnableModule, WordSize), module)
}

// SetupAndEnableModule returns the calldata of setupAndEnableModule(address,bytes), which the account calls
// on itself: it calls setupContract with setupData, and enables the module whose address comes back.
func SetupAndEnableModule(setupContract common.Address, setupData []byte) []byte {
	call := newCall(selectorSetupAndEnableModule, 2*WordSize+BytesSize(len(setupData)))
	call = AppendAddress(call, setupContract)
	call = AppendUint64(call, 2*WordSize)
	return AppendBytes(call, setupData)
}

// DisableModule returns the calldata of disableModule(address,address), which the account calls on itself. prev is the
// module before it in the list (see [GetModulesPaginated]), or [SentinelModule] before the first.
func DisableModule(prev, module common.Address) []byte {
	return AppendAddress(AppendAddress(newCall(selectorDisableModule, 2*WordSize), prev), module)
}

// IsModuleEnabled returns the calldata of isModuleEnabled(address). [DecodeBool] reads the result.
func IsModuleEnabled(module common.Address) []byte {
	return AppendAddress(newCall(selectorIsModuleEnabled, WordSize), module)
}

// GetModulesPaginated returns the calldata of getModulesPaginated(address,uint256): at most size modules
// after start, [SentinelModule] for the beginning. [DecodeModules] reads the result.
func GetModulesPaginated(start common.Address, size uint64) []byte {
	return AppendUint64(AppendAddress(newCall(selectorGetModulesPaginated, 2*WordSize), start), size)
}

// DecodeModules reads the result of getModulesPaginated: the modules of the page, and where the next page starts
// ([SentinelModule] when there is none).
func DecodeModules(result []byte) (modules []common.Address, next common.Address, err error) {
	values, err := smartAccount().bySelector(selectorGetModulesPaginated).UnpackResult(result)
	if err != nil {
		return nil, common.Address{}, err
	}
	return values[0].([]common.Address), values[1].(common.Address), nil
}
