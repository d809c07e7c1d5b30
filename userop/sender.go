package userop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/observe"
)

// SenderConfig makes a [Sender]. ChainID, EntryPoint and Bundler are required.
type SenderConfig struct {
	ChainID    uint64
	EntryPoint common.Address
	Bundler    Bundler
	// UnidentifiedBundler takes a Bundler that cannot say which chain and EntryPoint it serves ([Identity]):
	// what it is given may be sent to another chain. Without it such a bundler is refused.
	UnidentifiedBundler bool
	// Paymaster pays for sponsored drafts.
	Paymaster Paymaster
	// Fees proposes fees; the Bundler does by default, if it is a [FeeSource].
	Fees FeeSource
	// Chain confirms at a node what services say of operations that were sent. Without it a receipt is only
	// compared with its operation ([Receipt.Confirmed] is false), nothing but a receipt ends a wait before
	// its time, and a refusal for the nonce stays a doubt. The client of package account always has one.
	Chain Chain
	// Confirmations is how many blocks, the one that holds the operation among them, a wait asks for, and how
	// deep what ends an operation without including it has to be: a reorg of fewer blocks contradicts
	// neither. 0 is one. More than one needs the Chain; more than its node keeps the states of, often 128,
	// needs one that keeps them all.
	Confirmations uint64
	// Until returns the last second, in unix time, in which an operation can be included, 0 where it has no
	// end or none that can be read. Once the Chain shows a later block with the nonce unused, it has ended.
	// Nil knows no ends.
	Until func(op *Operation) uint64
	// MayResend returns an error for a signed operation that [Sender.Resend] is not to hand out, and that
	// [Sender.Send] tries once if its draft has no guard. Nil lets all pass.
	MayResend func(op *Operation) error
	// BearsOut reports whether the chain, too, would refuse a signed operation as it is now. A bundler that
	// was given one and says that it refuses it is asked once more where the chain does not bear that out;
	// after that it stays open whether the operation was accepted ([MayBeAccepted]). Nil believes refusals.
	BearsOut func(ctx context.Context, op *Operation) (bool, error)
	// Explain returns why an operation that was included failed, where its receipt tells more than what the
	// call reverted with; nil where it does not. It becomes the [RevertError]'s Cause.
	Explain func(receipt *Receipt) error
	// WaitTimeout ends a wait whose context has no deadline; 5 minutes by default.
	WaitTimeout time.Duration
	// Logger is told each step at debug level; nil for silence.
	Logger *slog.Logger
	// TracerProvider and MeterProvider get OpenTelemetry's spans and metrics of each step, Hooks are called
	// with the same; nil and zero for none. None of it has a signature, call data or a key.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Hooks          Hooks
}

// Sender is the pipeline from a [Draft] to a [Pending] operation, for one chain and EntryPoint. It is safe
// for concurrent use.
type Sender struct {
	observed
	cfg SenderConfig
	// identified is set once the bundler said that it serves the chain and the EntryPoint.
	identified atomic.Bool
	twins      twins
	watcher    watcher
}

// NewSender returns a sender. It does no I/O.
func NewSender(cfg SenderConfig) (*Sender, error) {
	switch {
	case cfg.ChainID == 0:
		return nil, errors.New("userop: sender without a chain ID")
	case cfg.EntryPoint == (common.Address{}):
		return nil, errors.New("userop: sender without an EntryPoint")
	case ability.Missing(cfg.Bundler):
		return nil, errors.New("userop: sender without a bundler")
	case cfg.Confirmations > 1 && cfg.Chain == nil:
		return nil, errNoChain
	}
	cfg.Confirmations = max(cfg.Confirmations, 1)
	if cfg.Fees == nil {
		cfg.Fees, _ = ability.Find[FeeSource](cfg.Bundler)
	}
	if cfg.WaitTimeout <= 0 {
		cfg.WaitTimeout = 5 * time.Minute
	}
	observer, err := cfg.observer()
	if err != nil {
		return nil, fmt.Errorf("userop: sender: %w", err)
	}
	s := &Sender{observed: observe.Bind(observer), cfg: cfg}
	s.watcher.init(s)
	return s, nil
}

// Send builds, signs and sends an operation. Every error is an [*Error] that names the step; see
// [MayBeAccepted] and [SafeToRetry] for what can be done next.
func (s *Sender) Send(ctx context.Context, draft Draft) (tx *Pending, err error) {
	ctx, sending := s.Observer().BeginSend(ctx, observe.Send, observe.About{Account: draft.Sender})
	defer func() { sending.End(ctx, observe.SendEnd(tx, err)) }()
	run, err := s.check(ctx, &draft)
	if err != nil {
		return nil, err
	}
	defer run.nonce.abandon()
	run.settle(ctx)
	err = run.prepare(ctx)
	for err == nil {
		err = run.sponsorOrEstimate(ctx)
		if err == nil {
			err = run.sign(ctx)
		}
		if err == nil {
			pending, refused := run.send(ctx)
			if refused == nil {
				return pending, nil
			}
			err = refused
		}
		err = run.renew(ctx, err)
	}
	if pending := run.landed(ctx, err); pending != nil {
		return pending, nil
	}
	err = run.orDoubt(err)
	run.release(err)
	s.forgetFees(err)
	return nil, run.withRefusal(err)
}

// forgetFees has the fee source propose anew after a refusal, which may be for the fees.
func (s *Sender) forgetFees(err error) {
	failed, ok := errors.AsType[*Error](err)
	if !ok || !failed.Step.judges() || failed.Step == StepSend && !failed.Refused || temporary(err) {
		return
	}
	if source, ok := s.cfg.Fees.(interface{ Forget() }); ok {
		source.Forget()
	}
}

// Build makes and signs an operation without sending it. A nonce of [Draft.Reserve] is committed by that.
func (s *Sender) Build(ctx context.Context, draft Draft) (op *Operation, err error) {
	ctx, building := s.Observer().BeginSend(ctx, observe.Build, observe.About{Account: draft.Sender})
	defer func() { building.End(ctx, builtSo(op, err)) }()
	draft.BeforeSend = nil
	run, err := s.check(ctx, &draft)
	if err != nil {
		return nil, err
	}
	defer run.nonce.abandon()
	if err = run.price(ctx); err == nil {
		err = run.sign(ctx)
	}
	if err != nil {
		return nil, err
	}
	return run.op, nil
}

// BuildUnsigned makes an operation complete but for its signature, which is the signer's dummy: what an
// estimate of its cost is read from. A nonce of [Draft.Reserve] is released by that.
func (s *Sender) BuildUnsigned(ctx context.Context, draft Draft) (op *Operation, err error) {
	ctx, building := s.Observer().BeginSend(ctx, observe.Build, observe.About{Account: draft.Sender})
	defer func() { building.End(ctx, builtSo(op, err)) }()
	run, err := s.check(ctx, &draft)
	if err != nil {
		return nil, err
	}
	defer run.nonce.abandon()
	if err = run.price(ctx); err != nil {
		return nil, err
	}
	return run.op, nil
}

// price makes the operation complete but for its signature.
func (r *run) price(ctx context.Context) error {
	err := r.prepare(ctx)
	for err == nil {
		refused := r.sponsorOrEstimate(ctx)
		if refused == nil {
			return nil
		}
		err = r.renew(ctx, refused)
	}
	return r.withRefusal(err)
}

// run is one draft on its way through the pipeline. Its methods are the steps, in their order: [Sender.check]
// begins one, then prepare, sponsorOrEstimate, sign and send.
type run struct {
	sender *Sender
	draft  *Draft
	nonce  heldNonce
	op     *Operation
	hash   common.Hash // of op, once it is signed
	// attempt counts how often the operation was made.
	attempt int
	// renewed says that the operation was made anew after refusal, outbid that it was with the fees that the
	// bundler asked for. given are those before that were given away and refused, with the same nonce.
	renewed, outbid bool
	refusal         error
	given           []*Operation
	// reread says that it was made anew with what was read again, with the nonce that stays, nil for the next
	// one. doubted is how sending the one before failed, where that left open whether it was accepted.
	reread  bool
	stays   *uint256.Int
	doubted *Error
	// least are the fees of an operation that takes the place of another one, at the least.
	least Fees
}

// begin begins a stage of the run.
func (r *run) begin(ctx context.Context, kind observe.Kind) (context.Context, observe.Stage) {
	return r.sender.Observer().Begin(ctx, kind, observe.About{Account: r.draft.Sender, Attempt: r.attempt})
}

// anewFor tells that the operation is made anew for a refusal in a step, and counts that.
func (r *run) anewFor(ctx context.Context, failed *Error) {
	r.sender.Observer().Tell(ctx, observe.Anew, observe.Moment{
		Account: r.draft.Sender, Hash: failed.Hash, Attempt: r.attempt, Detail: string(failed.Step), Err: failed.Err,
	})
	r.attempt++
}

// failed is the error of a step before the operation was sent: it is not part of the error.
func (r *run) failed(step Step, err error) error {
	return &Error{Step: step, Sender: r.draft.Sender, Err: err}
}

// withRefusal is the error of an operation with why it was made anew, if it was.
func (r *run) withRefusal(err error) error {
	failed, ok := errors.AsType[*Error](err)
	if !ok || r.refusal == nil {
		return err
	}
	told := *failed
	told.Err = afterFirst(r.refusal, failed.Err)
	told.Given = told.Given || len(r.given) > 0
	return &told
}

// check judges the draft, and reserves its nonce if it is to be reserved.
func (s *Sender) check(ctx context.Context, draft *Draft) (*run, error) {
	r := &run{sender: s, draft: draft, attempt: 1, op: &Operation{Sender: draft.Sender, CallData: draft.CallData}}
	err := draft.validate()
	if err == nil && draft.Sponsored && draft.Complete == nil && s.cfg.Paymaster == nil {
		err = fmt.Errorf("%w: no paymaster is configured; name one where the client or sender is made", ErrNotSponsored)
	}
	if err != nil {
		return nil, r.failed(StepCheck, err)
	}
	r.nonce.Reservation = readNonce(draft.Nonce)
	if draft.Reserve != nil {
		if r.nonce.Reservation, err = draft.Reserve(ctx); err != nil {
			return nil, r.failed(StepPrepare, err)
		}
	}
	if stuck := draft.Replaces; stuck != nil {
		if is := s.hash(stuck.op); is != stuck.hash {
			return nil, r.failed(StepCheck, fmt.Errorf("%w: operation %s is to be replaced, which is %s here", ErrWrongChain, stuck.hash, is))
		}
		own := r.nonce.Reservation
		if draft.Reserve == nil {
			own = nil
		}
		s.Observer().Tell(ctx, observe.Replace, observe.Moment{Account: draft.Sender, Hash: stuck.hash})
		r.nonce.Reservation = &sharedNonce{nonce: stuck.op.Nonce, own: own, of: stuck.reserved}
		r.bidAbove(stuck)
	}
	return r, nil
}

// sign signs the operation, tells the caller's hook, and commits the nonce: from now on the operation may be
// sent.
func (r *run) sign(ctx context.Context) error {
	within, signing := r.begin(ctx, observe.Sign)
	defer signing.Left(within)
	signature, err := r.draft.Signer.Sign(within, r.op, r.sender.hash(r.op))
	if err != nil {
		if heldBack(err) {
			r.sender.Observer().Tell(within, observe.Stopped, observe.Moment{Account: r.op.Sender, Attempt: r.attempt, Err: err})
		}
		signing.End(within, observe.Result{Err: err})
		return r.failed(StepSign, err)
	}
	r.op.Signature = signature
	hash := r.sender.hash(r.op) // whatever the signer did to it
	r.hash = hash
	signing.End(within, observe.Result{Hash: hash})
	r.join(hash)
	if r.draft.BeforeSend != nil {
		within, recording := r.begin(ctx, observe.Record)
		defer recording.Left(within)
		err = r.draft.BeforeSend(within, r.op, hash)
		recording.End(within, observe.Result{Hash: hash, Err: err})
	}
	if err == nil {
		err = r.nonce.Commit(r.op, hash)
	}
	if err != nil {
		return r.failed(StepSign, err)
	}
	return nil
}

// hash is the operation's userOpHash here.
func (s *Sender) hash(op *Operation) common.Hash { return op.Hash(s.cfg.EntryPoint, s.cfg.ChainID) }
