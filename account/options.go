package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/lanekey"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// Option changes how one operation is made. Options that contradict each other are an error matching
// [ErrConfig].
type Option func(*settings)

// settings are the options of one operation. They are put together and judged once, where the call comes in,
// and are not changed after that: what needs other ones makes a copy.
type settings struct {
	leaves        []session.LeafRef
	leafOf        *session.Sessions
	onlyLeaf      bool // of leafOf there is to be nothing to choose
	signer        userop.Signer
	sponsored     bool
	orSelf        bool
	quote         *userop.FeeQuote
	approval      *approval
	payContext    any
	forQuote      bool   // the operation is to be quoted, not sent
	approvalCalls []Call // of a quoted operation; they go before its own
	batch         bool
	unchecked     bool
	dangers       []policy.FindingCode // that a grant may have
	changing      *session.Sessions    // of OfSessions
	special       []specialOption
	key           string // of Once, or the client's own
	always        bool   // it takes rights away: no budget and no stop is in its way
	beforeSend    func(ctx context.Context, op *userop.Operation, hash common.Hash) error
	nonce         *uint256.Int
	remembers     bool                                  // the nonce may be one that the last end showed
	taken         []uint256.Int                         // nonces that are others', as an outbox has it
	unsigned      bool                                  // nothing is signed here
	prepared      int                                   // of so many operations one signature is made elsewhere; 0 for none
	signWithin    time.Duration                         // is how long a prepared operation waits for it
	initCode      func(context.Context) ([]byte, error) // of a leg, instead of the account's
	kept          *keptPrepared
	lane          *uint256.Int
	lanes         *Lanes
	fees          userop.Fees
	gas           userop.Gas
	margins       userop.Margins
	caps          *userop.Caps
	overrides     userop.StateOverride
	// given, where it is set, are the fees and gas limits of the caller: those above are partly what services
	// proposed, and bounded like that.
	given *costs
	errs  []error
}

// costs are the fees and gas limits that a caller gave.
type costs struct {
	fees userop.Fees
	gas  userop.Gas
}

// callersCosts are the fees and gas limits that are the caller's own word.
func (s *settings) callersCosts() costs {
	if s.given != nil {
		return *s.given
	}
	return costs{fees: s.fees, gas: s.gas}
}

// WithSession acts with a session leaf: one for a single call, or one for each call of a batch in their
// order.
func WithSession(leaves ...session.LeafRef) Option {
	return func(s *settings) {
		s.require(len(leaves) > 0, "WithSession without a leaf")
		s.require(s.leaves == nil, "WithSession twice")
		s.leaves = leaves
	}
}

// WithLeafOf acts with the leaf, or one for each call, whose policy allows it, as the store is then: of
// several the one that lasts longest (see [session.Sessions.Find]). None is an error matching
// [session.ErrNoLeaf].
func WithLeafOf(sess *session.Sessions) Option { return leafOf("WithLeafOf", sess, false) }

// WithOnlyLeafOf is [WithLeafOf] where there is nothing to choose: several leaves that allow a call are an
// error matching [session.ErrAmbiguous].
func WithOnlyLeafOf(sess *session.Sessions) Option { return leafOf("WithOnlyLeafOf", sess, true) }

func leafOf(option string, sess *session.Sessions, only bool) Option {
	return func(s *settings) {
		s.require(sess != nil, option+" without sessions")
		s.require(s.leafOf == nil, option+" beside other sessions to find a leaf in; use one")
		s.leafOf, s.onlyLeaf = sess, only
	}
}

// WithSigner has the operation signed by a signer of your own instead of a session or the owner.
func WithSigner(signer userop.Signer) Option {
	return func(s *settings) {
		s.require(signer != nil, "WithSigner without a signer")
		s.signer = signer
	}
}

// Sponsored asks the client's paymaster to pay. [Config].Paymasters says which contracts may.
func Sponsored() Option { return func(s *settings) { s.sponsored = true } }

// SponsoredOrSelf asks the client's paymaster to pay and, where it says that it does not, has the account pay
// itself. A paymaster that is out of reach, or has another objection, is an error all the same.
func SponsoredOrSelf() Option { return func(s *settings) { s.orSelf = true } }

// PaymasterContext tells the paymaster about this operation, such as a policy or the user, instead of what
// its client was made with: Biconomy's webhook gets it as webhookData, an ERC-7677 service as its context. It
// is marshalled to JSON.
func PaymasterContext(data any) Option {
	return func(s *settings) {
		s.require(data != nil, "PaymasterContext without data")
		s.payContext = data
	}
}

// AsBatch sends even a single call as a batch, with a session through the batched session router.
func AsBatch() Option { return func(s *settings) { s.batch = true } }

// ForBatches makes a grant enable the batched session router too, so that the session can be used for several
// calls in one operation.
//
// The deployed router has a hole: it lets pass an empty batch under anybody's signature, and the account pays
// its gas. While it is enabled, anybody can burn all that the account holds of the chain's own currency and
// as a deposit at the EntryPoint, also when every session is revoked; what arrives later is no safer. Tokens
// that a token paymaster is still allowed to take ([ApproveUnlimited]) can be spent in the same way, others
// are not touched. A grant with ForBatches is for accounts whose operations are sponsored: for one that holds
// balance or deposit it is refused with an error matching [ErrFundsAtRisk], unless [RouterDespiteFunds] asks
// for it; the allowances are for the caller to know. [OwnedAccount.DisableRouter] closes the hole, and so
// does [OwnedAccount.RevokeAll].
func ForBatches() Option { return special(forBatches, "a grant") }

// RouterDespiteFunds goes with [ForBatches], or with enabling the batched session router as a module: it is
// enabled although the account holds funds that anybody can then burn as gas.
func RouterDespiteFunds() Option {
	return special(routerDespiteFunds, "a grant with ForBatches, and for enabling the batched session router")
}

// KeepRouter leaves the batched session router enabled in an [OwnedAccount.RevokeAll], and with it the hole
// that [ForBatches] tells about.
func KeepRouter() Option { return special(keepRouter, "RevokeAll") }

// Unchecked leaves the judgement of a session to the chain: policies, windows, the session root and enabled
// modules are not looked at before sending, and neither is who owns the account, or has tokens for the fee of
// [PayWith]. A revoked session is refused all the same, and what bounds a cost or a fee still does.
func Unchecked() Option { return func(s *settings) { s.unchecked = true } }

// ReplaceRoot lets a grant or revocation replace a session root on chain that the store does not know. Every
// session under that root is cancelled, those of other backends too. A change of the store's that still waits
// is given up at once, if it cannot land any more ([session.Sessions.Abandon]), whatever becomes of this one.
func ReplaceRoot() Option { return special(replaceRoot, "what sets the session root") }

// AllowDanger lets a grant have what [policy.Lint] calls a danger, by the codes of those findings: the key
// may then be able to take the account over, or its tokens. Without it such a grant is refused.
func AllowDanger(codes ...policy.FindingCode) Option {
	return func(s *settings) {
		s.require(len(codes) > 0, "AllowDanger without the code of a finding")
		s.dangers = append(s.dangers, codes...)
		special(allowDanger, "a grant")(s)
	}
}

// Once makes the send happen at most once under the key: an idempotency key of the caller's, such as the
// number of an order, which belongs to the account on its chain. It needs [Config].Outbox.
//
// What was signed is written down before any service gets it. The same key again, in any process that shares
// the outbox, sends nothing new: it returns the operation that was sent, which is waited for as ever, or how
// the chain ended it. For other calls it is an error matching [ErrKeyReused]. After an error send again under
// the same key, as often as it takes: what was given to a service keeps the key and its nonce, a refusal
// being that service's word, so that what is signed anew under the key has the same nonce and one of them can
// land at most. What was given to none frees the key, and the error says so.
//
// A key is kept for as long as its send is open, and for [Config].Keep after its end. What the chain shows to
// have ended without landing ([userop.ErrReplaced], [userop.ErrExpired]) stays so under its key: another try
// takes another key. [Client.Run] goes on with what a process left behind.
func Once(key string) Option {
	return func(s *settings) {
		if err := outbox.CheckKey(key); err != nil {
			s.errs = append(s.errs, fmt.Errorf("Once: %w", err))
		}
		s.require(named(key), "Once with a key that begins as those of the client's own do")
		s.require(s.key == "" || s.key == key, "Once with two keys")
		s.key = key
		special(once, "a send of one operation")(s)
	}
}

// BeforeSend has the signed operation and its userOpHash given to a function before anything is sent, such as
// one that writes them into a table of the caller's. If it fails, nothing is. It may be called again in one
// send, for an operation that takes the place of one that was refused.
func BeforeSend(hook func(ctx context.Context, op *userop.Operation, hash common.Hash) error) Option {
	return func(s *settings) {
		s.require(hook != nil, "BeforeSend without a function")
		s.require(s.beforeSend == nil, "BeforeSend twice")
		s.beforeSend = hook
		special(beforeSend, "a send")(s)
	}
}

// WithNonce uses this nonce, 0 included, instead of reading it. An operation gets the nonce of another one by
// this alone, or by a Replace or Cancel ([Account.Replace]), which see to the rest: while sending one has
// failed and left open whether it was accepted, the client gives its nonce to no other.
func WithNonce(nonce *uint256.Int) Option {
	return func(s *settings) {
		s.require(nonce != nil, "WithNonce without a nonce")
		s.nonce = nonce
	}
}

// WithLane reads the nonce in the lane of a 192-bit key. Operations in different lanes do not wait for each
// other.
func WithLane(key *uint256.Int) Option {
	return func(s *settings) {
		s.require(key != nil, "WithLane without a key")
		s.lane = key
	}
}

// InLane sends in a lane of its own, and waits for one while all are in use; see [Lanes].
func InLane(lanes *Lanes) Option {
	return func(s *settings) {
		s.require(lanes != nil, "InLane without lanes")
		s.lanes = lanes
	}
}

// WithFees uses these fees, in wei per gas, instead of asking for them. They are the caller's own word: the
// client's caps are all that bounds them.
func WithFees(fees userop.Fees) Option { return func(s *settings) { s.fees = fees } }

// WithGas uses these gas limits as they are; zero fields are estimated. They are the caller's own word: the
// client's caps are all that bounds them.
func WithGas(gas userop.Gas) Option { return func(s *settings) { s.gas = gas } }

// WithMargins raises what services propose by percentages.
func WithMargins(margins userop.Margins) Option { return func(s *settings) { s.margins = margins } }

// WithCaps refuses the operation before it is signed if it would cost more. It tightens what the client was
// made with, and what another WithCaps says, and never loosens it: the lowest cap holds, field by field. An
// estimate and a quote are held to no cap, and refuse the option: they are there to tell the number.
func WithCaps(caps userop.Caps) Option {
	return func(s *settings) {
		if s.caps != nil {
			caps = s.caps.TightenedBy(caps)
		}
		s.caps = &caps
	}
}

// WithOverrides changes the state for gas estimation only.
func WithOverrides(o userop.StateOverride) Option { return func(s *settings) { s.overrides = o } }

// OfSessions goes with a Replace or Cancel of what changes the session root, as a grant or a revocation: the
// sessions whose change it is. Their store waits for the new operation from then on, or has the change taken
// back once the cancellation landed. Without an operation named, it is the one that their change waits for.
func OfSessions(sess *session.Sessions) Option {
	return func(s *settings) {
		s.require(sess != nil, "OfSessions without sessions")
		s.require(s.changing == nil, "OfSessions twice")
		s.changing = sess
		special(ofSessions, "Replace and Cancel of what changes the session root")(s)
	}
}

// The names of the options that only some calls take.
const (
	forBatches         = "ForBatches"
	routerDespiteFunds = "RouterDespiteFunds"
	keepRouter         = "KeepRouter"
	replaceRoot        = "ReplaceRoot"
	allowDanger        = "AllowDanger"
	once               = "Once"
	beforeSend         = "BeforeSend"
	ofSessions         = "OfSessions"
)

// specialOption is an option that only some calls take.
type specialOption struct {
	name string
	// place says which calls take it.
	place string
}

func special(name, place string) Option {
	return func(s *settings) { s.special = append(s.special, specialOption{name, place}) }
}

// has reports whether a special option was given.
func (s *settings) has(name string) bool {
	return slices.ContainsFunc(s.special, func(o specialOption) bool { return o.name == name })
}

// uncapped are [newSettings] of a call that tells what an operation costs, whatever that is.
func uncapped(opts []Option) (*settings, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	if s.caps != nil {
		return nil, fmt.Errorf("%w: WithCaps does not apply here: an estimate or quote is told whatever it is; compare it, or cap the send", ErrConfig)
	}
	s.unsigned = true
	return s, nil
}

// sendSettings are [newSettings] of a call that sends one operation.
func sendSettings(opts []Option, takes ...string) (*settings, error) {
	return newSettings(opts, append(takes, once, beforeSend)...)
}

// newSettings puts the options together, and returns an error for those that contradict each other, or that
// the call does not take.
func newSettings(opts []Option, takes ...string) (*settings, error) {
	s := new(settings)
	for i, opt := range opts {
		if s.require(opt != nil, fmt.Sprintf("option %d is nil", i+1)); opt != nil {
			opt(s)
		}
	}
	for _, o := range s.special {
		s.require(slices.Contains(takes, o.name), o.name+" does not apply here: it is for "+o.place)
	}
	s.require(atMostOne(s.leaves != nil, s.leafOf != nil, s.signer != nil), "WithSession, WithLeafOf, WithOnlyLeafOf and WithSigner each name who signs; use one")
	s.require(atMostOne(s.nonce != nil, s.lane != nil, s.lanes != nil), "WithNonce, WithLane and InLane each choose the nonce; use one")
	if s.lane != nil && s.lane.BitLen() > lanekey.Bits {
		s.errs = append(s.errs, fmt.Errorf("lane key has %d bits, at most %d fit", s.lane.BitLen(), lanekey.Bits))
	}
	s.require(!s.unchecked || s.signer == nil || s.quote != nil, "Unchecked with WithSigner: nothing is checked for a signer of your own")
	s.require(len(s.overrides) == 0 || !s.givesAllGas(), "WithOverrides with all limits given by WithGas: nothing is estimated")
	s.checkPayer()
	if len(s.errs) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrConfig, errors.Join(s.errs...))
	}
	return s, nil
}

// require notes what is wrong with the options unless ok.
func (s *settings) require(ok bool, complaint string) {
	if !ok {
		s.errs = append(s.errs, errors.New(complaint))
	}
}

// namesSigner reports whether an option chooses who signs.
func (s *settings) namesSigner() bool {
	return s.leaves != nil || s.leafOf != nil || s.signer != nil
}

// givesAllGas reports whether no gas limit is left to be estimated.
func (s *settings) givesAllGas() bool {
	return !s.gas.CallGasLimit.IsZero() && !s.gas.VerificationGasLimit.IsZero() && !s.gas.PreVerificationGas.IsZero()
}

// findLeaves returns the leaves that are to sign the calls: those given, those found, or none. The store was
// read before.
func (s *settings) findLeaves(m policy.Modules, calls []Call) ([]session.LeafRef, error) {
	switch {
	case s.leafOf == nil:
		return s.leaves, nil
	case s.onlyLeaf:
		return s.leafOf.FindOnly(m, calls...)
	}
	return s.leafOf.Find(m, calls...)
}

// atMostOne reports whether not two of the choices were made.
func atMostOne(chosen ...bool) bool {
	n := 0
	for _, is := range chosen {
		if is {
			n++
		}
	}
	return n <= 1
}
