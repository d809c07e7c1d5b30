package userop

import (
	"context"
	"log/slog"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/observe"
)

// Hooks are told what happens to operations, as traces, metrics and the log are, so that nobody has to wrap a
// client or a service for that. Each field may be nil.
//
// They are called where it happens, by the goroutine that does it, several at once: they are quick, safe for
// concurrent use, and wait for nothing. A panic in one is the caller's. What they are given is theirs.
type Hooks struct {
	// Begin is told that a stage begins.
	Begin func(ctx context.Context, e Event)
	// End is told that a stage has ended.
	End func(ctx context.Context, e Event)
	// Moment is told of what has no duration.
	Moment func(ctx context.Context, e Event)
}

// Event is what [Hooks] are told. Fields that do not apply, or are not known yet, are zero. As text, also by
// %+v, in a log and as JSON, it has no signature and no call data, whatever a service quotes of them in its
// errors.
type Event struct {
	// What is one of the names of stages and moments: [StageSign], [MomentRetry].
	What string
	// ChainID, EntryPoint and Account are those of the operation.
	ChainID    uint64
	EntryPoint common.Address
	Account    common.Address
	// Hash is the userOpHash, zero before it is signed.
	Hash common.Hash
	// Attempt counts from 1: at a stage how often the operation was made, at a [MomentRetry] how often it
	// was handed over.
	Attempt int
	// Outcome is, of a stage that failed, "refused" (by a service, or by a check here), "failed" (which
	// passes by itself) or "unknown" (it may be accepted, or land: [MayBeAccepted]). Of a [StageSend] that
	// succeeded it is "accepted", and of a [StageWait] how the chain ended the operation: "landed",
	// "reverted", "replaced" or "expired".
	Outcome string
	// AA is the EntryPoint's code in Err ("AA25"), RPCCode that of the service's answer.
	AA      string
	RPCCode int
	// Took is how long a stage that has ended took.
	Took time.Duration
	// GasUsed and GasCost are what an operation that landed took of its payer, in gas and in wei.
	GasUsed, GasCost uint256.Int
	// Service is which of several bundlers took the operation.
	Service string
	// Detail says more in a few words.
	Detail string
	// Err is what a stage failed with, or what led to a moment, for errors.Is and errors.As. Its own text has
	// no signature and no call data; that of an error within may have, where a service quotes them.
	Err error
}

// String tells the event in a line.
func (e Event) String() string { return observe.Event(e).String() }

// LogValue implements [slog.LogValuer] with the attributes that a log has of the event.
func (e Event) LogValue() slog.Value { return observe.Event(e).LogValue() }

// The stages that [Hooks] are told of. A send, a build and a resend consist of the others; a wait is on its
// own.
const (
	StageSend     = "send"     // all from the call to the bundler's answer
	StageBuild    = "build"    // what is made, or priced, and not sent
	StageResend   = "resend"   // of a signed operation
	StageLoad     = "load"     // of the sessions, from their store
	StageCheck    = "check"    // each check before signing
	StageLane     = "lane"     // the wait for a lane that is free
	StageNonce    = "nonce"    // that is next
	StageFees     = "fees"     // that are proposed
	StageSponsor  = "sponsor"  // by a paymaster
	StageEstimate = "estimate" // of gas
	StageQuote    = "quote"    // of a fee in tokens
	StageSign     = "sign"     // by the owner, or a session key
	StageRecord   = "record"   // before it is sent, as in an outbox
	StageSubmit   = "submit"   // to the bundler, with all tries
	StageWait     = "wait"     // of one who waits
)

// The moments that [Hooks] are told of.
const (
	MomentRetry       = "retry"       // the same bytes are handed over once more
	MomentAnew        = "anew"        // refused, and made anew
	MomentUnsponsored = "unsponsored" // the paymaster does not pay, the account does
	MomentSettled     = "settled"     // an earlier one in doubt was sent again
	MomentReplace     = "replace"     // it takes the place of one that is stuck
	MomentStopped     = "stopped"     // a session that was revoked, or the kill switch, held it back
	MomentTakeover    = "takeover"    // Run goes on with a send that was left behind
	MomentTrouble     = "trouble"     // work in the background failed, and is tried again
)

// observer is what the configuration's providers, logger and hooks make.
func (cfg *SenderConfig) observer() (*observe.Observer, error) {
	event := func(e observe.Event) Event { return Event(e) }
	return observe.New(observe.Config{
		Tracers: cfg.TracerProvider, Meters: cfg.MeterProvider, Logger: cfg.Logger,
		Hooks: observe.Hooks{
			Begin: observe.As(cfg.Hooks.Begin, event), End: observe.As(cfg.Hooks.End, event),
			Moment: observe.As(cfg.Hooks.Moment, event),
		},
		ChainID: cfg.ChainID, EntryPoint: cfg.EntryPoint, Judge: judgeFault,
	})
}

// observed is embedded by what has an observer.
type observed = observe.Bound
