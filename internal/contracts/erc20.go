package contracts

import (
	"bytes"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
)

// ERC20 returns the interface of ERC-20 tokens.
func ERC20() *Contract { return erc20() }

var erc20 = sync.OnceValue(func() *Contract {
	return mustParse(`
function name() view returns (string)
function symbol() view returns (string)
function decimals() view returns (uint8)
function totalSupply() view returns (uint256)
function balanceOf(address owner) view returns (uint256)
function transfer(address to, uint256 amount) returns (bool)
function approve(address spender, uint256 amount) returns (bool)
function allowance(address owner, address spender) view returns (uint256)
function transferFrom(address from, address to, uint256 amount) returns (bool)

event Transfer(address indexed from, address indexed to, uint256 value)
event Approval(address indexed owner, address indexed spender, uint256 value)
`)
})

// TransferTopic is the first topic of the log about tokens that moved. That of ERC-721 has it too, with one
// more.
var TransferTopic = common.HexToHash("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")

// TokenTransfer is what a token logs when some of it moves.
type TokenTransfer struct {
	From, To common.Address
	// Amount is in the token's smallest unit.
	Amount uint256.Int
}

// DecodeTokenTransfer reads an ERC-20 token's Transfer. See [abi.Event.Decode] for the errors, and for what
// the caller has to check.
func DecodeTokenTransfer(log *types.Log) (TokenTransfer, error) {
	v, err := erc20().events[TransferTopic].Decode(log)
	if err != nil {
		return TokenTransfer{}, err
	}
	return TokenTransfer{From: v[0].(common.Address), To: v[1].(common.Address), Amount: toUint256(v[2])}, nil
}

var (
	selectorTransfer  = newSelector(0xa9059cbb)
	selectorApprove   = newSelector(0x095ea7b3)
	selectorAllowance = newSelector(0xdd62ed3e)
	selectorDecimals  = newSelector(0x313ce567)
	selectorSymbol    = newSelector(0x95d89b41)
)

// Transfer returns the calldata of an ERC-20 token's transfer(address,uint256). The amount is in the token's
// smallest unit.
func Transfer(to common.Address, amount uint256.Int) []byte {
	return abiword.AppendUint256(abiword.AppendAddress(newCall(selectorTransfer, 2*abiword.Size), to), &amount)
}

// Approve returns the calldata of an ERC-20 token's approve(address,uint256). The amount is in the token's
// smallest unit.
func Approve(spender common.Address, amount uint256.Int) []byte {
	return abiword.AppendUint256(abiword.AppendAddress(newCall(selectorApprove, 2*abiword.Size), spender), &amount)
}

// IsApprovalOf reports whether calldata is what [Approve] makes for that spender, of whatever amount.
func IsApprovalOf(callData []byte, spender common.Address) bool {
	approval := Approve(spender, uint256.Int{})
	head := len(approval) - abiword.Size
	return len(callData) == len(approval) && bytes.Equal(callData[:head], approval[:head])
}

// Allowance returns the calldata of an ERC-20 token's allowance(address,address). [DecodeUint256] reads the
// result.
func Allowance(owner, spender common.Address) []byte {
	return abiword.AppendAddress(abiword.AppendAddress(newCall(selectorAllowance, 2*abiword.Size), owner), spender)
}

// Decimals returns the calldata of an ERC-20 token's decimals(). [DecodeUint8] reads the result.
func Decimals() []byte {
	return newCall(selectorDecimals, 0)
}

// Symbol returns the calldata of a token's symbol(). [DecodeString] reads the result.
func Symbol() []byte {
	return newCall(selectorSymbol, 0)
}

// BalanceOf returns the calldata of balanceOf(address), which ERC-20 and ERC-721 tokens have, and the
// EntryPoint for deposits. [DecodeUint256] reads the result.
func BalanceOf(owner common.Address) []byte {
	return abiword.AppendAddress(newCall(selectorBalanceOf, abiword.Size), owner)
}

// DecodeApprove returns whom calldata of exactly approve(address,uint256) lets take how much; false for all
// else.
func DecodeApprove(callData []byte) (spender common.Address, amount uint256.Int, ok bool) {
	return addressAndNumber(selectorApprove, callData)
}

// DecodeTransfer returns whom calldata of exactly transfer(address,uint256) gives how much; false for all
// else.
func DecodeTransfer(callData []byte) (to common.Address, amount uint256.Int, ok bool) {
	return addressAndNumber(selectorTransfer, callData)
}
