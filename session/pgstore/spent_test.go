package pgstore_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/userop/outbox"
)

// reserveOf is a new account's budget of 100, of which 40 are reserved.
func reserveOf(t *testing.T, url string) (outbox.Budgeter, common.Address, func(amount uint64) error) {
	b, account := open(t, url).Outbox().(outbox.Budgeter), common.HexToAddress("0xacc")
	reserve := func(amount uint64) error {
		c := outbox.Charge{Counter: outbox.Counter{Unit: outbox.Gas}, Amount: *uint256.NewInt(amount), Limit: *uint256.NewInt(100)}
		_, err := b.Reserve(t.Context(), 1, account, 0, []outbox.Charge{c}, time.Minute)
		return err
	}
	require.NoError(t, reserve(40))
	return b, account, reserve
}

// TestADayThatBegan has what another one counted after midnight count for a transaction that began before it,
// as does a clock that went back.
func TestADayThatBegan(t *testing.T) {
	url := server.URL(t)
	b, account, reserve := reserveOf(t, url)
	pgtest.Exec(t, url, `update sesame_spent set day = day + 1, spent = 50`)
	require.ErrorIs(t, reserve(11), outbox.ErrOverBudget)
	usage, err := b.Usage(t.Context(), 1, account)
	require.NoError(t, err)
	require.Equal(t, uint64(50), usage[0].Spent.Uint64())
	require.NoError(t, reserve(10))

	pgtest.Exec(t, url, `select sesame_end(0, reservation, chain_id, account, 2, 5) from sesame_reserved where amount = 40`)
	usage, err = b.Usage(t.Context(), 1, account)
	require.NoError(t, err)
	require.Equal(t, uint64(55), usage[0].Spent.Uint64())
}

// TestATotalBeyondAWord has a count stay readable that in all its days came to more than 256 bits have.
func TestATotalBeyondAWord(t *testing.T) {
	url := server.URL(t)
	b, account, _ := reserveOf(t, url)
	for _, total := range []string{"2 ^ 256::numeric", "10 ^ 90::numeric"} {
		pgtest.Exec(t, url, `update sesame_spent set total = `+total)
		usage, err := b.Usage(t.Context(), 1, account)
		require.NoError(t, err)
		require.Equal(t, new(uint256.Int).SetAllOne().Dec(), usage[0].Total.Dec())
	}
}
