package contracts

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// SmartAccount returns the interface of the smart account, version 2.
func SmartAccount() *Contract { return smartAccount() }

var smartAccount = sync.OnceValue(func() *Contract {
	return mustParse(`
function execute_ncC(address dest, uint256 value, bytes func)
function executeBatch_y6U(address[] dest, uint256[] value, bytes[] func)
function execute(address dest, uint256 value, bytes func)
function executeBatch(address[] dest, uint256[] value, bytes[] func)
function init(address handler, address moduleSetupContract, bytes moduleSetupData) returns (address)
function enableModule(address module)
function setupAndEnableModule(address setupContract, bytes setupData) returns (address)
function disableModule(address prevModule, address module)
function isModuleEnabled(address module) view returns (bool)
function getModulesPaginated(address start, uint256 pageSize) view returns (address[] array, address next)
function getImplementation() view returns (address)
function updateImplementation(address _implementation)
function setFallbackHandler(address handler)
function getFallbackHandler() view returns (address)
function entryPoint() view returns (address)
function nonce(uint192 _key) view returns (uint256)
function getDeposit() view returns (uint256)
function addDeposit() payable
function withdrawDepositTo(address withdrawAddress, uint256 amount) payable
function validateUserOp(` + userOperationType + ` userOp, bytes32 userOpHash, uint256 missingAccountFunds) returns (uint256 validationData)
function isValidSignature(bytes32 dataHash, bytes signature) view returns (bytes4)
function supportsInterface(bytes4 _interfaceId) view returns (bool)

event EnabledModule(address module)
event DisabledModule(address module)
event ExecutionFromModuleSuccess(address indexed module)
event ExecutionFromModuleFailure(address indexed module)
event ModuleTransaction(address module, address to, uint256 value, bytes data, uint8 operation)
event ExecutionFailure(address indexed to, uint256 indexed value, bytes indexed data, uint8 operation, uint256 txGas)
event ExecutionSuccess(address indexed to, uint256 indexed value, bytes indexed data, uint8 operation, uint256 txGas)
event ChangedFallbackHandler(address indexed previousHandler, address indexed handler)
event ImplementationUpdated(address indexed oldImplementation, address indexed newImplementation)
event SmartAccountReceivedNativeToken(address indexed sender, uint256 indexed value)

error CallerIsNotAnEntryPoint(address caller)
error HandlerCannotBeZero()
error ModulesAlreadyInitialized()
error ModulesSetupExecutionFailed()
error ModuleCannotBeZeroOrSentinel(address module)
error ModuleAlreadyEnabled(address module)
error ModuleAndPrevModuleMismatch(address expectedModule, address returnedModule, address prevModule)
error ModuleNotEnabled(address module)
error WrongBatchProvided(uint256 destLength, uint256 valueLength, uint256 funcLength, uint256 operationLength)
error EntryPointCannotBeZero()
error MixedAuthFail(address caller)
error OwnerCannotBeZero()
error BaseImplementationCannotBeZero()
error InvalidImplementation(address implementationAddress)
error CallerIsNotOwner(address caller)
error CallerIsNotEntryPointOrOwner(address caller)
error CallerIsNotEntryPointOrSelf(address caller)
error CallerIsNotEntryPoint(address caller)
error AlreadyInitialized()
error WrongContractSignatureFormat(uint256 uintS, uint256 contractSignatureLength, uint256 signatureLength)
error WrongContractSignature(bytes contractSignature)
error TransferToZeroAddressAttempt()
error WrongValidationModule(address moduleAddressProvided)
error DelegateCallsOnly()
error OwnerCanNotBeSelf()
error OwnerProvidedIsSame()
error CallerIsNotSelf(address caller)
`)
})

var (
	selectorInit           = newSelector(0x378dfd8e)
	selectorValidateUserOp = newSelector(0x3a871cdd)
)

// Init returns the calldata that sets up a new account: init(address,address,bytes). Its hash is part of the
// account's address.
func Init(handler, setupContract common.Address, setupData []byte) []byte {
	call := newCall(selectorInit, 3*abiword.Size+abiword.BytesSize(len(setupData)))
	call = abiword.AppendAddress(call, handler)
	call = abiword.AppendAddress(call, setupContract)
	call = abiword.AppendUint64(call, 3*abiword.Size)
	return abiword.AppendBytes(call, setupData)
}

// ValidateUserOp returns the calldata with which the EntryPoint has the account check an operation:
// validateUserOp(UserOperation,bytes32,uint256). The account pays missing, in wei, to the EntryPoint.
func ValidateUserOp(op UserOperation, hash common.Hash, missing *uint256.Int) []byte {
	return newValidation(selectorValidateUserOp, &op, hash, missing)
}

// WrapSignature returns an operation's or a message's signature as the account reads it, abi.encode(bytes
// moduleSignature, address module): the account loads the module from there and hands it the rest.
func WrapSignature(moduleSignature []byte, module common.Address) []byte {
	return abiword.AppendBytes(newWrapped(len(moduleSignature), module), moduleSignature)
}

// newWrapped returns what [WrapSignature] puts before a module's signature of that size, with room for it.
func newWrapped(size int, module common.Address) []byte {
	dst := make([]byte, 0, 2*abiword.Size+abiword.BytesSize(size))
	dst = abiword.AppendUint64(dst, 2*abiword.Size)
	return abiword.AppendAddress(dst, module)
}

// SignatureModule returns the module that an account's signature names, as far as there is one: it looks at
// its place in what [WrapSignature] makes, and at nothing else.
func SignatureModule(signature []byte) (module common.Address) {
	if len(signature) >= 2*abiword.Size {
		module = common.BytesToAddress(signature[abiword.Size : 2*abiword.Size])
	}
	return module
}

// The short names are mined for cheap selectors; the account answers to the long ones as well.
var (
	selectorExecute          = newSelector(0x0000189a) // execute_ncC
	selectorExecuteBatch     = newSelector(0x00004680) // executeBatch_y6U
	selectorExecuteLong      = newSelector(0xb61d27f6)
	selectorExecuteBatchLong = newSelector(0x47e1da2a)
)

// Execute returns the calldata with which the EntryPoint lets the account make one call:
// execute_ncC(address,uint256,bytes).
func Execute(to common.Address, value uint256.Int, data []byte) []byte {
	call := newCall(selectorExecute, 3*abiword.Size+abiword.BytesSize(len(data)))
	call = abiword.AppendAddress(call, to)
	call = abiword.AppendUint256(call, &value)
	call = abiword.AppendUint64(call, 3*abiword.Size)
	return abiword.AppendBytes(call, data)
}

// ExecuteBatch returns the calldata with which the EntryPoint lets the account make calls in order, all or
// none: executeBatch_y6U(address[],uint256[],bytes[]). The account refuses a batch of none.
func ExecuteBatch(calls []abi.Call) []byte {
	list := abiword.HashesSize(len(calls)) // as large as any list of words
	tails := 0
	for _, c := range calls {
		tails += abiword.BytesSize(len(c.Data))
	}
	data := newCall(selectorExecuteBatch, 3*abiword.Size+3*list+tails)
	for i := range 3 {
		data = abiword.AppendUint64(data, uint64(3*abiword.Size+i*list))
	}
	data = abiword.AppendUint64(data, uint64(len(calls)))
	for _, c := range calls {
		data = abiword.AppendAddress(data, c.To)
	}
	data = abiword.AppendUint64(data, uint64(len(calls)))
	for i := range calls {
		data = abiword.AppendUint256(data, &calls[i].Value)
	}
	data = abiword.AppendUint64(data, uint64(len(calls)))
	offset := len(calls) * abiword.Size
	for _, c := range calls {
		data = abiword.AppendUint64(data, uint64(offset))
		offset += abiword.BytesSize(len(c.Data))
	}
	for _, c := range calls {
		data = abiword.AppendBytes(data, c.Data)
	}
	return data
}

// ErrNotExecute means that calldata calls none of the account's four execute functions.
var ErrNotExecute = errors.New("not a call of execute or executeBatch")

// IsExecute reports whether callData calls execute, by either name.
func IsExecute(callData []byte) bool {
	return bytes.HasPrefix(callData, selectorExecute[:]) || bytes.HasPrefix(callData, selectorExecuteLong[:])
}

// IsBatch reports whether callData calls executeBatch, by either name.
func IsBatch(callData []byte) bool {
	return bytes.HasPrefix(callData, selectorExecuteBatch[:]) || bytes.HasPrefix(callData, selectorExecuteBatchLong[:])
}

// DecodeExecute returns the calls in the account's calldata, whether it is for execute_ncC, executeBatch_y6U
// or one of their long names. It takes only what the standard encoder makes (see [abi.Function.Unpack]), so
// that what it returns is all that the calldata does. Other calldata is [ErrNotExecute]; a batch that the
// account would refuse, for being empty or for lists of different lengths, is an error as well.
func DecodeExecute(callData []byte) ([]abi.Call, error) {
	single := IsExecute(callData)
	if !single && !IsBatch(callData) {
		return nil, fmt.Errorf("%s: %w", abiword.Describe(callData), ErrNotExecute)
	}
	args, err := smartAccount().functions[[abi.SelectorSize]byte(callData[:abi.SelectorSize])].Unpack(callData)
	if err != nil {
		return nil, err
	}
	if single {
		return []abi.Call{{To: args[0].(common.Address), Value: toUint256(args[1]), Data: args[2].([]byte)}}, nil
	}
	return zipCalls(args[0].([]common.Address), args[1].([]*big.Int), args[2].([][]byte))
}

func zipCalls(to []common.Address, values []*big.Int, data [][]byte) ([]abi.Call, error) {
	if len(to) == 0 {
		return nil, errors.New("executeBatch of no calls: the account refuses it")
	}
	if len(values) != len(to) || len(data) != len(to) {
		return nil, fmt.Errorf("executeBatch of %d addresses, %d values and %d data: the account refuses it", len(to), len(values), len(data))
	}
	calls := make([]abi.Call, len(to))
	for i := range calls {
		calls[i] = abi.Call{To: to[i], Value: toUint256(values[i]), Data: data[i]}
	}
	return calls, nil
}

var (
	selectorEnableModule         = newSelector(0x610b5925)
	selectorSetupAndEnableModule = newSelector(0x5305dd27)
	selectorDisableModule        = newSelector(0xe009cfde)
	selectorIsModuleEnabled      = newSelector(0x2d9ad53d)
	selectorGetModulesPaginated  = newSelector(0xcc2f8452)
	selectorUpdateImplementation = newSelector(0x025b22bc)
	selectorSetFallbackHandler   = newSelector(0xf08a0323)
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

// IsModuleChange reports whether callData, in a call of the account to itself, enables or disables a module,
// whatever comes after its selector.
func IsModuleChange(callData []byte) bool {
	return bytes.HasPrefix(callData, selectorEnableModule[:]) || bytes.HasPrefix(callData, selectorDisableModule[:]) ||
		bytes.HasPrefix(callData, selectorSetupAndEnableModule[:])
}

// ModuleChange is what a call of an account to itself does to its modules.
type ModuleChange struct {
	// Enables says that Module is enabled rather than disabled. With SetsUp it is the contract that is called
	// for the module's address before, mostly the module itself.
	Enables, SetsUp bool
	Module          common.Address
	// Setup is what Module is called with where SetsUp, nil where that is not written as usual.
	Setup []byte
}

// DecodeModuleChange reads the calldata of [EnableModule], [SetupAndEnableModule] and [DisableModule]; false
// for all else, also for what is written in another way.
func DecodeModuleChange(callData []byte) (change ModuleChange, ok bool) {
	if words, is := wordsAfter(selectorEnableModule, callData, 1); is {
		change.Enables = true
		change.Module, ok = addressWord(words[0])
		return change, ok
	}
	if words, is := wordsAfter(selectorDisableModule, callData, 2); is {
		change.Module, ok = addressWord(words[1])
		return change, ok
	}
	if !bytes.HasPrefix(callData, selectorSetupAndEnableModule[:]) || len(callData) < abi.SelectorSize+2*abiword.Size {
		return change, false
	}
	change.Enables, change.SetsUp = true, true
	change.Module, ok = addressWord(common.Hash(callData[abi.SelectorSize:][:abiword.Size]))
	if args, err := smartAccount().functions[selectorSetupAndEnableModule].Unpack(callData); err == nil {
		change.Setup = args[1].([]byte)
	}
	return change, ok
}

// DecodeCodeChange reads the calldata, in a call of an account to itself, of updateImplementation(address),
// which replaces its code, and of setFallbackHandler(address), which replaces what answers the calls that the
// code does not know; false for all else.
func DecodeCodeChange(callData []byte) (contract common.Address, fallback, ok bool) {
	for _, selector := range [][abi.SelectorSize]byte{selectorUpdateImplementation, selectorSetFallbackHandler} {
		if words, is := wordsAfter(selector, callData, 1); is {
			contract, ok = addressWord(words[0])
			return contract, selector == selectorSetFallbackHandler, ok
		}
	}
	return common.Address{}, false, false
}

// wordsAfter returns the arguments of calldata that is a selector and so many words, and nothing else.
func wordsAfter(selector [abi.SelectorSize]byte, callData []byte, n int) (words []common.Hash, ok bool) {
	if !bytes.HasPrefix(callData, selector[:]) || len(callData) != abi.SelectorSize+n*abiword.Size {
		return nil, false
	}
	for rest := callData[abi.SelectorSize:]; len(rest) > 0; rest = rest[abiword.Size:] {
		words = append(words, common.Hash(rest[:abiword.Size]))
	}
	return words, true
}

// addressWord reads an address, false where the word has more bits than one.
func addressWord(word common.Hash) (common.Address, bool) {
	const padding = abiword.Size - common.AddressLength
	return common.BytesToAddress(word[padding:]), abiword.IsZero(word[:padding])
}

// addressAndNumber reads calldata of a selector, an address and a number.
func addressAndNumber(selector [abi.SelectorSize]byte, callData []byte) (address common.Address, number uint256.Int, ok bool) {
	words, ok := wordsAfter(selector, callData, 2)
	if !ok {
		return address, number, false
	}
	number.SetBytes32(words[1][:])
	address, ok = addressWord(words[0])
	return address, number, ok
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
