package account

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
)

// Balance is how much an account holds of a token or of the chain's own currency.
type Balance struct {
	// Token is the token's contract, zero for the chain's own currency.
	Token common.Address
	// Amount is in the smallest unit: wei for the chain's own currency.
	Amount uint256.Int
	// Decimals is how many digits of Amount are behind the decimal point. It is 0 for a token that does not
	// say.
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

// Balances reads what the account holds, in one request for up to 63 tokens: the chain's own currency first,
// then each token in its place. It need not be deployed. An address that is no ERC-20 token is an error that
// names it, and a node of another chain one matching [userop.ErrWrongChain].
func (a *Account) Balances(ctx context.Context, tokens ...common.Address) ([]Balance, error) {
	const perToken = 3
	reads := []contracts.Read{{To: a.address}}
	for _, token := range tokens {
		if token == (common.Address{}) {
			return nil, fmt.Errorf("%w: balances of account %s: the zero address is no token; the chain's own currency is always read", policy.ErrInvalid, a.address)
		}
		reads = append(reads,
			contracts.Read{To: token, Data: contracts.BalanceOf(a.address)},
			contracts.Read{To: token, Data: contracts.Decimals()},
			contracts.Read{To: token, Data: contracts.Symbol(), MaxAnswer: symbolSize})
	}
	if err := a.client.refuseOtherChain(ctx); err != nil {
		return nil, fmt.Errorf("balances of account %s: %w", a.address, err)
	}
	results, err := batchRead(ctx, a.client.chain, nil, reads...)
	if err != nil {
		return nil, fmt.Errorf("balances of account %s: %w", a.address, err)
	}
	balances := []Balance{{Amount: results[0].Balance, Decimals: nativeDecimals}}
	for i, token := range tokens {
		balance, err := readBalance(token, results[1+i*perToken:])
		if err != nil {
			return nil, fmt.Errorf("balance of account %s in token %s: %w", a.address, token, err)
		}
		balances = append(balances, balance)
	}
	return balances, nil
}

// readBalance reads a token's answers to balanceOf, decimals and symbol. ERC-20 leaves the last two open.
func readBalance(token common.Address, results []contracts.ReadResult) (Balance, error) {
	b := Balance{Token: token}
	if err := decodeResult(&results[0], "balanceOf", into(&b.Amount, contracts.DecodeUint256)); err != nil {
		return Balance{}, err
	}
	b.Decimals, _ = decodeDecimals(&results[1])
	if results[2].OK {
		if symbol, err := contracts.DecodeString(results[2].Data); err == nil {
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

// nativeFunds reads what the account has to pay with: its balance, and its deposit at the EntryPoint, in wei.
func (a *Account) nativeFunds(ctx context.Context) (balance, deposit uint256.Int, err error) {
	results, err := batchRead(ctx, a.client.chain, nil,
		contracts.Read{To: a.address}, contracts.Read{To: a.client.contracts.EntryPoint, Data: contracts.BalanceOf(a.address)})
	if err == nil {
		err = decodeResult(&results[1], "balanceOf of the EntryPoint", into(&deposit, contracts.DecodeUint256))
	}
	if err != nil {
		return balance, deposit, fmt.Errorf("funds of account %s: %w", a.address, err)
	}
	return results[0].Balance, deposit, nil
}

// afterPrefund is what is left of the balance when the EntryPoint took the prefund: first from the deposit,
// then from the balance.
func afterPrefund(balance, deposit, prefund *uint256.Int) *uint256.Int {
	left := new(uint256.Int).Set(balance)
	if prefund.Gt(deposit) {
		missing := new(uint256.Int).Sub(prefund, deposit)
		if missing.Gt(left) {
			return left.Clear()
		}
		left.Sub(left, missing)
	}
	return left
}
