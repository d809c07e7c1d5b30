package account_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// scriptedNode answers every call with what its function says.
type scriptedNode func(ethereum.CallMsg) ([]byte, error)

func (scriptedNode) ChainID(context.Context) (*big.Int, error) { return big.NewInt(80002), nil }

func (scriptedNode) CodeAt(context.Context, common.Address, *big.Int) ([]byte, error) {
	return []byte{0xfe}, nil
}

func (n scriptedNode) CallContract(_ context.Context, call ethereum.CallMsg, _ *big.Int) ([]byte, error) {
	return n(call)
}

func (scriptedNode) BlockNumber(context.Context) (uint64, error) { return 1, nil }

func (scriptedNode) FilterLogs(context.Context, ethereum.FilterQuery) ([]types.Log, error) {
	return nil, nil
}

// claim is a node's word that a call reverts with this data, as rpc.DataError has it.
type claim string

func (c claim) Error() string { return "execution reverted" }

func (c claim) ErrorData() any { return string(c) }

// claimingNode says of every call that the EntryPoint fails an operation for that reason.
func claimingNode(t testing.TB, reason string) scriptedNode {
	data, err := abi.Pack("FailedOp(uint256,string)", 0, reason)
	require.NoError(t, err)
	return func(ethereum.CallMsg) ([]byte, error) {
		return nil, claim(hexutil.Encode(data))
	}
}

// A node can claim what the operation contradicts; that it is refused stays its word.
func TestSimulateOnANodeThatLies(t *testing.T) {
	t.Parallel()
	long, short := make([]byte, common.AddressLength), make([]byte, common.AddressLength-1)
	for _, code := range []string{"AA10", "AA13", "AA14", "AA23", "AA31", "AA33", "AA99"} {
		client := clientOf(t, claimingNode(t, code+" reverted (or OOG)"))
		for _, field := range [][]byte{nil, {1}, short, long} {
			for _, op := range []*userop.Operation{{InitCode: field}, {PaymasterAndData: field}, {InitCode: field, PaymasterAndData: field, Signature: field, CallData: field}} {
				op.VerificationGasLimit = *uint256.NewInt(100_000)
				name := fmt.Sprint(code, " ", len(op.InitCode), " ", len(op.PaymasterAndData))
				err := client.Simulate(t.Context(), op)
				failure, ok := errors.AsType[*account.SimulationError](err)
				require.True(t, ok, "%s: %v", name, err)
				require.Equal(t, code, failure.AA.Code, name)
				contradicted := code[:3] == "AA1" && len(op.InitCode) < len(long) || code[:3] == "AA3" && len(op.PaymasterAndData) < len(long)
				require.Equal(t, contradicted, errors.Is(err, account.ErrBadAnswer), "%s: %v", name, err)
			}
		}
	}
	err := clientOf(t, claimingNode(t, "AA33 reverted (or OOG)")).Simulate(t.Context(), new(userop.Operation))
	require.EqualError(t, err, "user operation of 0x0000000000000000000000000000000000000000 would be refused: AA33 reverted (or OOG): "+
		"unexpected answer of a contract: the node says so of an operation whose paymasterAndData of 0 bytes names no paymaster")
}

// Whatever an operation has in its fields and a node in its answers, nothing panics.
func FuzzSimulate(f *testing.F) {
	f.Add("AA33 reverted (or OOG)", []byte{1}, []byte{}, []byte{}, []byte(nil))
	f.Add("AA13 initCode failed or OOG", []byte{}, []byte{2}, []byte{3}, []byte{4})
	f.Add("AA23 reverted (or OOG)", make([]byte, 20), make([]byte, 19), make([]byte, 64), make([]byte, 4))
	f.Fuzz(func(t *testing.T, reason string, initCode, paymasterAndData, signature, callData []byte) {
		op := &userop.Operation{InitCode: initCode, PaymasterAndData: paymasterAndData, Signature: signature, CallData: callData}
		err := clientOf(t, claimingNode(t, reason)).Simulate(t.Context(), op)
		require.Error(t, err)
		_ = fmt.Sprint(err, op, op.Estimate())
	})
}

// endlessAccount has a page of fresh modules after every other, and counts how often it was asked.
func endlessAccount(t testing.TB, asked *int) scriptedNode {
	return func(call ethereum.CallMsg) ([]byte, error) {
		reads, err := contracts.ParseReads(call.Data)
		require.NoError(t, err)
		results := make([]contracts.ReadResult, len(reads))
		for i := range reads {
			modules := make([]common.Address, 100)
			for j := range modules {
				binary.BigEndian.PutUint64(modules[j][8:], uint64(2+*asked*len(modules)+j))
			}
			data, err := abi.Pack("f(address[],address)", modules, modules[0])
			require.NoError(t, err)
			results[i] = contracts.ReadResult{HasCode: true, OK: true, Data: data[abi.SelectorSize:]}
		}
		*asked++
		require.Less(t, *asked, 100)
		return contracts.PackReadResults(reads, results)
	}
}

func TestModulesOfAHostileAccountEnd(t *testing.T) {
	t.Parallel()
	asked := 0
	user := clientOf(t, endlessAccount(t, &asked)).Account(stranger)
	_, err := user.Modules(t.Context())
	require.EqualError(t, err, "account "+stranger.Hex()+": unexpected answer of a contract: getModulesPaginated returns more than 1000 modules")
	require.ErrorIs(t, err, account.ErrBadAnswer)
	require.Equal(t, 11, asked)
}
