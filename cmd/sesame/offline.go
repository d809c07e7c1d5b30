package main

import (
	"context"
	"errors"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
)

// offlineClient is a client that asks nobody: for what the library knows by itself.
func offlineClient(chain uint64) (*account.Client, error) {
	return account.NewClient(account.Config{ChainID: max(chain, 1), Chain: noChain{}, Bundler: noBundler{}})
}

// noChain stands where nobody is asked.
type noChain struct{}

var errOffline = errors.New("this asks no node")

func (noChain) ChainID(context.Context) (*big.Int, error) { return nil, errOffline }

func (noChain) CodeAt(context.Context, common.Address, *big.Int) ([]byte, error) {
	return nil, errOffline
}

func (noChain) CallContract(context.Context, ethereum.CallMsg, *big.Int) ([]byte, error) {
	return nil, errOffline
}

func (noChain) BlockNumber(context.Context) (uint64, error) { return 0, errOffline }

func (noChain) FilterLogs(context.Context, ethereum.FilterQuery) ([]types.Log, error) {
	return nil, errOffline
}

// contractName is what a well-known contract of the chain is called, empty for others.
func contractName(address common.Address, chain uint64) string {
	known := account.DefaultContracts(max(chain, 1))
	switch address {
	case common.Address{}:
		return ""
	case known.EntryPoint:
		return "EntryPoint v0.6"
	case known.Factory:
		return "account factory"
	case known.Implementation:
		return "account implementation"
	case known.Handler:
		return "fallback handler"
	case known.ECDSA:
		return "ECDSA ownership module"
	case known.Multichain:
		return "multichain ownership module"
	case known.Session.Manager:
		return "session key manager"
	case known.Session.Router:
		return "batched session router"
	case known.Session.ABI:
		return "ABI session validation module"
	case known.Session.ERC20:
		return "ERC-20 session validation module"
	case known.TokenPaymaster:
		return "token paymaster"
	case known.Resolver:
		return "account resolver"
	}
	return ""
}

// wellKnown are the functions and events that operations of these accounts mostly have in them.
var wellKnown = sync.OnceValue(func() *abi.Contract {
	return abi.MustParseContract(`
function transfer(address to, uint256 amount)
function transferFrom(address from, address to, uint256 amount)
function approve(address spender, uint256 amount)
function increaseAllowance(address spender, uint256 added)
function decreaseAllowance(address spender, uint256 subtracted)
function mint(address to, uint256 amount)
function safeMint(address to)
function safeTransferFrom(address from, address to, uint256 id)
function safeTransferFrom(address from, address to, uint256 id, bytes data)
function safeTransferFrom(address from, address to, uint256 id, uint256 amount, bytes data)
function safeBatchTransferFrom(address from, address to, uint256[] ids, uint256[] amounts, bytes data)
function setApprovalForAll(address operator, bool approved)
function deposit()
function withdraw(uint256 amount)
function setMerkleRoot(bytes32 root)
function enableModule(address module)
function disableModule(address previous, address module)
function setupAndEnableModule(address setupContract, bytes setupData)
function updateImplementation(address implementation)
function setFallbackHandler(address handler)
function addDeposit()
function withdrawDepositTo(address to, uint256 amount)
function transferOwnership(address owner)
function renounceOwnership()
function depositTo(address account)
function withdrawTo(address to, uint256 amount)
function incrementNonce(uint192 lane)
function handleOps((address sender, uint256 nonce, bytes initCode, bytes callData, uint256 callGasLimit, uint256 verificationGasLimit, uint256 preVerificationGas, uint256 maxFeePerGas, uint256 maxPriorityFeePerGas, bytes paymasterAndData, bytes signature)[] operations, address beneficiary)
event Transfer(address indexed from, address indexed to, uint256 amount)
event Transfer(address indexed from, address indexed to, uint256 indexed id)
event Approval(address indexed owner, address indexed spender, uint256 amount)
event Approval(address indexed owner, address indexed approved, uint256 indexed id)
event ApprovalForAll(address indexed owner, address indexed operator, bool approved)
event TransferSingle(address indexed operator, address indexed from, address indexed to, uint256 id, uint256 amount)
event UserOperationEvent(bytes32 indexed userOpHash, address indexed sender, address indexed paymaster, uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed)
event UserOperationRevertReason(bytes32 indexed userOpHash, address indexed sender, uint256 nonce, bytes revertReason)
event AccountDeployed(bytes32 indexed userOpHash, address indexed sender, address factory, address paymaster)
event BeforeExecution()
event Deposited(address indexed account, uint256 totalDeposit)
event EnabledModule(address module)
event DisabledModule(address module)
`)
})
