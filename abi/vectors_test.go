package abi_test

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/userop"
)

type vectorCall struct {
	To    common.Address
	Value *uint256.Int
	Data  hexutil.Bytes
}

func (c vectorCall) call() abi.ExecuteCall {
	return abi.ExecuteCall{To: c.To, Value: *c.Value, Data: c.Data}
}

type accountVector struct {
	Owner           common.Address
	Index           uint64
	ModuleSetupData hexutil.Bytes
	InitCode        hexutil.Bytes
	Execute         struct {
		Call     vectorCall
		CallData hexutil.Bytes
	}
	ExecuteBatch struct {
		Calls    []vectorCall
		CallData hexutil.Bytes
	}
	EnableModule struct {
		Module   common.Address
		CallData hexutil.Bytes
	}
	SetupAndEnableModule struct {
		Module   common.Address
		Setup    hexutil.Bytes
		CallData hexutil.Bytes
	}
	DisableModule struct {
		Prev, Module common.Address
		CallData     hexutil.Bytes
	}
}

// The builders make the bytes that the reference SDK makes.
func TestAccountVectors(t *testing.T) {
	var file struct{ Cases []accountVector }
	require.NoError(t, json.Unmarshal(testutil.Vectors(t, "accounts.json"), &file))
	require.NotEmpty(t, file.Cases)
	ecdsaModule := common.HexToAddress("0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e")
	for _, v := range file.Cases {
		same := func(want hexutil.Bytes, got []byte) {
			t.Helper()
			require.Equal(t, want.String(), hexutil.Encode(got))
		}
		single := v.Execute.Call.call()
		same(v.Execute.CallData, abi.Execute(single.To, single.Value, single.Data))
		decoded, err := abi.DecodeExecute(v.Execute.CallData)
		require.NoError(t, err)
		require.Equal(t, []abi.ExecuteCall{single}, decoded)
		require.False(t, abi.IsBatch(v.Execute.CallData))

		var batch []abi.ExecuteCall
		for _, c := range v.ExecuteBatch.Calls {
			batch = append(batch, c.call())
		}
		same(v.ExecuteBatch.CallData, abi.ExecuteBatch(batch))
		decoded, err = abi.DecodeExecute(v.ExecuteBatch.CallData)
		require.NoError(t, err)
		require.Equal(t, batch, decoded)
		require.True(t, abi.IsBatch(v.ExecuteBatch.CallData))

		same(v.EnableModule.CallData, abi.EnableModule(v.EnableModule.Module))
		same(v.SetupAndEnableModule.CallData, abi.SetupAndEnableModule(v.SetupAndEnableModule.Module, v.SetupAndEnableModule.Setup))
		same(v.DisableModule.CallData, abi.DisableModule(v.DisableModule.Prev, v.DisableModule.Module))
		same(v.ModuleSetupData, abi.InitForSmartAccount(v.Owner))
		same(v.InitCode[common.AddressLength:], abi.DeployCounterFactualAccount(ecdsaModule, v.ModuleSetupData, *uint256.NewInt(v.Index)))
	}
}

// Operations convert to what the EntryPoint's builders take, which breaks the build when their fields part.
func TestOperationConverts(t *testing.T) {
	op := userop.Operation{Sender: common.Address{1}, CallData: []byte{2}}
	require.Equal(t, abi.UserOperation{Sender: common.Address{1}, CallData: []byte{2}}, abi.UserOperation(op))
}
