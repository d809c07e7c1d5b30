package contracts_test

import (
	"bytes"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
)

// What is encoded here is read back, and nothing else: not what is longer or shorter, or has bits in the
// padding.
func TestCallsAreReadBack(t *testing.T) {
	one, other, amount := common.Address{1}, common.Address{2}, *uint256.NewInt(77)
	type pair struct {
		address common.Address
		amount  uint256.Int
	}
	withAmount := func(decode func([]byte) (common.Address, uint256.Int, bool)) func([]byte) (any, bool) {
		return func(data []byte) (any, bool) { address, amount, ok := decode(data); return pair{address, amount}, ok }
	}
	change := func(data []byte) (any, bool) { c, ok := contracts.DecodeModuleChange(data); return c, ok }
	for name, tt := range map[string]struct {
		data   []byte
		decode func([]byte) (any, bool)
		want   any
	}{
		"approve":      {contracts.Approve(one, amount), withAmount(contracts.DecodeApprove), pair{one, amount}},
		"transfer":     {contracts.Transfer(one, amount), withAmount(contracts.DecodeTransfer), pair{one, amount}},
		"withdrawTo":   {contracts.WithdrawTo(one, amount), withAmount(contracts.DecodeWithdrawTo), pair{one, amount}},
		"new owner":    {contracts.TransferOwnership(one), func(d []byte) (any, bool) { a, ok := contracts.DecodeTransferOwnership(d); return a, ok }, one},
		"enable":       {contracts.EnableModule(one), change, contracts.ModuleChange{Enables: true, Module: one}},
		"disable":      {contracts.DisableModule(other, one), change, contracts.ModuleChange{Module: one}},
		"setup enable": {contracts.SetupAndEnableModule(one, []byte{1}), change, contracts.ModuleChange{Enables: true, SetsUp: true, Module: one, Setup: []byte{1}}},
		"register":     {contracts.InitForSmartAccount(one), func(d []byte) (any, bool) { a, ok := contracts.DecodeInitForSmartAccount(d); return a, ok }, one},
	} {
		t.Run(name, func(t *testing.T) {
			read, ok := tt.decode(tt.data)
			require.True(t, ok)
			require.Equal(t, tt.want, read)
			for n := range tt.data {
				if name != "setup enable" {
					_, ok := tt.decode(tt.data[:n])
					require.False(t, ok, "%d bytes", n)
				}
			}
			other := bytes.Clone(tt.data)
			other[0]++
			_, ok = tt.decode(other)
			require.False(t, ok)
			if name != "setup enable" {
				_, ok = tt.decode(append(bytes.Clone(tt.data), 0))
				require.False(t, ok)
			}
			padded := bytes.Clone(tt.data)
			padded[4], padded[len(padded)-32] = 1, 1
			if name != "approve" && name != "transfer" && name != "withdrawTo" {
				_, ok = tt.decode(padded)
				require.False(t, ok)
			}
		})
	}
}

func TestCodeChangesAreRead(t *testing.T) {
	one := common.Address{1}
	for signature, fallback := range map[string]bool{"updateImplementation(address)": false, "setFallbackHandler(address)": true} {
		data := append(crypto.Keccak256([]byte(signature))[:4], common.LeftPadBytes(one[:], 32)...)
		contract, is, ok := contracts.DecodeCodeChange(data)
		require.True(t, ok, signature)
		require.Equal(t, one, contract)
		require.Equal(t, fallback, is)
		_, _, ok = contracts.DecodeCodeChange(append(data, 0))
		require.False(t, ok)
	}
	_, _, ok := contracts.DecodeCodeChange(contracts.EnableModule(one))
	require.False(t, ok)
	require.True(t, contracts.IsRenounceOwnership(crypto.Keccak256([]byte("renounceOwnership()"))[:4]))
	require.False(t, contracts.IsRenounceOwnership(contracts.TransferOwnership(one)))
}
