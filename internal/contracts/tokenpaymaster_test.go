package contracts

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
)

// What a service answered for the token paymaster of Polygon Mumbai.
const deployedTokenData = "0x00000f7365ca6c59a2c93719ad53d567ed49c14c" + "01" +
	"0000000000000000000000000000000000000000000000000000000064c7adcb" +
	"0000000000000000000000000000000000000000000000000000000064c7a6c3" +
	"000000000000000000000000da5289fcaaf71d52a80a254da614a192b693e977" +
	"0000000000000000000000000000065b8abb967271817555f23945eedf08015c" +
	"00000000000000000000000000000000000000000000000000000000000ab5d1" +
	"000000000000000000000000000000000000000000000000000000000010c8e0" +
	"21a75b2144ea22b77bdeea206e69faea1b18c91a08a76de6cd424dc80bea283413fa08519fcee3960203e1d6ebebe7c34ffe27ea47452fd4dca0013e1d36da7f1b"

func TestTokenPaymasterData(t *testing.T) {
	raw := hexutil.MustDecode(deployedTokenData)
	data, err := DecodeTokenPaymasterData(raw)
	require.NoError(t, err)
	require.Equal(t, TokenPaymasterData{
		Paymaster:  common.HexToAddress("0x00000f7365cA6C59A2C93719ad53d567ed49c14C"),
		Source:     1,
		ValidUntil: 0x64c7adcb,
		ValidAfter: 0x64c7a6c3,
		Token:      common.HexToAddress("0xdA5289fCAAF71d52a80A254da614a192b693e977"),
		Oracle:     common.HexToAddress("0x0000065b8abb967271817555f23945eedf08015c"),
		Rate:       *uint256.NewInt(701_905),
		Markup:     1_100_000,
		Signature:  raw[len(raw)-65:],
	}, data)
	require.Equal(t, raw, data.Pack())
	require.Equal(t, raw[21:213], data.PackTerms())

	fee, err := data.Fee(uint256.NewInt(1e18)) // 0.70 of a token with 6 decimals, and a tenth
	require.NoError(t, err)
	require.Equal(t, "772095", fee.Dec())
	_, err = data.Fee(new(uint256.Int).SetAllOne())
	require.NoError(t, err, "a product of more than 256 bits")
	data.Rate.SetAllOne()
	_, err = data.Fee(uint256.NewInt(1e18))
	require.EqualError(t, err, "the price does not fit into 256 bits")
}

func TestTokenPaymasterDataRefuses(t *testing.T) {
	raw := hexutil.MustDecode(deployedTokenData)
	_, err := DecodeTokenPaymasterData(raw[:212])
	require.EqualError(t, err, "paymasterAndData of a token paymaster: 212 bytes where at least 213 are needed")
	raw[21] = 1
	_, err = DecodeTokenPaymasterData(raw)
	require.ErrorContains(t, err, "paymasterAndData of a token paymaster: ")
	require.ErrorContains(t, err, "validUntil")
}

func FuzzDecodeTokenPaymasterData(f *testing.F) {
	f.Add(hexutil.MustDecode(deployedTokenData))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		data, err := DecodeTokenPaymasterData(raw)
		if err == nil {
			require.Equal(t, raw, data.Pack())
		}
	})
}

func TestTokenPaymasterOperation(t *testing.T) {
	sender, token, hash := common.Address{2}, common.Address{3}, common.Hash{4}
	word := func(a common.Address) common.Hash { return common.BytesToHash(a[:]) }
	log := &types.Log{
		Topics: []common.Hash{TokenPaymasterOperationTopic, word(sender), word(token), common.BigToHash(uint256.NewInt(5).ToBig())},
		Data:   words(aliceHex, "6", hash.Hex(), "7", "1"),
	}
	got, err := DecodeTokenPaymasterOperation(log)
	require.NoError(t, err)
	require.Equal(t, TokenPaymasterOperation{Sender: sender, Token: token, Charge: *uint256.NewInt(5), UserOpHash: hash}, got)
	log.Topics[0] = common.Hash{}
	_, err = DecodeTokenPaymasterOperation(log)
	require.ErrorIs(t, err, abi.ErrOtherEvent)
}

func TestTokenPaymentDue(t *testing.T) {
	account, token := common.Address{2}, common.Address{3}
	word := func(a common.Address) common.Hash { return common.BytesToHash(a[:]) }
	log := &types.Log{Topics: []common.Hash{TokenPaymentDueTopic, word(token), word(account), common.BigToHash(uint256.NewInt(5).ToBig())}}
	got, err := DecodeTokenPaymentDue(log)
	require.NoError(t, err)
	require.Equal(t, TokenPaymentDue{Token: token, Account: account, Charge: *uint256.NewInt(5)}, got)
	log.Topics[0] = TokenPaymasterOperationTopic
	_, err = DecodeTokenPaymentDue(log)
	require.ErrorIs(t, err, abi.ErrOtherEvent)
}
