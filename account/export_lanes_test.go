package account

import (
	"context"
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/userop"
)

// AnswerProbes runs a batched read, as the node's EVM does: call answers each probe's call.
func AnswerProbes(code []byte, call func(to common.Address, data []byte) []byte) []byte {
	var answers []byte
	for rest := code[len(prober):]; len(rest) > 0; {
		header, data := rest[:abi.WordSize], rest[abi.WordSize:]
		size := binary.BigEndian.Uint32(header[28:])
		answer := call(common.BytesToAddress(header[:common.AddressLength]), data[:size])
		head := make([]byte, sightHead)
		head[47], head[55] = 1, 1 // has code, ok
		binary.BigEndian.PutUint64(head[56:], uint64(len(answer)))
		answers = append(append(answers, head...), answer...)
		rest = data[size:]
	}
	return answers
}

// Accounts returns how many accounts the lanes keep in memory.
func (l *Lanes) Accounts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pools)
}

// Reserve waits for a lane of the account.
func (l *Lanes) Reserve(ctx context.Context, account common.Address) (userop.Reservation, error) {
	return l.reserve(ctx, l.client, account)
}
