package abi

import "sync"

// VerifyingPaymaster returns the interface of the verifying paymaster, as far as clients meet it.
func VerifyingPaymaster() *Contract { return verifyingPaymaster() }

var verifyingPaymaster = sync.OnceValue(func() *Contract {
	return MustParseContract(`
function depositFor(address paymasterId) payable
function getBalance(address paymasterId) view returns (uint256 balance)
function verifyingSigner() view returns (address)

event GasDeposited(address indexed _paymasterId, uint256 indexed _value)
event GasWithdrawn(address indexed _paymasterId, address indexed _to, uint256 indexed _value)
event GasBalanceDeducted(address indexed _paymasterId, uint256 indexed _charge)

error EntryPointCannotBeZero()
error VerifyingSignerCannotBeZero()
error PaymasterIdCannotBeZero()
error DepositCanNotBeZero()
error CanNotWithdrawToZeroAddress()
// the arguments are (required, balance) here and (balance, needed) in OpenZeppelin's error of the same signature
error InsufficientBalance(uint256, uint256)
error InvalidPaymasterSignatureLength(uint256 sigLength)
error ReentrancyProtectionActivated()
`)
})
