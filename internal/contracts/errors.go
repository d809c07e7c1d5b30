package contracts

import (
	"slices"
	"sync"

	"github.com/go-sesame/sesame/abi"
)

// otherModuleErrors are the errors of modules that accounts may have beside the ownership module.
var otherModuleErrors = sync.OnceValue(func() *Contract {
	return mustParse(`
error NoPassKeyRegisteredForSmartAccount(address smartAccount)
error NotSmartContract(address account)
error InvalidSignature()
error NotEnoughGasLeft(uint256 gasLeft, uint256 gasRequired)
error CanNotEstimateGas(uint256 targetTxGas, uint256 gasPrice, bool success)
error TokenTransferFailed(address token, address dest, uint256 amount)
error TokenGasPriceFactorCanNotBeZero()
error ExecutionFailed()
`)
})

// tokenErrors are the errors of ERC-6093, and others that token contracts commonly have from OpenZeppelin's
// library.
var tokenErrors = sync.OnceValue(func() *Contract {
	return mustParse(`
error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)
error ERC20InvalidSender(address sender)
error ERC20InvalidReceiver(address receiver)
error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)
error ERC20InvalidApprover(address approver)
error ERC20InvalidSpender(address spender)
error ERC721InvalidOwner(address owner)
error ERC721NonexistentToken(uint256 tokenId)
error ERC721IncorrectOwner(address sender, uint256 tokenId, address owner)
error ERC721InvalidSender(address sender)
error ERC721InvalidReceiver(address receiver)
error ERC721InsufficientApproval(address operator, uint256 tokenId)
error ERC721InvalidApprover(address approver)
error ERC721InvalidOperator(address operator)
error ERC1155InsufficientBalance(address sender, uint256 balance, uint256 needed, uint256 tokenId)
error ERC1155InvalidSender(address sender)
error ERC1155InvalidReceiver(address receiver)
error ERC1155MissingApprovalForAll(address operator, address owner)
error ERC1155InvalidApprover(address approver)
error ERC1155InvalidOperator(address operator)
error ERC1155InvalidArrayLength(uint256 idsLength, uint256 valuesLength)
error OwnableUnauthorizedAccount(address account)
error OwnableInvalidOwner(address owner)
error AccessControlUnauthorizedAccount(address account, bytes32 neededRole)
error AccessControlBadConfirmation()
error EnforcedPause()
error ExpectedPause()
error ReentrancyGuardReentrantCall()
error SafeERC20FailedOperation(address token)
error AddressEmptyCode(address target)
error AddressInsufficientBalance(address account)
error FailedCall()
error FailedInnerCall()
error ERC2612ExpiredSignature(uint256 deadline)
error ERC2612InvalidSigner(address signer, address owner)
`)
})

// Errors returns the errors of all contracts here, beside the common ones of tokens. Whoever knows more, such
// as those of the contract that was called, puts them before these for [abi.DecodeRevert].
func Errors() []*abi.ErrorDef { return slices.Clone(knownErrors()) }

var knownErrors = sync.OnceValue(func() []*abi.ErrorDef {
	var known []*abi.ErrorDef
	for _, c := range []*Contract{
		entryPoint(), smartAccount(), factory(), ownershipModule(), otherModuleErrors(), verifyingPaymaster(), tokenErrors(),
	} {
		known = append(known, c.Errors()...)
	}
	return known
})
