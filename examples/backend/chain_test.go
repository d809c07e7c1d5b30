package main

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account/accounttest"
)

// nftsOf counts the NFTs of an account on chain.
func nftsOf(t *testing.T, devnet *accounttest.Devnet, address common.Address) string {
	t.Helper()
	const balanceOf = "function balanceOf(address holder) view returns (uint256)"
	call, err := abi.Pack(balanceOf, address)
	require.NoError(t, err)
	data, err := devnet.Node.CallContract(t.Context(), ethereum.CallMsg{To: &devnet.Chain.Contracts.NFT, Data: call}, nil)
	require.NoError(t, err)
	result, err := abi.UnpackResult(balanceOf, data)
	require.NoError(t, err)
	return result[0].(*big.Int).String()
}
