package account_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

// header is a node's newest block, changed by changes; nil takes a field out.
func header(changes map[string]any) jsonrpctest.Answer {
	fields := map[string]any{
		"baseFeePerGas": "0x174876e800", "number": "0x1", "gasLimit": "0x1", "gasUsed": "0x0", "timestamp": "0x1", "difficulty": "0x0",
		"extraData": "0x", "logsBloom": hexutil.Bytes(make([]byte, 256)), "miner": common.Address{}, "parentHash": common.Hash{},
		"receiptsRoot": common.Hash{}, "sha3Uncles": common.Hash{}, "stateRoot": common.Hash{}, "transactionsRoot": common.Hash{},
	}
	maps.Copy(fields, changes)
	maps.DeleteFunc(fields, func(_ string, value any) bool { return value == nil })
	return jsonrpctest.Result(fields)
}

const gwei = 1_000_000_000

// A bundler without a gas price leaves it to the node, and nodes do not have every method, nor write what
// they have as go-ethereum does.
func TestFeesOfEveryNode(t *testing.T) {
	t.Parallel()
	var (
		base       = header(nil) // 100 gwei
		unreadable = header(map[string]any{"difficulty": nil})
		price      = jsonrpctest.Result(hexutil.Uint64(105_840_000_000))
		missing    = jsonrpctest.Body(`{"error":{"code":-32601,"message":"Method not found"}}`)
		null       = jsonrpctest.Result(nil)
		decimal    = jsonrpctest.Result("5000000000")
		number     = jsonrpctest.Result(5_000_000_000)
		tip        = jsonrpctest.Result("0x12a05f200") // 5 gwei
	)
	for name, c := range map[string]struct {
		header, tip, price jsonrpctest.Answer
		max, priority      uint64
	}{
		"all there":                             {base, tip, missing, 205 * gwei, 5 * gwei},
		"no method for the tip":                 {base, missing, price, 205_840_000_000, 5_840_000_000},
		"a tip of null":                         {base, null, price, 205_840_000_000, 5_840_000_000},
		"a decimal tip":                         {base, decimal, price, 205_840_000_000, 5_840_000_000},
		"a tip that is a number":                {base, number, price, 205_840_000_000, 5_840_000_000},
		"a gas price that is the base fee":      {base, missing, jsonrpctest.Result("0x174876e800"), 200 * gwei, 0},
		"a gas price below the base fee":        {base, missing, jsonrpctest.Result("0x1"), 200 * gwei, 0},
		"a header that cannot be read":          {unreadable, tip, price, 206_680_000_000, 5 * gwei},
		"no header":                             {null, tip, price, 206_680_000_000, 5 * gwei},
		"a tip above the gas price":             {unreadable, tip, jsonrpctest.Result("0x1"), 5 * gwei, 5 * gwei},
		"only a gas price":                      {unreadable, missing, price, 132_300_000_000, 132_300_000_000},
		"no base fee":                           {header(map[string]any{"baseFeePerGas": nil}), missing, price, 105_840_000_000, 105_840_000_000},
		"no base fee, and a tip that says what": {header(map[string]any{"baseFeePerGas": nil}), tip, price, 105_840_000_000, 105_840_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMocked(t, 0, bundlertest.Standard)
			m.node.On("eth_getBlockByNumber", c.header)
			m.node.On("eth_maxPriorityFeePerGas", c.tip)
			m.node.On("eth_gasPrice", c.price)
			_, err := m.send(t)
			require.NoError(t, err)
			require.Equal(t, userop.Fees{MaxFeePerGas: *uint256.NewInt(c.max), MaxPriorityFeePerGas: *uint256.NewInt(c.priority)}, m.bundler.Sent()[0].Fees())
		})
	}
}

func TestANodeWithoutAnyFees(t *testing.T) {
	t.Parallel()
	m := newMocked(t, 0, bundlertest.Standard)
	m.node.On("eth_getBlockByNumber", header(map[string]any{"difficulty": nil}))
	m.node.On("eth_maxPriorityFeePerGas", jsonrpctest.Fail(-32601, "the method does not exist"))
	_, err := m.send(t)
	require.ErrorContains(t, err, "node: read the base fee: missing required field 'difficulty' for Header; read the gas price: the method does not exist")

	m.node.On("eth_getBlockByNumber", header(nil))
	_, err = m.send(t)
	require.ErrorContains(t, err, "node: read the gas price: the method does not exist")

	m.node.On("eth_getBlockByNumber", jsonrpctest.Status(503, "busy"))
	_, err = m.send(t)
	require.True(t, userop.SafeToRetry(err), "a node that is busy: %v", err)
	require.Empty(t, m.bundler.Sent())
}

// Rundler names its tip, and leaves the base fee to the node.
func TestTheBundlersTip(t *testing.T) {
	t.Parallel()
	m := newMocked(t, 0, bundlertest.Standard)
	m.user = m.clientFor(t, -1).Account(m.user.Address()) // which remembers no fees
	m.node.On("eth_getBlockByNumber", header(nil))
	m.node.On("eth_maxPriorityFeePerGas", jsonrpctest.Result("0x1"))
	m.bundler.On("rundler_maxPriorityFeePerGas", jsonrpctest.Result("0x5f5e100"))
	_, err := m.send(t)
	require.NoError(t, err)
	require.Equal(t, "at most 200100000000 wei per gas, tip 100000000", m.bundler.Sent()[0].Fees().String())

	m.bundler.On("rundler_maxPriorityFeePerGas", jsonrpctest.Fail(-32000, "out of order"))
	_, err = m.send(t)
	require.NoError(t, err)
	require.Equal(t, "at most 200000000001 wei per gas, tip 1", m.bundler.Sent()[1].Fees().String(), "the node's instead")

	m.bundler.On("rundler_maxPriorityFeePerGas")
	before := m.bundler.Count("rundler_maxPriorityFeePerGas")
	for range 3 {
		_, err = m.send(t)
		require.NoError(t, err)
	}
	require.Equal(t, before+1, m.bundler.Count("rundler_maxPriorityFeePerGas"), "what is missing is not asked for again at once")
}

// What was proposed is remembered for a moment. A price that rose meanwhile is told by a refusal, and the
// send after that has the new one.
func TestRememberedFeesAreForgottenByARefusal(t *testing.T) {
	t.Parallel()
	proposed := func(wei string) jsonrpctest.Answer {
		fees := map[string]string{"maxFeePerGas": wei, "maxPriorityFeePerGas": "0x1"}
		return jsonrpctest.Result(map[string]any{"slow": fees, "standard": fees, "fast": fees})
	}
	for name, c := range map[string]struct {
		refusal jsonrpctest.Answer
		want    uint64
	}{
		"too cheap": {jsonrpctest.Fail(-32602, "maxFeePerGas must be at least 500 (current maxFeePerGas: 10)"), 500},
		"busy":      {jsonrpctest.Status(429, "slow down"), 10},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMocked(t, 0, bundlertest.Pimlico)
			m.user = m.clientFor(t, time.Hour).Account(m.user.Address())
			m.bundler.On("pimlico_getUserOperationGasPrice", proposed("0xa"), proposed("0x1f4"))
			m.bundler.On("eth_sendUserOperation", c.refusal)
			for _, want := range []uint64{10, c.want} {
				_, err := m.send(t)
				failed, ok := errors.AsType[*userop.Error](err)
				require.True(t, ok, "%v", err)
				require.Equal(t, want, failed.Operation.MaxFeePerGas.Uint64())
			}
		})
	}
}
