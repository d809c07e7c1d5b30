package account_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

type multichainVector struct {
	OwnerKey hexutil.Bytes
	UserOps  []struct {
		UserOp                 userop.Operation
		ChainID                uint64
		ValidUntil, ValidAfter uint64
	}
	Signatures []hexutil.Bytes
}

// countingOwner counts how often it is asked to sign.
type countingOwner struct {
	account.Owner
	signed *int
}

func (o countingOwner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	*o.signed++
	return o.Owner.SignMessage(ctx, message)
}

func TestMultichainVectors(t *testing.T) {
	var vectors struct{ Cases []multichainVector }
	require.NoError(t, json.Unmarshal(testutil.Vectors(t, "multichain.json"), &vectors))
	require.NotEmpty(t, vectors.Cases)
	at := account.DefaultContracts(1)
	for n, c := range vectors.Cases {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			key, err := crypto.ToECDSA(c.OwnerKey)
			require.NoError(t, err)
			ops := make([]account.MultichainOperation, len(c.UserOps))
			for i, u := range c.UserOps {
				ops[i] = account.MultichainOperation{
					Module: at.Multichain, Hash: u.UserOp.Hash(at.EntryPoint, u.ChainID),
					ValidUntil: u.ValidUntil, ValidAfter: u.ValidAfter,
				}
			}
			signed := 0
			signatures, err := account.SignMultichain(t.Context(), countingOwner{account.KeyOwner(key), &signed}, ops...)
			require.NoError(t, err)
			require.Equal(t, 1, signed, "one signature for all")
			require.Len(t, signatures, len(c.Signatures))
			for i := range signatures {
				require.Equal(t, c.Signatures[i].String(), hexutil.Encode(signatures[i]))
			}
		})
	}
}

func TestSignMultichainRefuses(t *testing.T) {
	_, err := account.SignMultichain(t.Context(), newOwner(t))
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "a multichain signature for no operation")
	_, err = account.SignMultichain(t.Context(), newOwner(t), account.MultichainOperation{ValidUntil: 1 << 48})
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "the window of operation 0 does not fit into 48 bits")
	_, err = account.SignMultichain(t.Context(), forger{newOwner(t)}, account.MultichainOperation{})
	require.ErrorIs(t, err, account.ErrWrongOwner)
}

// TestMultichainDummyCostsAsMuch holds the dummy against the contract: gas that suffices for the dummy
// suffices for the real signature.
func TestMultichainDummyCostsAsMuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.client.OwnedAccount(w.owner.Owner(), account.Multichain())
	done(t)(owner.Deploy(t.Context(), account.Sponsored()))
	op, err := owner.Build(t.Context(), []account.Call{w.mint(t, owner.Address())}, account.Sponsored())
	require.NoError(t, err)
	at := w.client.Contracts()
	hash := op.Hash(at.EntryPoint, w.client.ChainID())

	for legs := 1; legs <= account.MaxLegs; legs++ {
		ops := make([]account.MultichainOperation, legs)
		for i := range ops {
			ops[i] = account.MultichainOperation{Module: at.Multichain, Hash: common.Hash{byte(i)}, ValidUntil: 1<<48 - 1, ValidAfter: 1}
		}
		ops[0].Hash = hash // its proof is a longest one
		signatures, err := account.SignMultichain(t.Context(), owner.Owner(), ops...)
		require.NoError(t, err)
		dummy := op.Clone()
		dummy.Signature = account.MultichainDummy(at.Multichain, legs)
		op.Signature = signatures[0]
		require.Len(t, dummy.Signature, len(op.Signature))
		require.GreaterOrEqual(t, calldataGas(dummy.Signature), calldataGas(op.Signature))
		require.GreaterOrEqual(t, w.validationGas(t, dummy, hash), w.validationGas(t, op, hash), "%d operations", legs)
	}
}

func calldataGas(data []byte) (gas int) {
	for _, b := range data {
		if b == 0 {
			gas += 4
		} else {
			gas += 16
		}
	}
	return gas
}

// validationGas is what the account's validateUserOp takes, without what the transaction takes for its data.
func (w *world) validationGas(t *testing.T, op *userop.Operation, hash common.Hash) int64 {
	t.Helper()
	validate := abi.MustParseFunction("validateUserOp((address sender, uint256 nonce, bytes initCode, bytes callData, uint256 callGasLimit, uint256 verificationGasLimit, " +
		"uint256 preVerificationGas, uint256 maxFeePerGas, uint256 maxPriorityFeePerGas, bytes paymasterAndData, bytes signature) op, bytes32 hash, uint256 funds)")
	data, err := validate.Pack(contracts.UserOperation(*op), hash, 0)
	require.NoError(t, err)
	call := map[string]any{"from": w.client.Contracts().EntryPoint, "to": op.Sender, "data": hexutil.Bytes(data), "gas": hexutil.Uint64(1 << 24)}
	var frame struct{ GasUsed hexutil.Uint64 }
	require.NoError(t, w.chain.Client().Client().CallContext(t.Context(), &frame, "debug_traceCall", call, "latest", map[string]string{"tracer": "callTracer"}))
	return int64(frame.GasUsed) - int64(calldataGas(data))
}
