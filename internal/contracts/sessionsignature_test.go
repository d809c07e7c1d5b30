package contracts_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
)

// sessionsOf are authorizations that differ in everything.
func sessionsOf(n int) []contracts.Authorization {
	list := make([]contracts.Authorization, n)
	for i := range list {
		b := byte(i + 1)
		list[i] = contracts.Authorization{
			ValidUntil: uint64(b) * 1000, ValidAfter: uint64(b), Module: common.Address{b}, Data: make([]byte, 40*i+1), Proof: make([]common.Hash, i),
		}
		list[i].Data[0] = b
	}
	return list
}

func batchOf(list []contracts.Authorization) []contracts.CallAuthorization {
	calls := make([]contracts.CallAuthorization, len(list))
	for i := range list {
		calls[i] = contracts.CallAuthorization{Authorization: list[i], CallData: make([]byte, i)}
	}
	return calls
}

func TestSessionSignaturesAreReadBack(t *testing.T) {
	manager, router, key := common.Address{1}, common.Address{2}, make([]byte, 65)
	one := sessionsOf(3)[2]
	read, err := contracts.DecodeSessionSignatures(contracts.WrapSignature(contracts.SessionSignature(&one, key), manager), manager, router)
	require.NoError(t, err)
	require.Equal(t, []contracts.Authorization{one}, read)
	require.Equal(t, contracts.WrapSignature(contracts.SessionSignature(&one, key), manager), contracts.WrappedSessionSignature(manager, &one, key))
	for n := 1; n < 5; n++ {
		list := sessionsOf(n)
		batch := contracts.WrapSignature(contracts.BatchSignature(manager, batchOf(list), key), router)
		read, err := contracts.DecodeSessionSignatures(batch, manager, router)
		require.NoError(t, err)
		require.Equal(t, list, read)
		require.NotEqual(t, list[0].LeafHash(), one.LeafHash())
	}
	for name, signature := range map[string][]byte{
		"nothing":          nil,
		"an owner's":       contracts.WrapSignature(key, common.Address{9}),
		"cut short":        contracts.WrapSignature(contracts.SessionSignature(&one, key)[:150], manager),
		"a batch of none":  contracts.WrapSignature(contracts.BatchSignature(manager, nil, key), router),
		"one for a router": contracts.WrapSignature(contracts.SessionSignature(&one, key), router),
	} {
		_, err := contracts.DecodeSessionSignatures(signature, manager, router)
		require.ErrorIs(t, err, contracts.ErrNoSessionSignature, name)
	}
}

// What is read makes the same leaves when it is written and read again.
func FuzzDecodeSessionSignatures(f *testing.F) {
	manager, router, key := common.Address{1}, common.Address{2}, make([]byte, 65)
	list := sessionsOf(3)
	f.Add(contracts.WrapSignature(contracts.SessionSignature(&list[2], key), manager))
	f.Add(contracts.WrapSignature(contracts.BatchSignature(manager, batchOf(list), key), router))
	f.Fuzz(func(t *testing.T, signature []byte) {
		read, err := contracts.DecodeSessionSignatures(signature, manager, router)
		if err != nil {
			require.ErrorIs(t, err, contracts.ErrNoSessionSignature)
			return
		}
		require.NotEmpty(t, read)
		again, err := contracts.DecodeSessionSignatures(contracts.WrapSignature(contracts.BatchSignature(manager, batchOf(read), key), router), manager, router)
		require.NoError(t, err)
		require.Len(t, again, len(read))
		for i := range read {
			require.Equal(t, read[i].LeafHash(), again[i].LeafHash())
		}
	})
}
