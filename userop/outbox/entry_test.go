package outbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

var entryPoint = common.HexToAddress("0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789")

func signed(nonce, fee uint64) outbox.Attempt {
	n := *uint256.NewInt(7)
	op := &userop.Operation{
		Sender: common.HexToAddress("0xacc"), Nonce: *uint256.NewInt(nonce), CallData: []byte{2},
		CallGasLimit: n, VerificationGasLimit: n, PreVerificationGas: n, MaxFeePerGas: *uint256.NewInt(fee), MaxPriorityFeePerGas: n,
		Signature: []byte{3},
	}
	return outbox.Attempt{Operation: op, Hash: op.Hash(entryPoint, 1), Until: 1_900_000_000}
}

// entries returns one of each state.
func entries(t testing.TB) (all []*outbox.Entry) {
	t.Helper()
	ctx, box := t.Context(), outbox.NewMemory()
	box.Now = func() time.Time { return time.Date(2031, 1, 2, 3, 4, 5, 6789, time.FixedZone("", 3600)) }
	lease := outbox.Lease{Holder: "worker 1", TTL: time.Minute}
	for n := range uint64(4) {
		e, err := box.Record(ctx, outbox.Recording{
			Send:    outbox.Send{ChainID: 1, Account: common.HexToAddress("0xacc"), EntryPoint: entryPoint, Key: fmt.Sprint("order ", n), Kind: "session", Asked: `{"<&>":"é"}`},
			Attempt: signed(n, 10), Lease: lease,
		})
		require.NoError(t, err)
		if n > 0 {
			e, err = box.AddAttempt(ctx, e.ID, 1, signed(n, 11), lease)
			require.NoError(t, err)
			e, err = box.Settle(ctx, e.ID, 2, outcome(t, n, e), outbox.Lease{})
			require.NoError(t, err)
		}
		all = append(all, e)
	}
	return all
}

func receipt(hash common.Hash, success bool) *userop.Receipt {
	r := &userop.Receipt{
		UserOpHash: hash, EntryPoint: entryPoint, Sender: common.HexToAddress("0xacc"), Confirmed: true, Success: success,
		Paymaster: common.HexToAddress("0x05"), ActualGasCost: *uint256.NewInt(6), ActualGasUsed: *uint256.NewInt(7),
		TransactionHash: common.HexToHash("0x08"), BlockHash: common.HexToHash("0x09"), BlockNumber: 10,
	}
	if !success {
		r.RevertData, r.Reason = []byte{11}, "for a reason"
	}
	return r
}

func outcome(t testing.TB, n uint64, e *outbox.Entry) outbox.Outcome {
	t.Helper()
	if n == 3 {
		return outbox.Ended(ended(e))
	}
	o, err := outbox.Included(receipt(e.Attempts[n-1].Hash, n == 1))
	require.NoError(t, err)
	return o
}

func ended(e *outbox.Entry) *userop.EndedError {
	return &userop.EndedError{Hash: e.Latest().Hash, Sender: e.Account, Nonce: e.Nonce, Until: e.Until(), BlockTime: e.Until() + 1}
}

// What an outcome is made of comes back.
func TestReceipts(t *testing.T) {
	all := entries(t)
	require.Nil(t, all[0].Receipt())
	require.NoError(t, orNil(all[0].Ended()))
	for n, success := range map[int]bool{1: true, 2: false} {
		want := receipt(all[n].Attempts[n-1].Hash, success)
		want.Nonce = *uint256.NewInt(uint64(n))
		require.Equal(t, want, all[n].Receipt())
		require.NoError(t, orNil(all[n].Ended()))
	}
	require.Nil(t, all[3].Receipt())
	require.Equal(t, ended(all[3]), all[3].Ended())
	require.ErrorIs(t, all[3].Ended(), userop.ErrExpired)
}

func orNil(e *userop.EndedError) error {
	if e == nil {
		return nil
	}
	return e
}

func TestAReceiptThatIsNotConfirmedSettlesNothing(t *testing.T) {
	r := receipt(common.Hash{1}, true)
	r.Confirmed = false
	_, err := outbox.Included(r)
	require.ErrorIs(t, err, outbox.ErrInvalid)
	require.EqualError(t, err, "invalid send: the receipt of "+r.UserOpHash.Hex()+" is the bundler's word alone")
}

// What a revert says is bounded, and stays UTF-8.
func TestLongReverts(t *testing.T) {
	r := receipt(common.Hash{1}, false)
	r.RevertData = make([]byte, outbox.MaxRevertData+1)
	r.Reason = "x\xff" + strings.Repeat("é", outbox.MaxRevertData)
	o, err := outbox.Included(r)
	require.NoError(t, err)
	require.Len(t, o.RevertData, outbox.MaxRevertData)
	require.LessOrEqual(t, len(o.Reason), outbox.MaxRevertData)
	require.Greater(t, len(o.Reason), outbox.MaxRevertData-4)
	require.Equal(t, o.Reason, strings.ToValidUTF8(o.Reason, ""))
}

func TestEntryText(t *testing.T) {
	e := entries(t)[2]
	const want = `send "order 2" of account 0x0000000000000000000000000000000000000ACc on chain 1 (reverted)`
	require.Equal(t, want, e.String())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		require.Equal(t, want, fmt.Sprintf(verb, e))
	}
	require.EqualError(t, &outbox.TakenError{Entry: e, Err: outbox.ErrExists}, "send is recorded already: "+want)
	require.EqualError(t, &outbox.TakenError{Entry: e, Err: outbox.ErrNonceTaken}, "nonce is taken by another send: "+want+" has nonce 0x2 until it ends; use another one")
	require.Equal(t, "unknown state 9", outbox.State(9).String())
}

func TestEntryJSON(t *testing.T) {
	for _, want := range entries(t) {
		text, err := json.Marshal(want)
		require.NoError(t, err)
		var have outbox.Entry
		require.NoError(t, json.Unmarshal(text, &have))
		for i := range want.Attempts { // what is empty is not nil any more
			want.Attempts[i].Operation.InitCode, want.Attempts[i].Operation.PaymasterAndData = []byte{}, []byte{}
		}
		require.Equal(t, want, &have)
	}
	_, err := json.Marshal(outbox.State(9))
	require.ErrorContains(t, err, "invalid send: write unknown state 9")
}

// A whole entry that was changed in one place is not read any more.
func TestEntryJSONRefuses(t *testing.T) {
	all := entries(t)
	for name, c := range map[string]struct{ entry, old, new, err string }{
		"another account":   {"open", `"account":"0x0000000000000000000000000000000000000acc"`, `"account":"0x0000000000000000000000000000000000000acd"`, "an operation of "},
		"another chain":     {"open", `"chainId":1`, `"chainId":2`, "is not 0x"},
		"no operation":      {"open", `"attempts":[`, `"attempts":[{"hash":"0x0000000000000000000000000000000000000000000000000000000000000000","at":"2031-01-02T02:04:05Z"},`, "without an operation"},
		"another nonce":     {"landed", `"nonce":"0x1"`, `"nonce":"0x5"`, "is not 0x"},
		"another state":     {"landed", `"state":"landed","outcome":{"state":"landed"`, `"state":"landed","outcome":{"state":"reverted"`, "is landed, and its outcome reverted"},
		"an unknown state":  {"landed", `"state":"landed"`, `"state":"lost"`, `no state is called "lost"`},
		"open and reported": {"open", `"state":"open"`, `"state":"open","reported":true`, "is open, and has an outcome"},
		"no ID":             {"open", `"id":1`, `"id":0`, "with ID 0"},
		"an end too early":  {"ended", `"blockTime":1900000001`, `"blockTime":1900000000`, "had time until"},
		"cost of no number": {"landed", `"cost":"0x6"`, `"cost":"six"`, "is not an exact non-negative integer"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range all {
				if e.State.String() != c.entry {
					continue
				}
				text, err := json.Marshal(e)
				require.NoError(t, err)
				require.Contains(t, string(text), c.old)
				have := outbox.Entry{ID: 77}
				err = json.Unmarshal([]byte(strings.Replace(string(text), c.old, c.new, 1)), &have)
				require.ErrorContains(t, err, c.err)
				require.Equal(t, outbox.Entry{ID: 77}, have, "left alone")
			}
		})
	}
}

func FuzzEntryJSON(f *testing.F) {
	for _, e := range entries(f) {
		text, err := json.Marshal(e)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte(`{"attempts":[{}]}`))
	f.Add([]byte(`{"state":"open","outcome":null,"attempts":[null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var e outbox.Entry
		if json.Unmarshal(text, &e) != nil {
			require.Equal(t, outbox.Entry{}, e)
			return
		}
		require.NoError(t, e.ValidateStored())
		again, err := json.Marshal(&e)
		require.NoError(t, err)
		var have outbox.Entry
		require.NoError(t, json.Unmarshal(again, &have))
		// As text: what is left out of an operation, and a zone, have more than one way to be the same.
		third, err := json.Marshal(&have)
		require.NoError(t, err)
		require.Equal(t, string(again), string(third))
	})
}

func TestErrorsTellApart(t *testing.T) {
	require.ErrorIs(t, outbox.GoneError(7), outbox.ErrNotFound)
	require.EqualError(t, outbox.GoneError(7), "no such send: no entry 7; it was freed, or swept after its end")
	require.ErrorIs(t, outbox.UnknownHashError(common.Hash{1}), outbox.ErrNotFound)
	require.False(t, errors.Is(&outbox.TakenError{Entry: entries(t)[0], Err: outbox.ErrExists}, outbox.ErrNonceTaken))
}
