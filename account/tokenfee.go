package account

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// TokenFee is what an operation cost its account in a token, in the token's base units.
type TokenFee struct {
	Token  common.Address
	Amount uint256.Int
}

// TokenFee returns what the token paymaster took for an operation, as it logged it; false where it was not
// paid, or the bundler's receipt has no logs.
func (c *Client) TokenFee(receipt *userop.Receipt) (TokenFee, bool) {
	for _, log := range receipt.Logs {
		if log.Address != c.contracts.TokenPaymaster {
			continue
		}
		paid, err := contracts.DecodeTokenPaymasterOperation(log)
		if err == nil && paid.UserOpHash == receipt.UserOpHash {
			return TokenFee{Token: paid.Token, Amount: paid.Charge}, true
		}
	}
	return TokenFee{}, false
}
