package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Variables of a token.
const (
	tokenBalance   = "balance"
	tokenAllowance = "allowance"
	tokenSupply    = "total supply"
)

const (
	transferEvent = "Transfer(address,address,uint256)"
	approvalEvent = "Approval(address,address,uint256)"
)

// tokenMethods are those of a demo token, OpenZeppelin's ERC-20 with mint for everybody. One that resets
// refuses to change an allowance from one amount to another.
func tokenMethods(symbol string, decimals uint64, resets bool) map[string]method {
	name := take0(func(*call) ([]byte, error) { return text(symbol) })
	return map[string]method{
		"name()":        name,
		"symbol()":      name,
		"decimals()":    take0(func(*call) ([]byte, error) { return number(*uint256.NewInt(decimals)) }),
		"totalSupply()": take0(func(c *call) ([]byte, error) { return number(c.number(c.slot(tokenSupply))) }),
		"balanceOf(address)": take1((*input).address, func(c *call, owner common.Address) ([]byte, error) {
			return number(c.number(c.tokens(owner)))
		}),
		"allowance(address,address)": take2((*input).address, (*input).address, func(c *call, owner, spender common.Address) ([]byte, error) {
			return number(c.number(c.allowance(owner, spender)))
		}),
		"transfer(address,uint256)": take2((*input).address, (*input).number, func(c *call, to common.Address, amount uint256.Int) ([]byte, error) {
			return succeeded(c.transfer(c.from, to, &amount))
		}),
		"approve(address,uint256)": take2((*input).address, (*input).number, func(c *call, spender common.Address, amount uint256.Int) ([]byte, error) {
			if allowed := c.number(c.allowance(c.from, spender)); resets && !amount.IsZero() && !allowed.IsZero() {
				return nil, reason("DemoResetToken: reset the allowance to zero first")
			}
			return succeeded(c.approve(c.from, spender, &amount))
		}),
		"transferFrom(address,address,uint256)": take3((*input).address, (*input).address, (*input).number, transferFrom),
		"mint(address,uint256)":                 take2((*input).address, (*input).number, mintTokens),
	}
}

func succeeded(err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return flag(true)
}

func (c *call) tokens(owner common.Address) slot { return c.slot(tokenBalance, word(owner)) }

func (c *call) allowance(owner, spender common.Address) slot {
	return c.slot(tokenAllowance, word(owner), word(spender))
}

func (c *call) transfer(from, to common.Address, amount *uint256.Int) error {
	switch {
	case from == (common.Address{}):
		return reason("ERC20: transfer from the zero address")
	case to == (common.Address{}):
		return reason("ERC20: transfer to the zero address")
	case !c.subtract(c.tokens(from), amount):
		return reason("ERC20: transfer amount exceeds balance")
	}
	c.add(c.tokens(to), amount)
	c.emit(transferEvent, []common.Hash{word(from), word(to)}, numberWord(amount))
	return nil
}

func (c *call) approve(owner, spender common.Address, amount *uint256.Int) error {
	switch {
	case owner == (common.Address{}):
		return reason("ERC20: approve from the zero address")
	case spender == (common.Address{}):
		return reason("ERC20: approve to the zero address")
	}
	c.setNumber(c.allowance(owner, spender), amount)
	c.emit(approvalEvent, []common.Hash{word(owner), word(spender)}, numberWord(amount))
	return nil
}

// transferFrom takes from an allowance, which is never used up if it is without limit.
func transferFrom(c *call, from, to common.Address, amount uint256.Int) ([]byte, error) {
	allowed := c.number(c.allowance(from, c.from))
	if !allowed.Eq(new(uint256.Int).SetAllOne()) {
		if allowed.Lt(&amount) {
			return nil, reason("ERC20: insufficient allowance")
		}
		if err := c.approve(from, c.from, allowed.Sub(&allowed, &amount)); err != nil {
			return nil, err
		}
	}
	return succeeded(c.transfer(from, to, &amount))
}

func mintTokens(c *call, to common.Address, amount uint256.Int) ([]byte, error) {
	switch {
	case to == (common.Address{}):
		return nil, reason("ERC20: mint to the zero address")
	case !c.add(c.slot(tokenSupply), &amount):
		return nil, panicked(0x11)
	}
	c.add(c.tokens(to), &amount)
	c.emit(transferEvent, []common.Hash{{}, word(to)}, numberWord(&amount))
	return nothing()
}
