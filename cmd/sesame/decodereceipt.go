package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/userop"
)

// maxLogs is how many logs of a receipt are said.
const maxLogs = 64

// receipt says what became of an operation by a bundler's word.
func (d *decoding) receipt(ctx context.Context, text []byte) (*decodedJSON, error) {
	var receipt userop.Receipt
	if err := json.Unmarshal(text, &receipt); err != nil {
		return nil, fmt.Errorf("the receipt: %w", err)
	}
	said := &receiptJSON{
		Hash: receipt.UserOpHash, Sender: receipt.Sender, Success: receipt.Success, Reason: receipt.Reason,
		Transaction: receipt.TransactionHash, Block: receipt.BlockNumber, GasUsed: receipt.ActualGasUsed.Dec(), GasCost: receipt.ActualGasCost.Dec(),
	}
	if receipt.Paymaster != (common.Address{}) {
		said.Paymaster = &receipt.Paymaster
	}
	for _, log := range receipt.Logs[:min(len(receipt.Logs), maxLogs)] {
		if log != nil {
			said.Logs = append(said.Logs, d.log(log))
		}
	}
	result := &decodedJSON{Kind: kindReceipt, Summary: "A receipt, which is a bundler's word: the chain decides", Receipt: said}
	if !receipt.Success {
		if len(receipt.RevertData) > 0 {
			revert := d.revert(ctx, receipt.RevertData)
			result.Revert = d.newRevertJSON(&revert)
		} else if said.Reason == "" {
			said.Reason = "none given; a call that runs out of gas leaves none"
		}
		result.Error = findAA(said.Reason)
	}
	return result, nil
}

// log says one log by the first known event that fits.
func (d *decoding) log(log *types.Log) logJSON {
	said := logJSON{Contract: log.Address, ContractIs: contractName(log.Address, d.chain)}
	for _, known := range []*abi.Contract{d.known, wellKnown()} {
		for _, event := range known.Events() {
			args, err := event.Decode(log)
			if err != nil {
				continue
			}
			said.Event, said.Args = event.Name(), argsOf(event.Inputs(), args)
			return said
		}
	}
	if len(log.Topics) > 0 {
		said.Topic = &log.Topics[0]
	}
	return said
}

// offlineRevert decodes revert data with all errors that the library knows: a receipt that has it is what the
// library says them of.
func offlineRevert(ctx context.Context, client offlineSender, data []byte) abi.Revert {
	receipt := &userop.Receipt{RevertData: data, Confirmed: true}
	_, err := client.Sender().Settled(new(userop.Operation), userop.Outcome{Receipt: receipt}).Wait(ctx)
	if reverted, ok := errors.AsType[*userop.RevertError](err); ok {
		return reverted.Revert
	}
	return abi.DecodeRevert(data)
}

// offlineSender is a client whose pipeline says what reverts mean.
type offlineSender interface{ Sender() *userop.Sender }
