package contracts

import (
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/go-sesame/sesame/abi"
)

// maxReverts bounds reverts within reverts.
const maxReverts = 4

// Errors of the EntryPoint that have a text or another revert in them.
const (
	sigFailedOp           = "FailedOp(uint256,string)"
	sigFailedOpWithRevert = "FailedOpWithRevert(uint256,string,bytes)"
	sigExecutionResult    = "ExecutionResult(uint256,uint256,uint48,uint48,bool,bytes)"
)

// DecodeRevert reads revert data: Solidity's errors, and those of [Errors]. Of FailedOp and
// FailedOpWithRevert it knows the reason, of the latter and of ExecutionResult the revert within. Errors that
// the caller knows beside, such as those of the contract that was called, come first where selectors are
// equal.
func DecodeRevert(data []byte, others ...*abi.ErrorDef) abi.Revert {
	known := knownErrors()
	if len(others) > 0 {
		known = append(others[:len(others):len(others)], known...)
	}
	return decodeRevert(data, known, maxReverts)
}

func decodeRevert(data []byte, known []*abi.ErrorDef, depth int) abi.Revert {
	r := abi.DecodeRevert(data, known...)
	var inner []byte
	within := false
	switch r.Signature {
	case sigFailedOp:
		r.Title, r.Message = failedOp(&r)
	case sigFailedOpWithRevert:
		r.Title, r.Message = failedOp(&r)
		inner, within = r.Args[2].([]byte), true
	case sigExecutionResult:
		inner, within = r.Args[5].([]byte), r.Args[4] == false
	}
	if within && depth > 1 {
		decoded := decodeRevert(inner, known, depth-1)
		r.Inner = &decoded
	}
	return r
}

func failedOp(r *abi.Revert) (title, message string) {
	return fmt.Sprintf("FailedOp %s", r.Args[0].(*big.Int)), r.Args[1].(string)
}

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
