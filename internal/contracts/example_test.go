package contracts_test

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
)

var receiver = common.HexToAddress("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")

func ExampleDecodeExecute() {
	callData := contracts.ExecuteBatch([]abi.Call{
		{To: receiver, Value: *uint256.NewInt(1)},
		{To: receiver, Data: contracts.Transfer(receiver, *uint256.NewInt(2))},
	})
	calls, err := contracts.DecodeExecute(callData)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, call := range calls {
		fmt.Println(call.To, call.Value.Dec(), len(call.Data))
	}
	// Output:
	// 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed 1 0
	// 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed 0 68
}

func ExampleDecodeRevert() {
	data, err := abi.Pack("FailedOp(uint256,string)", 0, "AA24 signature error")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(contracts.DecodeRevert(data))

	data, err = abi.Pack("WrongValidationModule(address)", receiver)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(contracts.DecodeRevert(data))
	// Output:
	// FailedOp 0: AA24 signature error
	// WrongValidationModule(0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed)
}
