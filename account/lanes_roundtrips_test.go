package account_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
)

// nonceReads counts the requests for nonces.
func (m *mocked) nonceReads(t *testing.T) (n int) {
	t.Helper()
	selector := contracts.GetNonce(common.Address{}, uint256.Int{})[:abi.SelectorSize]
	for _, r := range m.node.Requests("eth_call") {
		var call struct{ Input, Data hexutil.Bytes }
		require.NoError(t, json.Unmarshal(r.Params[0], &call))
		if slices.Equal(slices.Concat(call.Input, call.Data)[:abi.SelectorSize], selector) {
			n++
		}
	}
	return n
}

func TestASendInALaneIsTwoRoundTripsWithWarmCaches(t *testing.T) {
	for name, vendor := range map[string]bundlertest.Vendor{"Biconomy": bundlertest.Biconomy, "Pimlico": bundlertest.Pimlico} {
		t.Run(name, func(t *testing.T) {
			m := newMocked(t, tripDelay, vendor)
			client := m.clientFor(t, time.Hour) // so that a slow machine does not let the caches expire
			lanes := client.NewLanes(account.LanesConfig{})
			m.user = client.Account(m.user.Address())
			_, err := m.send(t, account.InLane(lanes))
			require.NoError(t, err)

			node, toBundler, toPaymaster := m.node.Count(""), m.bundler.Count(""), m.paymaster.Count("")
			for n := range 3 {
				m.trips.Reset()
				_, err = m.send(t, account.InLane(lanes))
				require.NoError(t, err)
				require.Equal(t, 2, m.trips.Depth(), "sponsor and send")
				require.Equal(t, node, m.node.Count(""), "the node is not asked at all")
				require.Equal(t, toBundler+n+1, m.bundler.Count(""))
				require.Equal(t, toPaymaster+n+1, m.paymaster.Count(""))
			}
			require.Zero(t, m.nonceReads(t))
			require.NoError(t, lanes.Close(t.Context()))
		})
	}
}

func TestFeesAreAskedForAgain(t *testing.T) {
	for freshness, want := range map[time.Duration]int{time.Hour: 1, -1: 2, time.Nanosecond: 2} {
		m := newMocked(t, 0, bundlertest.Biconomy)
		m.user = m.clientFor(t, freshness).Account(m.user.Address())
		for range 2 {
			_, err := m.send(t)
			require.NoError(t, err)
		}
		require.Equal(t, want, m.bundler.Count("biconomy_getGasFeeValues"), freshness)
		require.Equal(t, 2, m.nonceReads(t), "without lanes the nonce is read each time")
	}
	t.Run("an error is not remembered", func(t *testing.T) {
		m := newMocked(t, 0, bundlertest.Biconomy)
		m.bundler.On("biconomy_getGasFeeValues", bundlertest.Fail(-32000, "no price"), bundlertest.Result(map[string]string{
			"maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x3b9aca00",
		}))
		_, err := m.send(t)
		require.ErrorContains(t, err, "no price")
		_, err = m.send(t)
		require.NoError(t, err)
	})
}

// clientFor returns another client of the same services.
func (m *mocked) clientFor(t *testing.T, freshness time.Duration) *account.Client {
	t.Helper()
	client, err := account.NewClient(account.Config{
		ChainID: accounttest.DefaultChainID, Chain: m.chain, Bundler: bundler.New(m.bundler.URL()), Paymaster: paymaster.New(m.paymaster.URL()),
		Freshness: freshness,
	})
	require.NoError(t, err)
	return client
}
