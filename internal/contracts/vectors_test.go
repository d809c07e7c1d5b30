package contracts_test

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/userop"
)

type vectorCall struct {
	To    common.Address
	Value *uint256.Int
	Data  hexutil.Bytes
}

func (c vectorCall) call() abi.Call {
	return abi.Call{To: c.To, Value: *c.Value, Data: c.Data}
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
	ecdsaModule := contracts.Deployed().ECDSA
	for _, v := range file.Cases {
		same := func(want hexutil.Bytes, got []byte) {
			t.Helper()
			require.Equal(t, want.String(), hexutil.Encode(got))
		}
		single := v.Execute.Call.call()
		same(v.Execute.CallData, contracts.Execute(single.To, single.Value, single.Data))
		decoded, err := contracts.DecodeExecute(v.Execute.CallData)
		require.NoError(t, err)
		require.Equal(t, []abi.Call{single}, decoded)
		require.False(t, contracts.IsBatch(v.Execute.CallData))

		var batch []abi.Call
		for _, c := range v.ExecuteBatch.Calls {
			batch = append(batch, c.call())
		}
		same(v.ExecuteBatch.CallData, contracts.ExecuteBatch(batch))
		decoded, err = contracts.DecodeExecute(v.ExecuteBatch.CallData)
		require.NoError(t, err)
		require.Equal(t, batch, decoded)
		require.True(t, contracts.IsBatch(v.ExecuteBatch.CallData))

		same(v.EnableModule.CallData, contracts.EnableModule(v.EnableModule.Module))
		same(v.SetupAndEnableModule.CallData, contracts.SetupAndEnableModule(v.SetupAndEnableModule.Module, v.SetupAndEnableModule.Setup))
		same(v.DisableModule.CallData, contracts.DisableModule(v.DisableModule.Prev, v.DisableModule.Module))
		same(v.ModuleSetupData, contracts.InitForSmartAccount(v.Owner))
		same(v.InitCode[common.AddressLength:], contracts.DeployCounterFactualAccount(ecdsaModule, v.ModuleSetupData, *uint256.NewInt(v.Index)))
	}
}

// Operations convert to what the EntryPoint's builders take, which breaks the build when their fields part.
func TestOperationConverts(t *testing.T) {
	op := userop.Operation{Sender: common.Address{1}, CallData: []byte{2}}
	require.Equal(t, contracts.UserOperation{Sender: common.Address{1}, CallData: []byte{2}}, contracts.UserOperation(op))
}
