package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Variables of the NFT.
const (
	nftOwner    = "owner of"
	nftApproved = "approved for"
	nftOperator = "operator"
)

// nftMethods are those of the demo NFT, OpenZeppelin's ERC-721 with safeMint for everybody.
func nftMethods() map[string]method {
	return map[string]method{
		"name()":        take0(func(*call) ([]byte, error) { return text("Sesame Demo") }),
		"symbol()":      take0(func(*call) ([]byte, error) { return text("DEMO") }),
		"totalSupply()": take0(func(c *call) ([]byte, error) { return number(c.number(c.slot(tokenSupply))) }),
		"balanceOf(address)": take1((*input).address, func(c *call, owner common.Address) ([]byte, error) {
			if owner == (common.Address{}) {
				return nil, reason("ERC721: address zero is not a valid owner")
			}
			return number(c.number(c.tokens(owner)))
		}),
		"ownerOf(uint256)": take1((*input).number, func(c *call, id uint256.Int) ([]byte, error) {
			owner, err := c.nftOwner(&id)
			if err != nil {
				return nil, err
			}
			return address(owner)
		}),
		"safeMint(address)":                     take1((*input).address, safeMint),
		"approve(address,uint256)":              take2((*input).address, (*input).number, approveNFT),
		"setApprovalForAll(address,bool)":       take2((*input).address, (*input).flag, approveAll),
		"transferFrom(address,address,uint256)": take3((*input).address, (*input).address, (*input).number, transferNFT),
	}
}

func (c *call) nftOwner(id *uint256.Int) (common.Address, error) {
	owner := c.address(c.slot(nftOwner, id.Bytes32()))
	if owner == (common.Address{}) {
		return owner, reason("ERC721: invalid token ID")
	}
	return owner, nil
}

func safeMint(c *call, to common.Address) ([]byte, error) {
	if to == (common.Address{}) {
		return nil, reason("ERC721: mint to the zero address")
	}
	id := c.number(c.slot(tokenSupply))
	c.add(c.slot(tokenSupply), uint256.NewInt(1))
	c.add(c.tokens(to), uint256.NewInt(1))
	c.setAddress(c.slot(nftOwner, id.Bytes32()), to)
	c.emit(transferEvent, []common.Hash{{}, word(to), id.Bytes32()})
	if !c.HasCode(to) {
		return nothing()
	}
	const onReceived = "onERC721Received(address,address,uint256,bytes)"
	received := pack(onReceived, word(c.from), common.Hash{}, id.Bytes32(), uintWord(4*32), common.Hash{})
	accepted := selectorOf(onReceived)
	answer, err := c.call(to, new(uint256.Int), received)
	if err != nil || len(answer) < 4 || [4]byte(answer) != accepted {
		return nil, reason("ERC721: transfer to non ERC721Receiver implementer")
	}
	return nothing()
}

// isOperator reports whether the caller may move what the owner has.
func (c *call) isOperator(owner common.Address) bool {
	return owner == c.from || c.words[c.slot(nftOperator, word(owner), word(c.from))] != (common.Hash{})
}

func approveNFT(c *call, to common.Address, id uint256.Int) ([]byte, error) {
	owner, err := c.nftOwner(&id)
	switch {
	case err != nil:
		return nil, err
	case to == owner:
		return nil, reason("ERC721: approval to current owner")
	case !c.isOperator(owner):
		return nil, reason("ERC721: approve caller is not token owner or approved for all")
	}
	c.setAddress(c.slot(nftApproved, id.Bytes32()), to)
	c.emit(approvalEvent, []common.Hash{word(owner), word(to), id.Bytes32()})
	return nothing()
}

func approveAll(c *call, operator common.Address, approved bool) ([]byte, error) {
	if operator == c.from {
		return nil, reason("ERC721: approve to caller")
	}
	c.set(c.slot(nftOperator, word(c.from), word(operator)), flagWord(approved))
	c.emit("ApprovalForAll(address,address,bool)", []common.Hash{word(c.from), word(operator)}, flagWord(approved))
	return nothing()
}

func transferNFT(c *call, from, to common.Address, id uint256.Int) ([]byte, error) {
	owner, err := c.nftOwner(&id)
	approved := c.slot(nftApproved, id.Bytes32())
	switch {
	case err != nil:
		return nil, err
	case !c.isOperator(owner) && c.address(approved) != c.from:
		return nil, reason("ERC721: caller is not token owner or approved")
	case owner != from:
		return nil, reason("ERC721: transfer from incorrect owner")
	case to == (common.Address{}):
		return nil, reason("ERC721: transfer to the zero address")
	}
	c.setAddress(approved, common.Address{})
	c.subtract(c.tokens(from), uint256.NewInt(1))
	c.add(c.tokens(to), uint256.NewInt(1))
	c.setAddress(c.slot(nftOwner, id.Bytes32()), to)
	c.emit(transferEvent, []common.Hash{word(from), word(to), id.Bytes32()})
	return nothing()
}
