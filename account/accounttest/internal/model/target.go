package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// storedNumber is what the demo target keeps.
const storedNumber = "number"

// targetMethods are those of the demo target, which stores and fails.
func targetMethods() map[string]method {
	return map[string]method{
		"number()": take0(func(c *call) ([]byte, error) { return number(c.number(c.slot(storedNumber))) }),
		"store(uint256)": withValue(take1((*input).number, func(c *call, n uint256.Int) ([]byte, error) {
			c.setNumber(c.slot(storedNumber), &n)
			c.emit("Called(address,uint256,uint256)", []common.Hash{word(c.from)}, numberWord(&c.value), numberWord(&n))
			return nothing()
		})),
		"burn(uint256)": take1((*input).number, func(c *call, writes uint256.Int) ([]byte, error) {
			if !c.add(c.slot(storedNumber), &writes) {
				return nil, panicked(0x11)
			}
			return nothing()
		}),
		"failCustom(uint256)": take1((*input).head, func(c *call, code common.Hash) ([]byte, error) {
			return nil, custom("DemoError(address,uint256)", word(c.from), code)
		}),
		"failRequire(string)": take1((*input).bytes, func(_ *call, text []byte) ([]byte, error) {
			return nil, reason("%s", text)
		}),
		"failPanic(uint256)": take1((*input).number, func(_ *call, divisor uint256.Int) ([]byte, error) {
			if divisor.IsZero() {
				return nil, panicked(0x12)
			}
			return number(*new(uint256.Int).Div(uint256.NewInt(1), &divisor))
		}),
		"failSilently()": take0(func(*call) ([]byte, error) { return nil, bare() }),
	}
}
