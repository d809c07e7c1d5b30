package contracts

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
)

func TestDecodeWords(t *testing.T) {
	max := new(uint256.Int).SetAllOne().Bytes32()

	hash, err := DecodeHash(max[:])
	require.NoError(t, err)
	require.Equal(t, common.Hash(max), hash)
	number, err := DecodeUint256(max[:])
	require.NoError(t, err)
	require.Equal(t, *new(uint256.Int).SetAllOne(), number)
	small, err := DecodeUint8(words("12"))
	require.NoError(t, err)
	require.Equal(t, uint8(18), small)
	address, err := DecodeAddress(words(aliceHex))
	require.NoError(t, err)
	require.Equal(t, alice, address)
	yes, err := DecodeBool(words("1"))
	require.NoError(t, err)
	require.True(t, yes)
	valid, err := DecodeIsValidSignature(words("0x1626ba7e00000000000000000000000000000000000000000000000000000000"))
	require.NoError(t, err)
	require.True(t, valid)
	valid, err = DecodeIsValidSignature(words("0xffffffff00000000000000000000000000000000000000000000000000000000"))
	require.NoError(t, err)
	require.False(t, valid)

	const ones = "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	_, err = DecodeUint8(max[:])
	require.EqualError(t, err, "word "+ones+" does not fit uint8")
	_, err = DecodeAddress(max[:])
	require.EqualError(t, err, "word "+ones+" is not an address")
	_, err = DecodeBool(max[:])
	require.EqualError(t, err, "word "+ones+" is not a bool")
	_, err = DecodeIsValidSignature(max[:])
	require.EqualError(t, err, "result "+ones+" is not a bytes4")
}

func TestDecodeWordsAreStrict(t *testing.T) {
	for name, decode := range map[string]func([]byte) error{
		"hash":      func(b []byte) error { _, err := DecodeHash(b); return err },
		"uint256":   func(b []byte) error { _, err := DecodeUint256(b); return err },
		"uint8":     func(b []byte) error { _, err := DecodeUint8(b); return err },
		"address":   func(b []byte) error { _, err := DecodeAddress(b); return err },
		"bool":      func(b []byte) error { _, err := DecodeBool(b); return err },
		"signature": func(b []byte) error { _, err := DecodeIsValidSignature(b); return err },
	} {
		require.ErrorIs(t, decode(nil), abi.ErrNoData, name)
		require.EqualError(t, decode(make([]byte, 31)), "result of 31 bytes where one word of 32 is expected", name)
		require.EqualError(t, decode(make([]byte, 64)), "result of 64 bytes where one word of 32 is expected", name)
	}
}

func TestDecodeBytesAndString(t *testing.T) {
	b, err := DecodeBytes(words("20", "2", "0xabcd000000000000000000000000000000000000000000000000000000000000"))
	require.NoError(t, err)
	require.Equal(t, []byte{0xab, 0xcd}, b)
	_, err = DecodeString(words("20", "4"))
	require.EqualError(t, err, "result 1 (bytes): length 0x4 goes beyond the data")
	s, err := DecodeString(words("20", "4", "0x5553444300000000000000000000000000000000000000000000000000000000"))
	require.NoError(t, err)
	require.Equal(t, "USDC", s)
	s, err = DecodeString(words("0x4d4b520000000000000000000000000000000000000000000000000000000000"))
	require.NoError(t, err)
	require.Equal(t, "MKR", s)
	_, err = DecodeBytes(nil)
	require.ErrorIs(t, err, abi.ErrNoData)
	_, err = DecodeString(nil)
	require.ErrorIs(t, err, abi.ErrNoData)
}

func TestDecodeResolvedAccounts(t *testing.T) {
	f, err := AccountResolver().Function("resolveAddresses")
	require.NoError(t, err)
	want := []ResolvedAccount{
		{alice, common.Address{2}, common.Address{3}, "2.0.0", "v1", *uint256.NewInt(7)},
		{Account: common.Address{4}},
	}
	var list []any
	for _, a := range want {
		list = append(list, []any{a.Account, a.Factory, a.Implementation, a.CurrentVersion, a.FactoryVersion, a.Index})
	}
	packed, err := abi.Pack("f("+f.Outputs()[0].Type+")", list)
	require.NoError(t, err)
	result := packed[abi.SelectorSize:]
	got, err := DecodeResolvedAccounts(result)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = DecodeResolvedAccounts(nil)
	require.ErrorIs(t, err, abi.ErrNoData)
}
