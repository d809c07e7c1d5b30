package abi_test

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/abi"
)

var receiver = common.HexToAddress("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")

func ExamplePack() {
	data, err := abi.Pack("function safeMint(address to)", receiver)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("0x%x\n", data)

	_, err = abi.Pack("function setFee(uint8 percent)", 300)
	fmt.Println(err)
	// Output:
	// 0x40d097c30000000000000000000000005aaeb6053f3e94c9b9a09f33669435e7ef1beaed
	// pack setFee(uint8): argument 1 (percent): 300 does not fit uint8
}

func ExampleUnpackResult() {
	result := common.LeftPadBytes(receiver[:], 32)
	values, err := abi.UnpackResult("function ownerOf(uint256 id) view returns (address)", result)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(values[0].(common.Address))
	// Output: 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed
}

func ExampleParseFunction() {
	swap, err := abi.ParseFunction("function swap(bytes32 id, (address to, uint128 amount)[] legs) external payable returns (uint256 out)")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(swap.Signature())
	fmt.Printf("0x%x\n", swap.Selector())

	type leg struct {
		To     common.Address
		Amount *big.Int
	}
	data, err := swap.Pack(common.Hash{1}, []leg{{receiver, big.NewInt(5)}})
	fmt.Println(len(data), err)

	_, err = abi.ParseFunction("function swap(bytes32 id, uint257 amount)")
	fmt.Println(err)
	// Output:
	// swap(bytes32,(address,uint128)[])
	// 0xe5eb88c7
	// 164 <nil>
	// parse "function swap(bytes32 id, uint257 amount)": column 27: unknown type "uint257"
}

func ExampleFunction_PackText() {
	pay := abi.MustParseFunction("function pay((address to, uint256 amount)[] legs, string note)")
	args, err := pay.SplitArgs(`[(0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed, 5)], "thanks, friend"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := pay.PackText(args...)
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := pay.Unpack(data)
	fmt.Println(values[1], err)
	// Output: thanks, friend <nil>
}

func ExampleFunction_Word() {
	f := abi.MustParseFunction("function fill((address maker, uint128 amount) order, bytes data, bytes proof)")
	w, err := f.Word("order.amount")
	if err != nil {
		fmt.Println(err)
		return
	}
	limit, err := w.Encode(1000)
	fmt.Println(w.Offset, w.Canonical, w.Format(limit), err)

	w, _ = f.Word("data.length")
	fmt.Println(w.Offset, w.Canonical)

	_, err = f.Word("proof.length")
	fmt.Println(err)
	// Output:
	// 32 false 1000 <nil>
	// 128 true
	// word "proof.length" of fill((address,uint128),bytes,bytes): it has no fixed place in the calldata: the content of proof moves with the length of data before it; where all calls have one layout, give the offset in bytes
}

func ExampleDecodeRevert() {
	data, err := abi.Pack("Error(string)", "ERC721: invalid token ID")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(abi.DecodeRevert(data))

	data, err = abi.Pack("NotTheMinter(address)", receiver)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(abi.DecodeRevert(data))
	fmt.Println(abi.DecodeRevert(data, abi.MustParseErrorDef("error NotTheMinter(address account)")))
	// Output:
	// ERC721: invalid token ID
	// 0x14a3ef9e (unknown error, 36 bytes)
	// NotTheMinter(0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed)
}

func ExampleParseContract() {
	nft := abi.MustParseContract(`
		function safeMint(address to) payable
		error SoldOut(uint256 left)
	`)
	mint, err := nft.Function("safeMint")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mint)

	soldOut, err := abi.Pack("SoldOut(uint256)", 0)
	fmt.Println(abi.DecodeRevert(soldOut, nft.Errors()...), err)
	// Output:
	// function safeMint(address to) payable
	// SoldOut(0) <nil>
}

// A log is read by the declaration of its event. Whose event it is, the log's address tells.
func ExampleEvent_Decode() {
	transfer, err := abi.ParseEvent("event Transfer(address indexed from, address indexed to, uint256 amount)")
	if err != nil {
		fmt.Println(err)
		return
	}
	log := &types.Log{
		Topics: []common.Hash{transfer.Topic(), {}, common.BytesToHash(receiver[:])},
		Data:   common.LeftPadBytes([]byte{100}, 32),
	}
	values, err := transfer.Decode(log)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(values[2], "to", values[1])

	_, err = transfer.Decode(&types.Log{Topics: []common.Hash{{1}}})
	fmt.Println(errors.Is(err, abi.ErrOtherEvent))
	// Output:
	// 100 to 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed
	// true
}
