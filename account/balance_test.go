package account_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/session/policy"
)

// tokenCode is the code of a token of which everyone has 5, and that has 5 decimals, with this answer to
// symbol().
func tokenCode(symbol []byte) []byte {
	high, low := byte(len(symbol)>>8), byte(len(symbol))
	code := common.FromHex("0x60003560e01c6395d89b4114601957" + // selector == symbol()?
		"600560005260206000f3" + // return 5
		"5b61") // return what follows the code
	code = append(code, high, low, 0x60, 0x28, 0x60, 0, 0x39, 0x61, high, low, 0x60, 0, 0xf3)
	return append(code, symbol...)
}

// bareToken is the code of a token with balanceOf alone.
var bareToken = common.FromHex("0x60003560e01c6370a08231146014576000" + "6000fd" + "5b600560005260206000f3")

func encodeString(text string) []byte {
	return abiword.AppendBytes(abiword.AppendUint64(nil, abi.WordSize), []byte(text))
}

func (w *world) handTokens(t fixture, token, to common.Address, amount uint64) {
	t.Helper()
	data, err := abi.Pack("mint(address,uint256)", to, amount)
	require.NoError(t, err)
	_, err = w.chain.SendTx(t.Context(), token, nil, data)
	require.NoError(t, err)
}

func TestBalancesInOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fund(t, 3)
	w.handTokens(t, w.chain.Contracts.Token6, w.owner.Address(), 1_500_000)
	client, chain := w.counted(t)
	balances, err := client.Account(w.owner.Address()).Balances(t.Context(), w.chain.Contracts.Token, w.chain.Contracts.Token6)
	require.NoError(t, err)
	require.Equal(t, int32(1), chain.calls.Load()+chain.codes.Load())
	require.Equal(t, []account.Balance{
		{Amount: *uint256.NewInt(3e18), Decimals: 18},
		{Token: w.chain.Contracts.Token, Decimals: 18, Symbol: "DEMO"},
		{Token: w.chain.Contracts.Token6, Amount: *uint256.NewInt(1_500_000), Decimals: 6, Symbol: "DEMO6"},
	}, balances)
	require.Equal(t, "[3 0 DEMO 1.5 DEMO6]", fmt.Sprint(balances))
}

func TestBalancesOfOddTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// Its one answer to everything is a bytes32, as the symbol of some old tokens.
	old := deployCode(t, w.chain, answering(append([]byte("MKR"), make([]byte, 29)...)))
	bare := deployCode(t, w.chain, bareToken)
	for _, tt := range []struct {
		name, symbol string
		token        common.Address
		decimals     uint8
	}{
		{"bytes32 symbol", "MKR", old, 0},
		{"neither symbol nor decimals", "", bare, 0},
		{"symbol of nothing", "", deployCode(t, w.chain, tokenCode(nil)), 5},
		{"symbol that does not decode", "", deployCode(t, w.chain, tokenCode([]byte{1, 2, 3})), 5},
		{"symbol that does not print", "USDC", deployCode(t, w.chain, tokenCode(encodeString("\x1b\u202eUS\xffD\nC\x00"))), 5},
		{"symbol that does not end", "", deployCode(t, w.chain, tokenCode(encodeString(strings.Repeat("x", 1000)))), 5},
		{"long symbol", strings.Repeat("x", 32), deployCode(t, w.chain, tokenCode(encodeString(strings.Repeat("x", 60)))), 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			balances, err := w.user.Balances(t.Context(), tt.token)
			require.NoError(t, err)
			require.Equal(t, tt.symbol, balances[1].Symbol)
			require.Equal(t, tt.decimals, balances[1].Decimals)
			require.False(t, balances[1].Amount.IsZero())
		})
	}
}

func TestBalancesOfWhatIsNoToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token
	for _, tt := range []struct {
		name  string
		token common.Address
		want  string
		is    error
	}{
		{"no contract", stranger, "in token " + stranger.Hex() + ": unexpected answer of a contract: balanceOf: no data", account.ErrBadAnswer},
		{"another contract", w.chain.Contracts.Target, "balanceOf reverted: no reason", account.ErrBadAnswer},
		{"zero", common.Address{}, "the zero address is no token; the chain's own currency is always read", policy.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.user.Balances(t.Context(), token, tt.token)
			require.ErrorIs(t, err, tt.is)
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err := offlineClient(t).Account(stranger).Balances(t.Context())
	require.ErrorIs(t, err, errOffline)
}

func TestBalancePrintsExactly(t *testing.T) {
	most := new(uint256.Int).SetAllOne()
	for want, b := range map[string]account.Balance{
		"0":                    {},
		"0 A":                  {Decimals: 18, Symbol: "A"},
		"0.000000000000000001": {Amount: *uint256.NewInt(1), Decimals: 18},
		"1":                    {Amount: *uint256.NewInt(100), Decimals: 2},
		"12.34":                {Amount: *uint256.NewInt(1234), Decimals: 2},
		"1234":                 {Amount: *uint256.NewInt(1234)},
		"9007199254740993.1 B": {Amount: *uint256.NewInt(90_071_992_547_409_931), Decimals: 1, Symbol: "B"},
		"115792089237316195423570985008687907853269984665640564039457.584007913129639935": {Amount: *most, Decimals: 18},
		"0." + strings.Repeat("0", 254) + "1":                                             {Amount: *uint256.NewInt(1), Decimals: 255},
	} {
		require.Equal(t, want, b.String())
	}
}

func ExampleAccount_Balances() {
	w := exampleWorld()
	w.handTokens(w.chain.Contracts.Token6, w.owner.Address(), 1_500_000)

	balances, err := w.client.Account(w.owner.Address()).Balances(w.ctx, w.chain.Contracts.Token6)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range balances {
		fmt.Println(b)
	}
	// Output:
	// 0
	// 1.5 DEMO6
}
