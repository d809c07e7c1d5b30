package userop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"
)

// SenderConfig makes a [Sender]. ChainID, EntryPoint and Bundler are required.
type SenderConfig struct {
	ChainID    uint64
	EntryPoint common.Address
	Bundler    Bundler
	// Paymaster pays for sponsored drafts.
	Paymaster Paymaster
	// Fees proposes fees; the Bundler does by default, if it is a [FeeSource].
	Fees FeeSource
	// WaitTimeout ends a wait whose context has no deadline; 5 minutes by default.
	WaitTimeout time.Duration
	// Logger is told each step at debug level; nil for silence.
	Logger *slog.Logger
}

// Sender is the pipeline from a [Draft] to a [Pending] operation, for one chain and EntryPoint. It is
// safe for concurrent use.
type Sender struct {
	cfg SenderConfig
	// identified is set once the bundler said that it serves the chain and the EntryPoint.
	identified atomic.Bool
}

// NewSender returns a sender. It does no I/O.
func NewSender(cfg SenderConfig) (*Sender, error) {
	switch {
	case cfg.ChainID == 0:
		return nil, errors.New("userop: sender without a chain ID")
	case cfg.EntryPoint == (common.Address{}):
		return nil, errors.New("userop: sender without an EntryPoint")
	case cfg.Bundler == nil:
		return nil, errors.New("userop: sender without a bundler")
	}
	if cfg.Fees == nil {
		cfg.Fees, _ = cfg.Bundler.(FeeSource)
	}
	if cfg.WaitTimeout <= 0 {
		cfg.WaitTimeout = 5 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sender{cfg: cfg}, nil
}

// Send builds, signs and sends an operation. Every error is an [*Error] that names the step; see
// [MayBeAccepted] and [SafeToRetry] for what can be done next.
func (s *Sender) Send(ctx context.Context, draft Draft) (*Pending, error) {
	nonce, err := s.begin(ctx, &draft)
	if err != nil {
		return nil, err
	}
	defer nonce.abandon()
	op, err := s.sign(ctx, &draft, nonce)
	if err != nil {
		return nil, err
	}
	hash := op.Hash(s.cfg.EntryPoint, s.cfg.ChainID)
	if draft.BeforeSend != nil {
		err = draft.BeforeSend(ctx, op, hash)
	}
	if err == nil {
		err = nonce.Commit(hash)
	}
	if err != nil {
		// Nothing was sent, so the operation is not part of the error.
		return nil, &Error{Step: StepSign, Sender: op.Sender, Err: err}
	}
	pending, err := s.deliver(ctx, op, false)
	switch {
	case err == nil:
		pending.release = nonce.Release
	case !MayBeAccepted(err):
		nonce.Release(false)
	}
	return pending, err
}

// Build makes and signs an operation without sending it. A nonce of [Draft.Reserve] is committed by that.
func (s *Sender) Build(ctx context.Context, draft Draft) (*Operation, error) {
	nonce, err := s.begin(ctx, &draft)
	if err != nil {
		return nil, err
	}
	defer nonce.abandon()
	op, err := s.sign(ctx, &draft, nonce)
	if err != nil {
		return nil, err
	}
	if err := nonce.Commit(op.Hash(s.cfg.EntryPoint, s.cfg.ChainID)); err != nil {
		return nil, &Error{Step: StepSign, Sender: op.Sender, Err: err}
	}
	return op, nil
}

// Fill makes an operation complete but for its signature, which is the signer's dummy: what an
// estimate of its cost is read from. A nonce of [Draft.Reserve] is released by that.
func (s *Sender) Fill(ctx context.Context, draft Draft) (*Operation, error) {
	nonce, err := s.begin(ctx, &draft)
	if err != nil {
		return nil, err
	}
	defer nonce.abandon()
	return s.fill(ctx, &draft, nonce)
}

// begin checks the draft and reserves its nonce, if it is to be reserved.
func (s *Sender) begin(ctx context.Context, draft *Draft) (*heldNonce, error) {
	err := draft.validate()
	if err == nil && draft.Sponsored && s.cfg.Paymaster == nil {
		err = fmt.Errorf("%w: no paymaster is configured; name one where the client or sender is made", ErrNotSponsored)
	}
	if err != nil {
		return nil, &Error{Step: StepCheck, Sender: draft.Sender, Err: err}
	}
	nonce, err := draft.holdNonce(ctx)
	if err != nil {
		return nil, &Error{Step: StepPrepare, Sender: draft.Sender, Err: err}
	}
	return nonce, nil
}

// sign fills and signs an operation.
func (s *Sender) sign(ctx context.Context, draft *Draft, nonce Reservation) (*Operation, error) {
	op, err := s.fill(ctx, draft, nonce)
	if err != nil {
		return nil, err
	}
	hash := op.Hash(s.cfg.EntryPoint, s.cfg.ChainID)
	signature, err := draft.Signer.Sign(ctx, op, hash)
	if err != nil {
		return nil, &Error{Step: StepSign, Sender: op.Sender, Err: err}
	}
	op.Signature = signature
	s.cfg.Logger.DebugContext(ctx, "user operation signed", "sender", op.Sender, "hash", hash)
	return op, nil
}

// fill makes a checked draft an operation with the dummy signature.
func (s *Sender) fill(ctx context.Context, draft *Draft, nonce Reservation) (*Operation, error) {
	op, err := s.outline(ctx, draft, nonce)
	if err != nil {
		return nil, err
	}
	if step, err := s.price(ctx, draft, op); err != nil {
		return nil, &Error{Step: step, Sender: draft.Sender, Err: err}
	}
	err = draft.Caps.Check(op)
	if err == nil && draft.Accept != nil {
		err = draft.Accept(op)
	}
	if err != nil {
		return nil, &Error{Step: StepCheck, Sender: draft.Sender, Err: err}
	}
	return op, nil
}

// outline makes a checked draft an operation with the dummy signature, the caller's limits and no payer.
func (s *Sender) outline(ctx context.Context, draft *Draft, nonce Reservation) (*Operation, error) {
	op, err := s.prepare(ctx, draft, nonce)
	if err != nil {
		return nil, &Error{Step: StepPrepare, Sender: draft.Sender, Err: err}
	}
	op.setGas(draft.Gas)
	if op.Signature, err = draft.Signer.DummySignature(op); err != nil {
		return nil, &Error{Step: StepSign, Sender: draft.Sender, Err: err}
	}
	return op, nil
}

// prepare reads everything that does not depend on each other at once.
func (s *Sender) prepare(ctx context.Context, draft *Draft, nonce Reservation) (*Operation, error) {
	op := &Operation{Sender: draft.Sender, CallData: draft.CallData}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		op.Nonce, err = nonce.Nonce(ctx)
		return err
	})
	if draft.Compose != nil {
		group.Go(func() (err error) {
			op.CallData, err = draft.Compose(ctx)
			return err
		})
	}
	if draft.InitCode != nil {
		group.Go(func() (err error) {
			op.InitCode, err = draft.InitCode(ctx)
			return err
		})
	}
	group.Go(func() error {
		fees, err := s.fees(ctx, draft)
		op.MaxFeePerGas, op.MaxPriorityFeePerGas = fees.MaxFeePerGas, fees.MaxPriorityFeePerGas
		return err
	})
	if !s.identified.Load() {
		group.Go(func() error { return s.identify(ctx) })
	}
	for _, check := range draft.Checks {
		group.Go(func() error { return check(ctx) })
	}
	return op, group.Wait()
}

// fees returns the draft's fees or asks for them.
func (s *Sender) fees(ctx context.Context, draft *Draft) (Fees, error) {
	if !draft.Fees.IsZero() {
		return draft.Fees, nil
	}
	if s.cfg.Fees == nil {
		return Fees{}, fmt.Errorf("%w: the bundler has no gas price; give fees or a fee source", ErrNoFees)
	}
	fees, err := s.cfg.Fees.Fees(ctx)
	if err != nil {
		return Fees{}, fmt.Errorf("gas price: %w", err)
	}
	if fees.MaxPriorityFeePerGas.Gt(&fees.MaxFeePerGas) {
		return Fees{}, fmt.Errorf("gas price: the service proposes a priority fee of %s wei above its maximum fee of %s wei", fees.MaxPriorityFeePerGas.Dec(), fees.MaxFeePerGas.Dec())
	}
	fees.MaxFeePerGas = addPercent(fees.MaxFeePerGas, draft.Margins.MaxFeePerGas)
	fees.MaxPriorityFeePerGas = addPercent(fees.MaxPriorityFeePerGas, draft.Margins.MaxPriorityFeePerGas)
	if fees.MaxPriorityFeePerGas.Gt(&fees.MaxFeePerGas) {
		return Fees{}, fmt.Errorf("gas price: with their margins the priority fee of %s wei is above the maximum fee of %s wei; raise that one too", fees.MaxPriorityFeePerGas.Dec(), fees.MaxFeePerGas.Dec())
	}
	return fees, nil
}

// identify asks the bundler, until it once answered right, which chain and EntryPoints it serves.
func (s *Sender) identify(ctx context.Context) error {
	bundler, ok := s.cfg.Bundler.(Identity)
	if !ok {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		id, err := bundler.ChainID(ctx)
		if err == nil && id != s.cfg.ChainID {
			err = fmt.Errorf("%w: the bundler serves chain %d, this client is for chain %d", ErrWrongChain, id, s.cfg.ChainID)
		}
		return err
	})
	group.Go(func() error {
		entryPoints, err := bundler.SupportedEntryPoints(ctx)
		if err == nil && !slices.Contains(entryPoints, s.cfg.EntryPoint) {
			err = fmt.Errorf("%w: the bundler supports EntryPoints %v, not %s", ErrWrongChain, entryPoints[:min(len(entryPoints), 8)], s.cfg.EntryPoint)
		}
		return err
	})
	err := group.Wait()
	if err == nil {
		s.identified.Store(true)
	}
	return err
}
