package contracts

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/abiword"
)

// CallAuthorization is one entry of the router's signature: the session that authorizes one call of a batch.
type CallAuthorization struct {
	Authorization
	// CallData is the call-specific data, for the session validation module; mostly empty.
	CallData []byte
}

// BatchSignature returns the batched session router's signature: abi.encode(address manager, Session[]
// sessions, bytes sig), with a session for each call and the key's signature.
func BatchSignature(manager common.Address, calls []CallAuthorization, keySignature []byte) []byte {
	const head = 3 * abiword.Size
	arraySize := abiword.Size + len(calls)*abiword.Size
	for i := range calls {
		arraySize += calls[i].size(calls[i].CallData)
	}
	dst := make([]byte, 0, head+arraySize+abiword.BytesSize(len(keySignature)))
	dst = abiword.AppendAddress(dst, manager)
	dst = abiword.AppendUint64(dst, head)
	dst = abiword.AppendUint64(dst, uint64(head+arraySize))

	dst = abiword.AppendUint64(dst, uint64(len(calls)))
	offset := len(calls) * abiword.Size
	for i := range calls {
		dst = abiword.AppendUint64(dst, uint64(offset))
		offset += calls[i].size(calls[i].CallData)
	}
	for i := range calls {
		dst = calls[i].append(dst, calls[i].CallData)
	}
	return abiword.AppendBytes(dst, keySignature)
}
