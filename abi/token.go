package abi

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// ERC20 returns the interface of ERC-20 tokens.
func ERC20() *Contract { return erc20() }

var erc20 = sync.OnceValue(func() *Contract {
	return MustParseContract(`
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

// ERC721 returns the interface of ERC-721 tokens.
func ERC721() *Contract { return erc721() }

var erc721 = sync.OnceValue(func() *Contract {
	return MustParseContract(`
function balanceOf(address owner) view returns (uint256)
function ownerOf(uint256 tokenId) view returns (address)
function approve(address to, uint256 tokenId)
function setApprovalForAll(address operator, bool approved)
function transferFrom(address from, address to, uint256 tokenId)
function safeTransferFrom(address from, address to, uint256 tokenId)
function safeTransferFrom(address from, address to, uint256 tokenId, bytes data)

event Transfer(address indexed from, address indexed to, uint256 indexed tokenId)
event Approval(address indexed owner, address indexed approved, uint256 indexed tokenId)
event ApprovalForAll(address indexed owner, address indexed operator, bool approved)
`)
})

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
	return AppendUint256(AppendAddress(newCall(selectorTransfer, 2*WordSize), to), &amount)
}

// Approve returns the calldata of an ERC-20 token's approve(address,uint256). The amount is in the token's
// smallest unit.
func Approve(spender common.Address, amount uint256.Int) []byte {
	return AppendUint256(AppendAddress(newCall(selectorApprove, 2*WordSize), spender), &amount)
}

// Allowance returns the calldata of an ERC-20 token's allowance(address,address). [DecodeUint256] reads the result.
func Allowance(owner, spender common.Address) []byte {
	return AppendAddress(AppendAddress(newCall(selectorAllowance, 2*WordSize), owner), spender)
}

// Decimals returns the calldata of an ERC-20 token's decimals(). [DecodeUint8] reads the result.
func Decimals() []byte {
	return newCall(selectorDecimals, 0)
}

// Symbol returns the calldata of a token's symbol(). [DecodeString] reads the result.
func Symbol() []byte {
	return newCall(selectorSymbol, 0)
}
