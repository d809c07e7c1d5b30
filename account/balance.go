package account

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/policy"
)

// Balance is how much an account holds of a token or of the chain's own currency.
type Balance struct {
	// Token is the token's contract, zero for the chain's own currency.
	Token common.Address
	// Amount is in the smallest unit: wei for the chain's own currency.
	Amount uint256.Int
	// Decimals is how many digits of Amount are behind the decimal point. It is 0 for a token that does
	// not say.
	Decimals uint8
	// Symbol is the token's own word for itself, cut to what prints, or empty where it has none. Any token
	// can have any symbol: it proves nothing. The chain's own currency has none here.
	Symbol string
}

// String returns the amount as people write it: "1.5 DEMO".
func (b Balance) String() string {
	text := formatUnits(&b.Amount, int(b.Decimals))
	if b.Symbol == "" {
		return text
	}
	return text + " " + b.Symbol
}

const (
	nativeDecimals = 18
	// symbolSize is the most that is read of a symbol, in bytes of its ABI encoding.
	symbolSize = 128
	// symbolLength is the most that is kept of it, in characters.
	symbolLength = 32
)

// Balances reads what the account holds, in one request for up to 63 tokens: the chain's own currency first, then
// each token in its place. It need not be deployed. An address that is no ERC-20 token is an error that names it.
func (a *Account) Balances(ctx context.Context, tokens ...common.Address) ([]Balance, error) {
	const perToken = 3
	probes := []probe{{to: a.address}}
	for _, token := range tokens {
		if token == (common.Address{}) {
			return nil, fmt.Errorf("%w: balances of account %s: the zero address is no token; the chain's own currency is always read", policy.ErrInvalid, a.address)
		}
		probes = append(probes,
			probe{to: token, data: abi.BalanceOf(a.address)},
			probe{to: token, data: abi.Decimals()},
			probe{to: token, data: abi.Symbol(), most: symbolSize})
	}
	sights, err := look(ctx, a.client.chain, probes...)
	if err != nil {
		return nil, fmt.Errorf("balances of account %s: %w", a.address, err)
	}
	balances := []Balance{{Amount: sights[0].balance, Decimals: nativeDecimals}}
	for i, token := range tokens {
		balance, err := readBalance(token, sights[1+i*perToken:])
		if err != nil {
			return nil, fmt.Errorf("balance of account %s in token %s: %w", a.address, token, err)
		}
		balances = append(balances, balance)
	}
	return balances, nil
}

// readBalance reads a token's answers to balanceOf, decimals and symbol. ERC-20 leaves the last two open.
func readBalance(token common.Address, sights []sight) (Balance, error) {
	b := Balance{Token: token}
	if err := sights[0].decode("balanceOf", into(&b.Amount, abi.DecodeUint256)); err != nil {
		return Balance{}, err
	}
	if sights[1].ok {
		if decimals, err := abi.DecodeUint8(sights[1].answer); err == nil {
			b.Decimals = decimals
		}
	}
	if sights[2].ok {
		if symbol, err := abi.DecodeString(sights[2].answer); err == nil {
			b.Symbol = printable(symbol)
		}
	}
	return b, nil
}

// printable keeps of a contract's text what can be shown.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > symbolLength {
		return string(runes[:symbolLength])
	}
	return text
}

// formatUnits writes an amount with its decimal point, exactly.
func formatUnits(amount *uint256.Int, decimals int) string {
	digits := amount.Dec()
	if decimals == 0 {
		return digits
	}
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	whole, fraction := digits[:len(digits)-decimals], strings.TrimRight(digits[len(digits)-decimals:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}
