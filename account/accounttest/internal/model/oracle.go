package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// rateSlot is what one ether costs in a token, as the oracle was told.
const rateSlot = "rate"

const oracleRate = "getTokenValueOfOneNativeToken(address)"

// oracleMethods are those of the demo oracle, which says what anybody told it.
func oracleMethods() map[string]method {
	return map[string]method{
		"setRate(address,uint256)": take2((*input).address, (*input).number, func(c *call, token common.Address, rate uint256.Int) ([]byte, error) {
			c.setNumber(c.slot(rateSlot, word(token)), &rate)
			return nothing()
		}),
		oracleRate: take1((*input).address, func(c *call, token common.Address) ([]byte, error) {
			rate := c.number(c.slot(rateSlot, word(token)))
			if rate.IsZero() {
				return nil, reason("DemoOracle: no rate")
			}
			return number(rate)
		}),
	}
}
