package abi

import (
	"encoding/json"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const aliceHex = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

var alice = common.HexToAddress(aliceHex)

// The encoder agrees with go-ethereum's on every type, and the decoder reads back what went in.
func TestPackAgreesWithGoEthereum(t *testing.T) {
	r := newRand()
	for range 1000 {
		f := MustParseFunction(randomSignature(r))
		values := randomValues(r, f.inputs)
		packed, err := f.Pack(values...)
		require.NoError(t, err, f)
		require.Equal(t, f.selector[:], packed[:SelectorSize])
		require.Equal(t, hexutil.Encode(gethPack(t, f, values)), hexutil.Encode(packed[SelectorSize:]), f)

		decoded, err := f.Unpack(packed)
		require.NoError(t, err, f)
		require.Equal(t, values, decoded, f)
	}
}

type order struct {
	To        common.Address
	MaxAmount uint64
	Ignored   string
	hidden    int
}

type tagged struct {
	Receiver any `abi:"_to"`
	Limit    any `abi:"max_amount"`
}

func TestPackTakesGoTypes(t *testing.T) {
	type (
		name  string
		flag  bool
		blob  []byte
		small uint8
		hash4 [4]byte
	)
	text, number := "x", big.NewInt(5)
	pointer := &text
	for signature, groups := range map[string][][]any{
		"f(address)": {{alice, &alice, [20]byte(alice), aliceHex, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", name(aliceHex)}},
		"f(uint256)": {
			{5, uint(5), int8(5), uint64(5), small(5), number, *number, uint256.NewInt(5), *uint256.NewInt(5), "5", "0x5", "0x05", "005", json.Number("5"), time.Duration(5), (*hexutil.Big)(number), hexutil.Uint64(5), (*hexutil.U256)(uint256.NewInt(5)), new(any)},
			{"115792089237316195423570985008687907853269984665640564039457584007913129639935", new(uint256.Int).SetAllOne(), "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
		},
		"f(int8)":            {{-1, int64(-1), big.NewInt(-1), "-1", "-0x1"}, {-128, "-128", "-0x80"}, {127, uint8(127)}},
		"f(bool)":            {{true, flag(true), "true"}, {false, flag(false), "false"}},
		"f(bytes)":           {{[]byte{1, 2}, blob{1, 2}, [2]byte{1, 2}, hexutil.Bytes{1, 2}, "0x0102"}, {[]byte{}, []byte(nil), "0x"}},
		"f(bytes4)":          {{[]byte{1, 2, 3, 4}, [4]byte{1, 2, 3, 4}, hash4{1, 2, 3, 4}, "0x01020304"}},
		"f(bytes32)":         {{common.Hash{1}, [32]byte{1}, common.Hash{1}.Hex(), common.Hash{1}.Bytes()}},
		"f(string)":          {{"x", name("x"), &text, &pointer}},
		"f(uint8[])":         {{[]uint8{1, 2}, []int{1, 2}, [2]any{1, "2"}, []string{"1", "0x2"}, []*big.Int{big.NewInt(1), big.NewInt(2)}}, {[]int(nil), []any{}}},
		"f(address[2])":      {{[]common.Address{alice, {}}, [2]common.Address{alice}, []any{aliceHex, common.Address{}}}},
		"f((address,uint8))": {{[]any{alice, 1}, Tuple{{Value: alice}, {Value: 1}}}},
		"f((address _to, uint256 max_amount) o)": {{
			order{To: alice, MaxAmount: 7, hidden: 1}, &order{To: alice, MaxAmount: 7}, tagged{alice, 7}, []any{alice, 7}, [2]any{alice, 7},
			map[string]any{"_to": alice, "max_amount": 7}, map[name]any{"to": aliceHex, "maxAmount": "7"},
		}},
	} {
		for _, equivalent := range groups {
			want, err := Pack(signature, equivalent[0])
			require.NoError(t, err, "%s of %T", signature, equivalent[0])
			for _, arg := range equivalent {
				if p, ok := arg.(*any); ok {
					*p = 5
				}
				got, err := Pack(signature, arg)
				require.NoError(t, err, "%s of %T", signature, arg)
				require.Equal(t, hexutil.Encode(want), hexutil.Encode(got), "%s of %T", signature, arg)
			}
		}
	}
}

type ring *ring

func TestPackRefuses(t *testing.T) {
	var loop ring
	loop = &loop
	for _, test := range []struct {
		signature string
		args      []any
		problem   string
	}{
		{"f(address to, uint8 amount)", []any{alice}, "it takes 2 arguments, 1 given"},
		{"f()", []any{1}, "it takes 0 arguments, 1 given"},
		{"f(address to, uint8 amount)", []any{alice, 300}, "argument 2 (amount): 300 does not fit uint8"},
		{"f(address, uint8)", []any{alice, -1}, "argument 2 (arg1): -1 does not fit uint8"},
		{"f(int8 x)", []any{128}, "argument 1 (x): 128 does not fit int8"},
		{"f(int8 x)", []any{-129}, "argument 1 (x): -129 does not fit int8"},
		{"f(uint256 x)", []any{"115792089237316195423570985008687907853269984665640564039457584007913129639936"}, "argument 1 (x): 115792089237316195423570985008687907853269984665640564039457584007913129639936 does not fit uint256"},
		{"f(uint256 x)", []any{1.5}, "argument 1 (x): cannot use float64 as uint256: a float is not exact, give a *big.Int or a decimal string"},
		{"f(uint256 x)", []any{"1.5"}, `argument 1 (x): "1.5" is not an integer: write decimals or 0x-hex`},
		{"f(uint256 x)", []any{"1e18"}, `argument 1 (x): "1e18" is not an integer: write decimals or 0x-hex`},
		{"f(uint256 x)", []any{""}, `argument 1 (x): "" is not an integer: write decimals or 0x-hex`},
		{"f(uint256 x)", []any{"0x"}, `argument 1 (x): "0x" is not an integer: write decimals or 0x-hex`},
		{"f(uint256 x)", []any{"0x-1"}, `argument 1 (x): "0x-1" is not an integer: write decimals or 0x-hex`},
		{"f(uint256 x)", []any{"1_0"}, `argument 1 (x): "1_0" is not an integer: write decimals or 0x-hex`},
		{"f(uint256 x)", []any{" 1"}, `argument 1 (x): " 1" is not an integer: write decimals or 0x-hex`},
		{"f(uint256 x)", []any{"ff"}, `argument 1 (x): "ff" is not an integer: write decimals or 0x-hex`},
		{"f(uint256 x)", []any{true}, "argument 1 (x): cannot use bool as uint256"},
		{"f(uint256 x)", []any{alice}, "argument 1 (x): cannot use common.Address as uint256"},
		{"f(uint256 x)", []any{nil}, "argument 1 (x): is nil"},
		{"f(uint256 x)", []any{(*big.Int)(nil)}, "argument 1 (x): is nil"},
		{"f(uint256 x)", []any{loop}, "argument 1 (x): cannot use a abi.ring: too many pointers"},
		{"f(address x)", []any{(*common.Address)(nil)}, "argument 1 (x): is nil"},
		{"f(address x)", []any{common.Hash{}}, "argument 1 (x): cannot use common.Hash as address"},
		{"f(address x)", []any{5}, "argument 1 (x): cannot use int as address"},
		{"f(address x)", []any{"0x12"}, `argument 1 (x): "0x12" is not an address: write 0x and 40 hex digits`},
		{"f(address x)", []any{aliceHex[2:]}, `argument 1 (x): "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed" is not an address: write 0x and 40 hex digits`},
		{"f(address x)", []any{"0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}, "argument 1 (x): address 0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed has a wrong checksum: a character is mistyped, or its letter case (EIP-55)"},
		{"f(bool x)", []any{1}, "argument 1 (x): cannot use int as bool"},
		{"f(bool x)", []any{"yes"}, `argument 1 (x): cannot use "yes" as bool`},
		{"f(bytes x)", []any{"hello"}, `argument 1 (x): "hello" is not 0x-hex: write 0x and two hex digits a byte`},
		{"f(bytes x)", []any{"0x123"}, `argument 1 (x): "0x123" is not 0x-hex: write 0x and two hex digits a byte`},
		{"f(bytes x)", []any{[]int{1}}, "argument 1 (x): cannot use []int as bytes"},
		{"f(bytes4 x)", []any{[]byte{1, 2, 3}}, "argument 1 (x): bytes4 has 4 bytes, 3 given"},
		{"f(bytes4 x)", []any{common.Hash{}}, "argument 1 (x): bytes4 has 4 bytes, 32 given"},
		{"f(bytes1 x)", []any{"0x"}, "argument 1 (x): bytes1 has 1 byte, 0 given"},
		{"f(string x)", []any{[]byte("x")}, "argument 1 (x): cannot use []uint8 as string"},
		{"f(uint8[] x)", []any{5}, "argument 1 (x): cannot use int as uint8[]"},
		{"f(uint8[] x)", []any{[]int{1, 300}}, "argument 1 (x[1]): 300 does not fit uint8"},
		{"f(uint8[2] x)", []any{[]int{1}}, "argument 1 (x): uint8[2] has 2 elements, 1 given"},
		{"f((address to, uint8 amount)[] legs)", []any{[]any{[]any{alice, 1}, []any{alice, 300}}}, "argument 1 (legs[1].amount): 300 does not fit uint8"},
		{"f((address to, uint8 amount) leg)", []any{[]any{alice}}, "argument 1 (leg): (address,uint8) has 2 components, 1 given"},
		{"f((address to, uint8 amount) leg)", []any{map[string]any{"to": alice}}, `argument 1 (leg): no value for component "amount" of (address,uint8)`},
		{"f((address to, uint8 amount) leg)", []any{map[string]any{"to": alice, "amout": 1}}, `argument 1 (leg): no value for component "amount" of (address,uint8)`},
		{"f((address to, uint8 amount) leg)", []any{map[string]any{"to": alice, "amount": 1, "x": 2}}, "argument 1 (leg): (address,uint8) has 2 components, the map has 3"},
		{"f((address to, uint8 amount) leg)", []any{map[string]any{"to": alice, "amount": nil}}, "argument 1 (leg.amount): is nil"},
		{"f((address to, uint8 amount) leg)", []any{map[int]any{0: alice, 1: 1}}, "argument 1 (leg): cannot use map[int]interface {} as (address,uint8)"},
		{"f((uint8 amount) leg)", []any{struct{ Amount, AMOUNT int }{}}, `argument 1 (leg): which value is for component "amount" of (uint8) is not clear: give the components in order, as []any`},
		{"f((uint8 a, uint8 A) leg)", []any{struct{ A int }{1}}, `argument 1 (leg): which value is for component "A" of (uint8,uint8) is not clear: give the components in order, as []any`},
		{"f((uint8 amount) leg)", []any{struct{ amount int }{1}}, `argument 1 (leg): no value for component "amount" of (uint8)`},
		{"f((address, uint8) leg)", []any{order{}}, "argument 1 (leg): component 1 of (address,uint8) has no name: give the components in order, as []any"},
		{"f((address, uint8) leg)", []any{"x"}, `argument 1 (leg): cannot use "x" as (address,uint8)`},
	} {
		f := MustParseFunction(test.signature)
		_, err := f.Pack(test.args...)
		require.EqualError(t, err, "pack "+f.Signature()+": "+test.problem)
	}
}

func TestPackShorthands(t *testing.T) {
	data, err := Pack("function safeMint(address to)", alice)
	require.NoError(t, err)
	require.Equal(t, "0x40d097c30000000000000000000000005aaeb6053f3e94c9b9a09f33669435e7ef1beaed", hexutil.Encode(data))

	values, err := Unpack("safeMint(address)", data)
	require.NoError(t, err)
	require.Equal(t, []any{alice}, values)

	values, err = UnpackResult("ownerOf(uint256) returns (address)", data[SelectorSize:])
	require.NoError(t, err)
	require.Equal(t, []any{alice}, values)

	_, err = Pack("safeMint(adress)", alice)
	require.EqualError(t, err, `parse "safeMint(adress)": column 10: unknown type "adress"`)
	_, err = Unpack("safeMint", nil)
	require.EqualError(t, err, `parse "safeMint": column 9: expected "(", found the end`)
	_, err = UnpackResult("safeMint(", nil)
	require.EqualError(t, err, `parse "safeMint(": column 10: expected a type, found the end`)
}

// A function is shared by all that call it.
func TestFunctionIsSafeForConcurrentUse(t *testing.T) {
	f := MustParseFunction(swap)
	r := newRand()
	values := randomValues(r, f.inputs)
	want, err := f.Pack(values...)
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			packed, err := f.Pack(values...)
			assert.NoError(t, err)
			assert.Equal(t, want, packed)
			decoded, err := f.Unpack(packed)
			assert.NoError(t, err)
			assert.Equal(t, values, decoded)
			w, err := f.Word("order.amount")
			assert.NoError(t, err)
			assert.Equal(t, uint64(64), w.Offset)
			assert.Equal(t, f.String(), MustParseFunction(f.String()).String())
			assert.Len(t, f.Inputs(), 6)
		})
	}
	group.Wait()
}
