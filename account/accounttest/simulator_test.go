package accounttest

import (
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest/internal/node"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/contracts"
)

// What the tracer for estimation tells is what geth's own does, but for what is deeper.
func TestOuterCallsAreGethsOwn(t *testing.T) {
	s := newStage(t, bundlertest.Biconomy)
	o := s.account("traced")
	for name, callData := range map[string][]byte{
		"does nothing": nil,
		"calls":        s.mint(o.address),
		"reverts":      contracts.Execute(s.chain.Contracts.NFT, uint256.Int{}, common.FromHex("0x12345678")),
	} {
		op := s.draft(o.address, 0, callData)
		op.InitCode = o.initCode
		op.CallGasLimit.SetUint64(1e6)
		op.VerificationGasLimit.SetUint64(2e6)
		op.Signature = ownedBy(o.key)(common.Hash{1})
		op.MaxFeePerGas.Clear()
		op.MaxPriorityFeePerGas.Clear()
		call := callArgs{
			To: s.chain.Contracts.EntryPoint, Data: contracts.SimulateHandleOp(contracts.UserOperation(*op), common.Address{}, nil), Gas: hexutil.Uint64(maxSimulationGas),
		}
		trace := func(tracer string) (top node.Frame) {
			require.NoError(t, s.chain.rpcClient().CallContext(t.Context(), &top, "debug_traceCall", call, "latest", map[string]string{"tracer": tracer}))
			return top
		}
		want := trace("callTracer")
		require.NotEmpty(t, want.Calls, name)
		deeper := 0
		for i := range want.Calls {
			for j := range want.Calls[i].Calls {
				deeper += len(want.Calls[i].Calls[j].Calls)
				want.Calls[i].Calls[j].Calls = nil
			}
		}
		require.NotZero(t, deeper, name)
		got := trace(node.OuterCalls)
		got.GasUsed = want.GasUsed // which is the transaction's there, and the call's here
		require.True(t, reflect.DeepEqual(want, got), name)
	}
}
