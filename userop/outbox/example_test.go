package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// A send is written down under a key before any service has it, and settled once by what the chain shows. A
// client of package account does this by itself; see its Once.
func Example() {
	ctx, box := context.Background(), outbox.NewMemory()
	entryPoint := common.HexToAddress("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789")
	send := outbox.Send{ChainID: 80002, Account: common.HexToAddress("0xa1"), EntryPoint: entryPoint, Key: "order 1042", Kind: "send"}
	op := &userop.Operation{
		Sender: send.Account, CallData: []byte{1}, Signature: []byte{2},
		CallGasLimit: *uint256.NewInt(1), VerificationGasLimit: *uint256.NewInt(1), MaxFeePerGas: *uint256.NewInt(1),
	}
	hash := op.Hash(entryPoint, send.ChainID)
	recording := outbox.Recording{
		Send:    send,
		Attempt: outbox.Attempt{Operation: op, Hash: hash},
		Lease:   outbox.Lease{Holder: "replica 1", TTL: time.Minute},
	}
	entry, err := box.Record(ctx, recording)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entry.Key, "is", entry.State)

	// Another process with the same order finds it.
	_, err = box.Record(ctx, recording)
	taken, ok := errors.AsType[*outbox.TakenError](err)
	fmt.Println("taken:", ok && taken.Entry.Latest().Hash == hash)

	// The chain shows that its nonce was used by another operation.
	entry, err = box.Settle(ctx, entry.ID, entry.Version, outbox.Ended(&userop.EndedError{
		Hash: hash, Sender: send.Account, By: common.HexToHash("0x07"), Transaction: common.HexToHash("0x08"),
	}), outbox.Lease{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entry.Key, "is", entry.State)
	// Output:
	// order 1042 is open
	// taken: true
	// order 1042 is ended
}
