package contracts

import "sync"

// ERC721 returns the interface of ERC-721 tokens.
func ERC721() *Contract { return erc721() }

var erc721 = sync.OnceValue(func() *Contract {
	return mustParse(`
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
