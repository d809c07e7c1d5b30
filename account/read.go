package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum"

	"github.com/go-sesame/sesame/internal/contracts"
)

// decode reads the answer of the function. An error matches [ErrBadAnswer], and is the revert where the
// call reverted.
func decode(r *contracts.ReadResult, function string, read func([]byte) error) error {
	if !r.OK {
		revert := contracts.DecodeRevert(r.Data)
		return fmt.Errorf("%w: %s reverted: %w", ErrBadAnswer, function, &revert)
	}
	if err := read(r.Data); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBadAnswer, function, err)
	}
	return nil
}

// into returns a reader that keeps what it decoded in dst.
func into[T any](dst *T, decode func([]byte) (T, error)) func([]byte) error {
	return func(answer []byte) (err error) {
		*dst, err = decode(answer)
		return err
	}
}

// readAll makes the reads, in their order and in one request; in several only where their data is too much
// for one. The error is the node's or the network's: a call that reverts is part of the result.
func readAll(ctx context.Context, chain Chain, reads ...contracts.Read) ([]contracts.ReadResult, error) {
	all := make([]contracts.ReadResult, 0, len(reads))
	for len(reads) > 0 {
		request, n := contracts.PackReads(reads)
		response, err := chain.CallContract(ctx, ethereum.CallMsg{Data: request}, nil)
		if err != nil {
			return nil, withoutURL(err)
		}
		results, err := contracts.UnpackReadResults(response, n)
		if err != nil {
			return nil, fmt.Errorf("%w: batched read: %w", ErrBadAnswer, err)
		}
		all, reads = append(all, results...), reads[n:]
	}
	return all, nil
}
