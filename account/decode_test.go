package account_test

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
)

func TestDecodeVectors(t *testing.T) {
	user := offlineClient(t).Account(stranger)
	for n, c := range accountVectors(t) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			calls, err := user.Decode(c.Execute.CallData)
			require.NoError(t, err)
			require.Equal(t, []account.Call{c.Execute.Call.call(t)}, calls)
			calls, err = user.Decode(c.ExecuteBatch.CallData)
			require.NoError(t, err)
			require.Equal(t, hexutil.Encode(c.ExecuteBatch.CallData), hexutil.Encode(contracts.ExecuteBatch(calls)))
		})
	}
}

func TestDecodeOtherCalldata(t *testing.T) {
	user := offlineClient(t).Account(stranger)
	calls, err := user.Decode(nil)
	require.NoError(t, err)
	require.Empty(t, calls)

	_, err = user.Decode(contracts.EnableModule(stranger))
	require.ErrorIs(t, err, account.ErrNotExecute)
	require.ErrorContains(t, err, "calls of account 0x00000000000000000000000000000000DeaDBeef: ")
	cut := contracts.Execute(stranger, [4]uint64{}, []byte{1, 2, 3})
	_, err = user.Decode(cut[:len(cut)-1])
	require.Error(t, err)
	_, err = user.Decode(contracts.ExecuteBatch(nil))
	require.ErrorContains(t, err, "executeBatch of no calls: the account refuses it")
}

func ExampleAccount_Decode() {
	user := exampleClient().Account(common.HexToAddress("0x1111111111111111111111111111111111111111"))
	transfer, err := abi.Pack("function transfer(address to, uint256 amount)", user.Address(), 100)
	if err != nil {
		fmt.Println(err)
		return
	}
	callData, err := abi.Pack("function execute_ncC(address dest, uint256 value, bytes func)", "0x2222222222222222222222222222222222222222", 5, transfer)
	if err != nil {
		fmt.Println(err)
		return
	}

	calls, err := user.Decode(callData)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, call := range calls {
		fmt.Println(call)
	}
	// Output:
	// 5 wei and 0xa9059cbb with 64 bytes to 0x2222222222222222222222222222222222222222
}
