package userop

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/ability"
)

// Checker is a [Paymaster] that can be asked at no cost whether it answers: nothing is sponsored. The clients
// of package paymaster are, and its pools.
type Checker interface {
	// Check asks about an operation of an account that does not exist, for which a refusal is a good answer:
	// said is what the service says then, empty where it refuses nothing. An error means that it would
	// sponsor nobody: it is out of reach, does not know who asks, lacks the method, or has nothing to pay
	// from.
	Check(ctx context.Context, chainID uint64, entryPoint common.Address) (said string, err error)
}

// CheckBundler returns an error unless the bundler answers, and serves the chain and the EntryPoint. Nothing
// is sent: it is asked what it serves, where it can say so, and for the receipt of an operation that nobody
// made. One that serves another chain is asked again before anything is signed.
func (s *Sender) CheckBundler(ctx context.Context) error {
	err := s.identify(ctx)
	if errors.Is(err, ErrWrongChain) {
		s.identified.Store(false)
	}
	if err != nil {
		return err
	}
	_, err = s.cfg.Bundler.UserOperationReceipt(ctx, crypto.Keccak256Hash([]byte("an operation that nobody made")))
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err == nil:
		return errors.New("the bundler has a receipt for an operation that nobody made; use another one")
	}
	return err
}

// CheckPaymaster returns an error unless the paymaster answers, where it can be asked ([Checker]). There is
// nothing to ask where there is none.
func (s *Sender) CheckPaymaster(ctx context.Context) error {
	asked, ok := ability.Find[Checker](s.cfg.Paymaster)
	if !ok {
		return nil
	}
	_, err := asked.Check(ctx, s.cfg.ChainID, s.cfg.EntryPoint)
	return err
}
