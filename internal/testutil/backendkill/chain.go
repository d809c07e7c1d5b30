package main

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account/accounttest"
)

// sight is what the chain shows of an account: its operations, those that succeeded, and what was minted.
type sight struct {
	operations, succeeded int
	nfts, tokens          int64
}

func look(ctx context.Context, devnet *accounttest.Devnet, address common.Address) (sight, error) {
	var seen sight
	event := abi.MustParseEvent(`event UserOperationEvent(bytes32 indexed userOpHash, address indexed sender,
		address indexed paymaster, uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed)`)
	logs, err := devnet.Node.FilterLogs(ctx, ethereum.FilterQuery{
		Addresses: []common.Address{devnet.Chain.Contracts.EntryPoint},
		FromBlock: new(big.Int),
		Topics:    [][]common.Hash{{event.Topic()}, nil, {common.BytesToHash(address[:])}},
	})
	if err != nil {
		return seen, err
	}
	for i := range logs {
		args, err := event.Decode(&logs[i])
		if err != nil {
			return seen, err
		}
		seen.operations++
		if args[4].(bool) {
			seen.succeeded++
		}
	}
	if seen.nfts, err = balance(ctx, devnet, devnet.Chain.Contracts.NFT, address, 1); err != nil {
		return seen, err
	}
	seen.tokens, err = balance(ctx, devnet, devnet.Chain.Contracts.Token, address, 1e18)
	return seen, err
}

// balance is how much of a token an account holds, in units.
func balance(ctx context.Context, devnet *accounttest.Devnet, token, holder common.Address, unit int64) (int64, error) {
	const balanceOf = "function balanceOf(address holder) view returns (uint256)"
	call, err := abi.Pack(balanceOf, holder)
	if err != nil {
		return 0, err
	}
	data, err := devnet.Node.CallContract(ctx, ethereum.CallMsg{To: &token, Data: call}, nil)
	if err != nil {
		return 0, err
	}
	result, err := abi.UnpackResult(balanceOf, data)
	if err != nil {
		return 0, err
	}
	return new(big.Int).Div(result[0].(*big.Int), big.NewInt(unit)).Int64(), nil
}
