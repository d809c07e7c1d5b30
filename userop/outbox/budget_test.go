package outbox_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop/outbox"
)

var (
	ledgerAccount = common.HexToAddress("0xacc")
	ledgerGas     = outbox.Counter{Unit: outbox.Gas}
)

// reserveGas reserves so much of 100.
func reserveGas(l *outbox.Ledger, amount uint64, now time.Time) (uint64, error) {
	c := outbox.Charge{Counter: ledgerGas, Amount: *uint256.NewInt(amount), Limit: *uint256.NewInt(100)}
	return l.Reserve(1, ledgerAccount, 0, []outbox.Charge{c}, time.Minute, now)
}

func gasOf(l *outbox.Ledger, now time.Time) string {
	u := l.Usage(now)[0]
	return fmt.Sprint(u.Day.Format(time.DateOnly), " ", u.Spent.Dec(), " ", u.Open.Dec(), " ", u.Total.Dec())
}

// TestADayEnds has what was spent be of its day, and what may land yet of each.
func TestADayEnds(t *testing.T) {
	l, late := new(outbox.Ledger), time.Date(2026, 1, 31, 23, 59, 59, 0, time.FixedZone("elsewhere", 0))
	next := late.Add(2 * time.Second)
	settle := func(entry, cost uint64, now time.Time) {
		l.Settle(entry, &outbox.Outcome{State: outbox.StateReverted, Cost: *uint256.NewInt(cost)}, now)
	}
	for entry, amount := range map[uint64]uint64{1: 40, 2: 60} {
		reserved, err := reserveGas(l, amount, late)
		require.NoError(t, err)
		require.NoError(t, l.Keep(reserved, entry))
	}
	settle(1, 30, late)
	require.Equal(t, "2026-01-31 30 60 30", gasOf(l, late))
	_, err := reserveGas(l, 11, late)
	over := new(outbox.OverBudgetError)
	require.ErrorAs(t, err, &over)
	require.Equal(t, "2026-02-01T00:00:00Z", over.FreesUp().Format(time.RFC3339))
	require.EqualError(t, err, "over budget: wei of gas of the account "+ledgerAccount.Hex()+" on chain 1, 100 a day: the send may take 11, and 10 is left; "+
		"it frees up at 2026-02-01T00:00:00Z, or before where sends that are under way cost less")

	require.Equal(t, "2026-02-01 0 60 30", gasOf(l, next), "what is under way may land today")
	_, err = reserveGas(l, 41, next)
	require.ErrorIs(t, err, outbox.ErrOverBudget)
	reserved, err := reserveGas(l, 40, next)
	require.NoError(t, err)
	settle(2, 50, next)
	require.Equal(t, "2026-02-01 50 40 80", gasOf(l, next), "it is counted on the day on which it was settled")

	// One that became no entry's is given back by the next one.
	later := next.Add(time.Hour)
	fresh, err := reserveGas(l, 50, later)
	require.NoError(t, err)
	require.ErrorIs(t, l.Keep(reserved, 3), outbox.ErrReservation)
	require.NoError(t, l.Keep(fresh, 3))
	require.ErrorIs(t, l.Keep(fresh, 4), outbox.ErrReservation, "it is another entry's")
	l.Return(fresh)
	require.Equal(t, "2026-02-01 50 50 80", gasOf(l, later), "what is an entry's is not given back")

	text, err := json.Marshal(l)
	require.NoError(t, err)
	read := new(outbox.Ledger)
	require.NoError(t, json.Unmarshal(text, read))
	require.Equal(t, l, read)
	l.Free(3)
	require.Equal(t, "2026-02-01 50 0 80", gasOf(l, later))
}

// TestAClockThatGoesBack has what was counted after midnight count although a clock is before it again.
func TestAClockThatGoesBack(t *testing.T) {
	l, next := new(outbox.Ledger), time.Date(2026, 2, 1, 0, 0, 1, 0, time.UTC)
	late := next.Add(-2 * time.Second)
	for entry := uint64(1); entry <= 2; entry++ {
		reserved, err := reserveGas(l, 40, late)
		require.NoError(t, err)
		require.NoError(t, l.Keep(reserved, entry))
	}
	settle := func(entry uint64, now time.Time) {
		l.Settle(entry, &outbox.Outcome{State: outbox.StateLanded, Cost: *uint256.NewInt(40)}, now)
	}
	settle(1, next)
	settle(2, late)
	require.Equal(t, "2026-02-01 80 0 80", gasOf(l, late))
	_, err := reserveGas(l, 21, late)
	require.ErrorIs(t, err, outbox.ErrOverBudget)
	_, err = reserveGas(l, 21, next)
	require.ErrorIs(t, err, outbox.ErrOverBudget)
}
