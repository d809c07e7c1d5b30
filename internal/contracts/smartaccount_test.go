package contracts

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

func TestDecodeExecute(t *testing.T) {
	calls := []abi.Call{
		{To: alice, Value: *uint256.NewInt(5), Data: []byte{1, 2, 3}},
		{To: common.Address{1}, Value: *new(uint256.Int).SetAllOne(), Data: []byte{}},
	}
	for _, test := range []struct {
		data  []byte
		calls []abi.Call
		batch bool
	}{
		{Execute(alice, *uint256.NewInt(5), []byte{1, 2, 3}), calls[:1], false},
		{withSelector(selectorExecuteLong, Execute(alice, *uint256.NewInt(5), []byte{1, 2, 3})), calls[:1], false},
		{ExecuteBatch(calls), calls, true},
		{withSelector(selectorExecuteBatchLong, ExecuteBatch(calls)), calls, true},
		{ExecuteBatch(calls[:1]), calls[:1], true},
	} {
		got, err := DecodeExecute(test.data)
		require.NoError(t, err)
		require.Equal(t, test.calls, got)
		require.Equal(t, test.batch, IsBatch(test.data))
	}
}

func withSelector(selector [abi.SelectorSize]byte, call []byte) []byte {
	copy(call, selector[:])
	return call
}

func TestDecodeExecuteRefuses(t *testing.T) {
	unequal, err := abi.Pack("executeBatch_y6U(address[],uint256[],bytes[])", []any{alice, alice}, []int{1}, []string{"0x"})
	require.NoError(t, err)
	good := Execute(alice, uint256.Int{}, []byte{1})
	overlap := ExecuteBatch([]abi.Call{{To: alice}, {To: alice}})
	copy(overlap[len(overlap)-3*abiword.Size:], overlap[len(overlap)-4*abiword.Size:len(overlap)-3*abiword.Size])
	for _, test := range []struct {
		data    []byte
		problem string
	}{
		{nil, "empty data: not a call of execute or executeBatch"},
		{good[:3], "data 0x000018… of 3 bytes: not a call of execute or executeBatch"},
		{EnableModule(alice), "data 0x610b5925… of 36 bytes: not a call of execute or executeBatch"},
		{ExecuteBatch(nil), "executeBatch of no calls: the account refuses it"},
		{unequal, "executeBatch of 2 addresses, 1 values and 1 data: the account refuses it"},
		{good[:len(good)-1], "unpack execute_ncC(address,uint256,bytes): argument 3 (func): padding is not zero"},
		{append(good, 0), "unpack execute_ncC(address,uint256,bytes): 1 byte left over after the arguments"},
		{good[:abi.SelectorSize], "unpack execute_ncC(address,uint256,bytes): data ends too early: 0 bytes where 96 are needed"},
		{overlap, "unpack executeBatch_y6U(address[],uint256[],bytes[]): argument 3 (func[1]): offset 64 where the standard encoder puts 96"},
	} {
		_, err := DecodeExecute(test.data)
		require.EqualError(t, err, test.problem)
	}
	_, err = DecodeExecute(nil)
	require.ErrorIs(t, err, ErrNotExecute)
	require.False(t, IsBatch(nil))
}

// What DecodeExecute takes is exactly what the builders make.
func FuzzDecodeExecute(f *testing.F) {
	f.Add(Execute(alice, *uint256.NewInt(1), []byte{1}))
	f.Add(ExecuteBatch([]abi.Call{{To: alice, Data: []byte{1}}, {To: alice}}))
	f.Add(withSelector(selectorExecuteBatchLong, ExecuteBatch(nil)))
	f.Fuzz(func(t *testing.T, data []byte) {
		calls, err := DecodeExecute(data)
		if err != nil {
			require.Nil(t, calls)
			return
		}
		again := ExecuteBatch(calls)
		if !IsBatch(data) {
			again = Execute(calls[0].To, calls[0].Value, calls[0].Data)
		}
		require.Equal(t, hexutil.Encode(data[abi.SelectorSize:]), hexutil.Encode(again[abi.SelectorSize:]))
	})
}

func TestCallsPrintInWords(t *testing.T) {
	to := common.HexToAddress("0x2222222222222222222222222222222222222222")
	for _, tt := range []struct {
		call abi.Call
		want string
	}{
		{abi.Call{To: to, Value: *uint256.NewInt(5)}, "5 wei and 0x to 0x2222222222222222222222222222222222222222"},
		{abi.Call{To: to, Data: []byte{1, 2}}, "0 wei and 0x0102 to 0x2222222222222222222222222222222222222222"},
		{abi.Call{To: to, Data: []byte{1, 2, 3, 4, 5}}, "0 wei and 0x01020304 with 1 bytes to 0x2222222222222222222222222222222222222222"},
	} {
		require.Equal(t, tt.want, tt.call.String())
	}
}

func TestDecodeModules(t *testing.T) {
	modules, next, err := DecodeModules(words("40", "1", "1", aliceHex))
	require.NoError(t, err)
	require.Equal(t, []common.Address{alice}, modules)
	require.Equal(t, SentinelModule, next)

	modules, _, err = DecodeModules(words("40", "1", "0"))
	require.NoError(t, err)
	require.Empty(t, modules)
	_, _, err = DecodeModules(words("40", "1", "1"))
	require.EqualError(t, err, "unpack result of getModulesPaginated(address,uint256): result 1 (array): length 0x1 goes beyond the data")
}
