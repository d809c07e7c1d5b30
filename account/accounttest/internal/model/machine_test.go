package model

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// newMachine is a machine with one account.
func newMachine(t testing.TB) (m *Machine, account common.Address) {
	t.Helper()
	m = New(Config{Addresses: Addresses{Deployment: contracts.Deployed(), NFT: common.Address{1, 1}, Token: common.Address{1, 2},
		Token6: common.Address{1, 3}, ResetToken: common.Address{1, 4}, Target: common.Address{1, 5},
		Oracle: common.Address{1, 6}, FactoryV1: common.Address{1, 7}}, ChainID: 1, BaseFee: 1})
	owner := common.Address{7}
	deploy := contracts.DeployCounterFactualAccount(m.Addresses.ECDSA, contracts.InitForSmartAccount(owner), uint256.Int{})
	result, err := m.Call(owner, m.Addresses.Factory, new(uint256.Int), deploy)
	require.NoError(t, err)
	account, err = contracts.DecodeAddress(result)
	require.NoError(t, err)
	m.Settle()
	return m, account
}

// What a read does is seen by those after it, if it may do anything, and gone afterwards.
func TestReads(t *testing.T) {
	m, account := newMachine(t)
	mint := pack("mint(address,uint256)", word(account), uintWord(5))
	balance := contracts.Read{To: m.Addresses.Token, Data: contracts.BalanceOf(account)}
	change := contracts.Read{To: m.Addresses.Token, Data: mint}
	mutating := change
	mutating.Mutates = true
	results, err := m.Read([]contracts.Read{{To: account}, change, balance, mutating, balance, {To: common.Address{9}, Data: mint}})
	require.NoError(t, err)
	require.True(t, results[0].HasCode)
	require.False(t, results[1].OK, "a static call changes nothing")
	require.True(t, results[3].OK)
	for i, want := range map[int]uint64{2: 0, 4: 5} {
		n, err := contracts.DecodeUint256(results[i].Data)
		require.NoError(t, err)
		require.Equal(t, want, n.Uint64())
	}
	require.True(t, results[5].OK, "nobody is there")
	require.False(t, results[5].HasCode)
	results, err = m.Read([]contracts.Read{balance})
	require.NoError(t, err)
	require.Equal(t, make([]byte, 32), results[0].Data)

	_, err = m.Read([]contracts.Read{{To: m.Addresses.NFT, Data: []byte{1, 2, 3, 4}}})
	require.ErrorContains(t, err, "the model does not know function 0x01020304 of the demo NFT")
}

// A call that fails takes back what it did, in all that it called.
func TestAllOrNothing(t *testing.T) {
	m, account := newMachine(t)
	batch := contracts.ExecuteBatch([]abi.Call{
		{To: m.Addresses.Token, Data: pack("mint(address,uint256)", word(account), uintWord(5))},
		{To: account, Data: contracts.EnableModule(m.Addresses.SessionKeyManager)},
		{To: m.Addresses.Target, Data: pack("failSilently()")},
	})
	before := m.mark()
	_, err := m.Call(m.Addresses.EntryPoint, account, new(uint256.Int), batch)
	reverted, ok := err.(*Reverted)
	require.True(t, ok)
	require.Empty(t, reverted.Data)
	require.Equal(t, before, m.mark())
	result, err := m.Call(account, account, new(uint256.Int), contracts.IsModuleEnabled(m.Addresses.SessionKeyManager))
	require.NoError(t, err)
	enabled, err := contracts.DecodeBool(result)
	require.NoError(t, err)
	require.False(t, enabled)
}

// A contract that calls itself for ever ends.
func TestDepthIsBounded(t *testing.T) {
	m, account := newMachine(t)
	withdraw := pack("withdrawDepositTo(address,uint256)", word(account), uintWord(0))
	_, err := m.Call(account, account, new(uint256.Int), withdraw)
	require.NoError(t, err)
	m.depth = maxDepth
	_, err = m.Call(account, account, new(uint256.Int), withdraw)
	require.Error(t, err)
}

// FuzzCall makes any call of any contract, and any operation: whatever comes, it ends with an answer, and a
// failure changes nothing.
func FuzzCall(f *testing.F) {
	names := []string{"getModulesPaginated(address,uint256)", "executeBatch(address[],uint256[],bytes[])", validateSignature, "mint(address,uint256)"}
	for i, name := range names {
		selector := selectorOf(name)
		f.Add(uint8(i), append(selector[:], make([]byte, 320)...), uint64(i))
	}
	f.Add(uint8(0), contracts.ExecuteBatch([]abi.Call{{To: common.Address{1}}}), uint64(0))
	f.Add(uint8(3), contracts.WrapSignature(make([]byte, 320), contracts.Deployed().SessionKeyManager), uint64(9))
	f.Add(uint8(4), contracts.WrapSignature(contracts.BatchSignature(common.Address{1}, make([]contracts.CallAuthorization, 2), nil), contracts.Deployed().BatchedSessionRouter), uint64(1))
	f.Fuzz(func(t *testing.T, which uint8, data []byte, value uint64) {
		m, account := newMachine(t)
		to := account
		if all := m.Addresses; which%4 != 0 {
			list := []common.Address{all.EntryPoint, all.Factory, all.ECDSA, all.SessionKeyManager, all.NFT, all.Token, all.Target,
				all.VerifyingPaymaster, all.TokenPaymaster, all.BatchedSessionRouter, all.Multichain, all.Resolver, all.Oracle, all.FactoryV1}
			to = list[int(which)%len(list)]
		}
		m.Issue(m.Addresses.EntryPoint, uint256.NewInt(1000))
		before := m.mark()
		if _, err := m.Call(m.Addresses.EntryPoint, to, uint256.NewInt(value), data); err != nil {
			require.Equal(t, before, m.mark())
		}
		for _, module := range []common.Address{m.Addresses.SessionKeyManager, m.Addresses.BatchedSessionRouter, m.Addresses.Multichain} {
			_, _ = m.Call(m.Addresses.EntryPoint, account, new(uint256.Int), contracts.EnableModule(module))
			for _, signature := range [][]byte{data, contracts.WrapSignature(data, module)} {
				op := &userop.Operation{Sender: account, CallData: data, Signature: signature, PaymasterAndData: data}
				_ = m.Validate(op)
				op.PaymasterAndData = append(m.Addresses.TokenPaymaster.Bytes(), data...)
				_ = m.Validate(op)
				op.CallData, op.PaymasterAndData = contracts.ExecuteBatch([]abi.Call{{To: to, Data: data}}), nil
				_, _ = m.Bundle([]*userop.Operation{op}, common.Address{5})
			}
		}
	})
}

// A deployment is at the address that CREATE2 gives it.
func TestDeployment(t *testing.T) {
	m, account := newMachine(t)
	initializer := crypto.Keccak256(contracts.Init(m.Addresses.Handler, m.Addresses.ECDSA, contracts.InitForSmartAccount(common.Address{7})))
	salt := crypto.Keccak256Hash(initializer, make([]byte, 32))
	require.Equal(t, crypto.CreateAddress2(m.Addresses.Factory, salt, m.Addresses.ProxyInitCodeHash[:]), account)
}
