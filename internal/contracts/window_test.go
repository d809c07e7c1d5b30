package contracts_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
)

func TestOperationEnd(t *testing.T) {
	d := contracts.Deployed()
	plain := make([]byte, 65)
	multichain := func(until uint64) []byte {
		return contracts.MultichainSignature(until, 1, common.Hash{1}, []common.Hash{{2}}, plain)
	}
	session := func(until uint64) contracts.Authorization {
		return contracts.Authorization{ValidUntil: until, ValidAfter: 1, Module: common.Address{3}, Data: []byte{4}, Proof: []common.Hash{{5}}}
	}
	single, first, second := session(900), session(0), session(901)
	batch := contracts.BatchSignature(d.SessionKeyManager, []contracts.CallAuthorization{{Authorization: first}, {Authorization: second, CallData: []byte{6}}}, plain)
	sponsored := func(paymaster common.Address, until uint64) []byte {
		data := contracts.VerifyingPaymasterData{Paymaster: paymaster, ValidUntil: until, ValidAfter: 1, Signature: plain}
		return data.Pack()
	}
	paid := contracts.TokenPaymasterData{Paymaster: d.TokenPaymaster, Source: 1, ValidUntil: 800, ValidAfter: 1, Signature: plain}
	tooLarge := multichain(7)
	tooLarge[0] = 1
	for name, test := range map[string]struct {
		signature, paymaster []byte
		want                 uint64
	}{
		"nothing":                          {},
		"owner":                            {signature: contracts.WrapSignature(plain, d.ECDSA)},
		"owner at the multichain module":   {signature: contracts.WrapSignature(plain, d.Multichain)},
		"several operations":               {signature: contracts.WrapSignature(multichain(700), d.Multichain), want: 700},
		"several operations, for ever":     {signature: contracts.WrapSignature(multichain(0), d.Multichain)},
		"several, an end that is no time":  {signature: contracts.WrapSignature(tooLarge, d.Multichain)},
		"several at another module":        {signature: contracts.WrapSignature(multichain(700), common.Address{9})},
		"session":                          {signature: contracts.WrapSignature(contracts.SessionSignature(&single, plain), d.SessionKeyManager), want: 900},
		"batch":                            {signature: contracts.WrapSignature(batch, d.BatchedSessionRouter), want: 901},
		"cut short":                        {signature: contracts.WrapSignature(multichain(700), d.Multichain)[:100]},
		"sponsored":                        {paymaster: sponsored(d.VerifyingPaymaster, 600), want: 600},
		"sponsored for ever":               {paymaster: sponsored(d.VerifyingPaymaster, 0)},
		"sponsored by somebody":            {paymaster: sponsored(common.Address{9}, 600)},
		"sponsorship cut short":            {paymaster: sponsored(d.VerifyingPaymaster, 600)[:60]},
		"paid in a token":                  {paymaster: paid.Pack(), want: 800},
		"the earlier of both, signature":   {signature: contracts.WrapSignature(multichain(500), d.Multichain), paymaster: sponsored(d.VerifyingPaymaster, 600), want: 500},
		"the earlier of both, sponsorship": {signature: contracts.WrapSignature(multichain(700), d.Multichain), paymaster: sponsored(d.VerifyingPaymaster, 600), want: 600},
	} {
		t.Run(name, func(t *testing.T) {
			op := contracts.UserOperation{Signature: test.signature, PaymasterAndData: test.paymaster}
			require.Equal(t, test.want, contracts.OperationEnd(&op, &d))
		})
	}
}

func TestOwnerSigned(t *testing.T) {
	d, hash, root := contracts.Deployed(), common.Hash{7}, common.Hash{1}
	plain := make([]byte, 65)
	joint := contracts.MultichainSignature(9, 1, root, []common.Hash{{2}}, plain)
	short := contracts.MultichainSignature(9, 1, root, nil, plain[1:])
	for name, test := range map[string]struct {
		signature []byte
		message   common.Hash
		ok        bool
	}{
		"nothing":                        {},
		"owner":                          {contracts.WrapSignature(plain, d.ECDSA), hash, true},
		"owner at the multichain module": {contracts.WrapSignature(plain, d.Multichain), hash, true},
		"several operations":             {contracts.WrapSignature(joint, d.Multichain), root, true},
		"several at the other module":    {signature: contracts.WrapSignature(joint, d.ECDSA)},
		"another module":                 {signature: contracts.WrapSignature(plain, common.Address{9})},
		"too short":                      {signature: contracts.WrapSignature(plain[1:], d.ECDSA)},
		"several, too short":             {signature: contracts.WrapSignature(short, d.Multichain)},
		"cut short":                      {signature: contracts.WrapSignature(joint, d.Multichain)[:200]},
		"several, cut short":             {signature: contracts.WrapSignature(joint[:100], d.Multichain)},
	} {
		t.Run(name, func(t *testing.T) {
			message, sig, ok := contracts.OwnerSigned(test.signature, hash, d.ECDSA, d.Multichain)
			require.Equal(t, test.ok, ok)
			if ok {
				require.Equal(t, test.message, message)
				require.Equal(t, plain, sig)
			}
		})
	}
}

func TestDecodeSetMerkleRoot(t *testing.T) {
	root, ok := contracts.DecodeSetMerkleRoot(contracts.SetMerkleRoot(common.Hash{1, 2}))
	require.True(t, ok)
	require.Equal(t, common.Hash{1, 2}, root)
	for _, data := range [][]byte{
		nil,
		contracts.SetMerkleRoot(common.Hash{1})[:abi.SelectorSize+31],
		append(contracts.SetMerkleRoot(common.Hash{1}), 0),
		contracts.GetSessionKeys(common.Address{1}),
	} {
		_, ok := contracts.DecodeSetMerkleRoot(data)
		require.False(t, ok)
	}
}
