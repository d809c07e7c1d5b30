package contracts

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/holiman/uint256"
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

// Init returns the calldata that sets up a new account: init(address,address,bytes). Its hash is
// part of the account's address.
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
	dst := make([]byte, 0, 2*abiword.Size+abiword.BytesSize(len(moduleSignature)))
	dst = abiword.AppendUint64(dst, 2*abiword.Size)
	dst = abiword.AppendAddress(dst, module)
	return abiword.AppendBytes(dst, moduleSignature)
}

// SignatureModule returns the module that an account's signature names, as far as there is one: it looks at its
// place in what [WrapSignature] makes, and at nothing else.
func SignatureModule(signature []byte) (module common.Address) {
	if len(signature) >= 2*abiword.Size {
		module = common.BytesToAddress(signature[abiword.Size : 2*abiword.Size])
	}
	return module
}
