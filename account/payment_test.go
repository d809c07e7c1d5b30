package account_test

import (
	"context"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// slowPaymaster takes its time.
type slowPaymaster struct {
	takes  time.Duration
	answer common.Address
	asked  int
}

func (p *slowPaymaster) SponsorUserOperation(context.Context, *userop.Operation, userop.SponsorRequest) (userop.Sponsorship, error) {
	p.asked++
	time.Sleep(p.takes)
	return userop.Sponsorship{PaymasterAndData: p.answer[:]}, nil
}

func TestAQuoteThatExpiresOnTheWayIsNotSigned(t *testing.T) {
	for name, test := range map[string]struct {
		before, takes time.Duration // of the 30 seconds that the quote is good for
		asked         int
		expired       bool
	}{
		"in time":                          {10 * time.Second, 19 * time.Second, 1, false},
		"expired before":                   {30 * time.Second, 0, 0, true},
		"expired while the service thinks": {10 * time.Second, 20 * time.Second, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newLaneWorld()
				service := &slowPaymaster{takes: test.takes}
				client, err := account.NewClient(account.Config{ChainID: 80002, Chain: w, Bundler: w, UnidentifiedBundler: true, Paymaster: service})
				require.NoError(t, err)
				service.answer = client.Contracts().TokenPaymaster
				quote := userop.FeeQuote{Token: stranger, MaxFee: *uint256.NewInt(1), Paymaster: service.answer, ValidUntil: time.Now().Add(30 * time.Second)}
				time.Sleep(test.before)
				_, err = client.Account(laneUser).Send(t.Context(), []account.Call{{To: stranger}},
					noServices(account.WithSigner(constSigner{}), account.PayWith(quote), account.Unchecked())...)
				require.Equal(t, test.asked, service.asked)
				if !test.expired {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, account.ErrQuoteExpired)
				require.ErrorContains(t, err, "fee quote has expired: it was good until 2000-01-01T00:00:30Z; FeeQuotes asks for a new one")
				require.Zero(t, w.accepted)
			})
		})
	}
}

func TestTokenFeeIsThatOfTheOperation(t *testing.T) {
	client, err := account.NewClient(account.Config{ChainID: 80002, Chain: emptyChain{}, Bundler: deadBundler{}})
	require.NoError(t, err)
	paid := func(by common.Address, operation common.Hash, charge uint64) *types.Log {
		word := func(a common.Address) common.Hash { return common.BytesToHash(a[:]) }
		data := abiword.AppendUint64(abiword.AppendAddress(nil, stranger), 1_100_000)
		data = abiword.AppendUint64(abiword.AppendUint64(abiword.AppendWord(data, operation), 2_000_000_000), 0)
		return &types.Log{
			Address: by, Data: data,
			Topics: []common.Hash{contracts.TokenPaymasterOperationTopic, word(laneUser), word(stranger), common.BigToHash(new(big.Int).SetUint64(charge))},
		}
	}
	ours, operation := client.Contracts().TokenPaymaster, common.Hash{1}
	others := []*types.Log{{Address: ours}, paid(stranger, operation, 1), paid(ours, common.Hash{2}, 2)}

	// Some bundlers put all logs of the bundle into the receipt, and any contract can log the like.
	fee, ok := client.TokenFee(&userop.Receipt{UserOpHash: operation, Logs: append(others, paid(ours, operation, 3))})
	require.True(t, ok)
	require.Equal(t, account.TokenFee{Token: stranger, Amount: *uint256.NewInt(3)}, fee)
	_, ok = client.TokenFee(&userop.Receipt{UserOpHash: operation, Logs: others})
	require.False(t, ok)
}
