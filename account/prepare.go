package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// PrepareGrant prepares what [OwnedAccount.Grant] would sign and send, for an owner who signs elsewhere: it
// is checked, priced and, with [Sponsored], sponsored as a grant is, and refused for the same reasons. The
// owner may be an [OwnerAddress]; the account need not be deployed.
//
// Nothing is stored, and nobody else is held up: until [Client.Submit] is given the signature, other grants,
// revocations and sends go on, and the first change of the sessions or modules that lands makes this one an
// error matching [session.ErrConflict] there. Sends in lane 0 do not, since what is prepared has its nonce in
// a lane of its own, the same for all of them unless [WithLane] or [WithNonce] choose another: the first that
// lands ends the others, also those that were signed and not submitted.
//
// The session keys that the policies name are made before, as for a grant; those of grants that were never
// submitted [session.UnusedKeys] lists.
//
// A sponsorship is part of what is signed, and has an end of its own, often after minutes: a signature that
// comes later is an error matching [userop.ErrExpired], and the operation is prepared anew.
func (o *OwnedAccount) PrepareGrant(ctx context.Context, store session.Store, policies []policy.Policy, opts ...Option) (*Prepared, error) {
	s, err := prepareSettings(opts, forBatches, routerDespiteFunds, replaceRoot, allowDanger)
	if err == nil {
		err = checkStore(store)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare a grant: %w", err)
	}
	leg, err := o.prepareGrant(ctx, store, policies, policy.Window{}, s)
	return sealOne(leg, err, "prepare a grant")
}

// checkStore returns an error for no store.
func checkStore(store session.Store) error {
	if store == nil {
		return fmt.Errorf("%w: no store of sessions", ErrConfig)
	}
	return nil
}

// prepareGrant prepares a grant as one leg.
func (o *OwnedAccount) prepareGrant(ctx context.Context, store session.Store, policies []policy.Policy, window policy.Window, s *settings) (*preparedLeg, error) {
	asked, err := o.askedGrant(policies, s)
	if err != nil {
		return nil, err
	}
	sess, plan, calls, err := o.planGrant(ctx, store, policies, s)
	if err != nil {
		return nil, err
	}
	return o.prepareRootLeg(ctx, sess, plan, calls, window, kindGrant, asked, s)
}

// PrepareRevoke prepares what [OwnedAccount.Revoke] would sign and send, for an owner who signs elsewhere;
// see [OwnedAccount.PrepareGrant]. The session acts until the revocation is submitted, unless [StopNow] stops
// it here before anything else.
func (o *OwnedAccount) PrepareRevoke(ctx context.Context, sess *session.Sessions, id string, opts ...Option) (*Prepared, error) {
	return o.PrepareRevokeEach(ctx, sess, []string{id}, opts...)
}

// PrepareRevokeEach is [OwnedAccount.PrepareRevoke] for several sessions in one operation.
func (o *OwnedAccount) PrepareRevokeEach(ctx context.Context, sess *session.Sessions, ids []string, opts ...Option) (*Prepared, error) {
	return o.prepareRevoke(ctx, sess, ids, func() error { return sess.Suspend(ctx, ids...) },
		func(sess *session.Sessions) (*session.RootChange, error) { return sess.PlanRevoke(ids...) }, nil, opts)
}

// PrepareRevokeAll prepares what [OwnedAccount.RevokeAll] would sign and send; see
// [OwnedAccount.PrepareRevoke].
func (o *OwnedAccount) PrepareRevokeAll(ctx context.Context, sess *session.Sessions, opts ...Option) (*Prepared, error) {
	return o.prepareRevoke(ctx, sess, nil, func() error { return sess.SuspendAll(ctx) },
		(*session.Sessions).PlanRevokeAll, o.planRouterOff, opts, keepRouter)
}

func (o *OwnedAccount) prepareRevoke(ctx context.Context, sess *session.Sessions, ids []string, stop func() error, decide rootDecision, modules modulePlan, opts []Option, takes ...string) (*Prepared, error) {
	s, err := prepareSettings(opts, append(takes, replaceRoot, stopNow)...)
	owns := o.owns(sess)
	if owns == nil && asksToStop(opts) { // also with options that are wrong
		err = errors.Join(stop(), err)
	}
	if err = errors.Join(owns, err); err != nil {
		return nil, fmt.Errorf("prepare a revocation: %w", err)
	}
	leg, err := o.prepareDecided(ctx, sess, kindRevoke, ids, decide, modules, s)
	return sealOne(leg, err, "prepare a revocation")
}

// asksToStop reports whether [StopNow] is among the options, whatever else is.
func asksToStop(opts []Option) bool {
	s := new(settings)
	for _, opt := range opts {
		opt(s)
	}
	return s.has(stopNow)
}

// PrepareRestore prepares what [OwnedAccount.Restore] would sign and send, for an owner who signs elsewhere;
// see [OwnedAccount.PrepareGrant].
func (o *OwnedAccount) PrepareRestore(ctx context.Context, sess *session.Sessions, ids []string, opts ...Option) (*Prepared, error) {
	s, err := prepareSettings(opts, replaceRoot)
	if err = errors.Join(o.owns(sess), err); err != nil {
		return nil, fmt.Errorf("prepare to restore sessions: %w", err)
	}
	leg, err := o.prepareDecided(ctx, sess, kindRestore, ids, func(sess *session.Sessions) (*session.RootChange, error) { return sess.PlanRestore(ids...) }, nil, s)
	return sealOne(leg, err, "prepare to restore sessions")
}

// prepareDecided prepares the root that decide makes of the sessions as they are now.
func (o *OwnedAccount) prepareDecided(ctx context.Context, sess *session.Sessions, kind string, ids []string, decide rootDecision, modules modulePlan, s *settings) (*preparedLeg, error) {
	sess = sess.On(o.client)
	plan, calls, err := o.planRoot(ctx, sess, decide, modules, s)
	if err != nil {
		return nil, err
	}
	return o.prepareRootLeg(ctx, sess, plan, calls, policy.Window{}, kind, askedRoot(ids, s), s)
}

// prepareRootLeg prepares an operation that makes the calls and sets the root of the plan.
func (o *OwnedAccount) prepareRootLeg(ctx context.Context, sess *session.Sessions, plan *session.RootChange, calls []Call, window policy.Window, kind string, asked []string, s *settings) (*preparedLeg, error) {
	draft, err := o.rootDraft(ctx, plan, calls, s)
	if err != nil {
		return nil, err
	}
	leg := &preparedLeg{Kind: kind, Asked: describeAsked(asked), Root: plan.Plan()}
	draft.Checks = append(draft.Checks, func(ctx context.Context) (err error) {
		leg.Keys, err = heldKeys(ctx, sess, leg.keyAddresses())
		return err
	})
	return leg, o.prepareLeg(ctx, draft, leg, window, s)
}

// heldKeys returns those of the keys that the store of the sessions holds, if it holds any.
func heldKeys(ctx context.Context, sess *session.Sessions, keys []common.Address) ([]common.Address, error) {
	ring, ok := sess.Store().(session.Keyring)
	if !ok || len(keys) == 0 {
		return nil, nil
	}
	held, err := ring.Keys(ctx, sess.Ref())
	if err != nil {
		return nil, fmt.Errorf("keys of %s: %w", sess.Ref(), err)
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key common.Address) bool { return !slices.Contains(held, key) }), nil
}

// PrepareSend prepares what [OwnedAccount.Send] would sign and send, for an owner who signs elsewhere; see
// [OwnedAccount.PrepareGrant]. An account without code is deployed with it.
func (o *OwnedAccount) PrepareSend(ctx context.Context, calls []Call, opts ...Option) (*Prepared, error) {
	s, err := prepareSettings(opts)
	if err != nil {
		return nil, err
	}
	return o.prepareCalls(ctx, s, ownerJob{kind: kindSend, asked: askedCalls(calls), plan: func(context.Context, *settings) ([]Call, *settings, error) {
		return calls, nil, nil
	}})
}

// PrepareDeploy is [OwnedAccount.PrepareSend] for [OwnedAccount.Deploy].
func (o *OwnedAccount) PrepareDeploy(ctx context.Context, opts ...Option) (*Prepared, error) {
	s, err := prepareSettings(opts)
	if err != nil {
		return nil, fmt.Errorf("deploy account %s: %w", o.address, err)
	}
	draft, err := o.deployDraft(ctx, s)
	leg := &preparedLeg{Kind: kindDeploy}
	if err == nil {
		err = o.prepareLeg(ctx, draft, leg, policy.Window{}, s)
	}
	return sealOne(leg, err, "prepare to deploy account "+o.address.Hex())
}

// PrepareEnableModule is [OwnedAccount.PrepareSend] for [OwnedAccount.EnableModule].
func (o *OwnedAccount) PrepareEnableModule(ctx context.Context, module common.Address, opts ...Option) (*Prepared, error) {
	return o.prepareJob(ctx, o.enableModule(module), opts)
}

// PrepareSetupAndEnableModule is [OwnedAccount.PrepareSend] for [OwnedAccount.SetupAndEnableModule].
func (o *OwnedAccount) PrepareSetupAndEnableModule(ctx context.Context, setupContract common.Address, setupData []byte, opts ...Option) (*Prepared, error) {
	return o.prepareJob(ctx, o.setupModule(setupContract, setupData), opts)
}

// PrepareDisableModule is [OwnedAccount.PrepareSend] for [OwnedAccount.DisableModule].
func (o *OwnedAccount) PrepareDisableModule(ctx context.Context, module common.Address, opts ...Option) (*Prepared, error) {
	return o.prepareJob(ctx, o.disableModule(module), opts)
}

// PrepareDisableRouter is [OwnedAccount.PrepareSend] for [OwnedAccount.DisableRouter].
func (o *OwnedAccount) PrepareDisableRouter(ctx context.Context, opts ...Option) (*Prepared, error) {
	return o.prepareJob(ctx, o.disableRouter(), opts)
}

// PrepareWithdraw is [OwnedAccount.PrepareSend] for [OwnedAccount.Withdraw].
func (o *OwnedAccount) PrepareWithdraw(ctx context.Context, withdrawals []Withdrawal, opts ...Option) (*Prepared, error) {
	return o.prepareJob(ctx, o.withdraw(withdrawals), opts)
}

// PrepareTransferOwnership is [OwnedAccount.PrepareSend] for [OwnedAccount.TransferOwnership].
func (o *OwnedAccount) PrepareTransferOwnership(ctx context.Context, to common.Address, opts ...Option) (*Prepared, error) {
	calls, err := o.planTransfer(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("transfer account %s to %s: %w", o.address, to, err)
	}
	return o.PrepareSend(ctx, calls, opts...)
}

// prepareJob prepares one of the owner's calls.
func (o *OwnedAccount) prepareJob(ctx context.Context, job ownerJob, opts []Option) (*Prepared, error) {
	s, err := prepareSettings(opts, job.takes...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", job.what, err)
	}
	return o.prepareCalls(ctx, s, job)
}

// prepareCalls prepares the calls that a job plans.
func (o *OwnedAccount) prepareCalls(ctx context.Context, s *settings, job ownerJob) (*Prepared, error) {
	leg := &preparedLeg{Kind: job.kind, Asked: describeAsked(job.asked)}
	draft, err := o.jobDraft(ctx, job, s)
	if err == nil {
		err = o.prepareLeg(ctx, draft, leg, policy.Window{}, s)
	}
	return sealOne(leg, err, "prepare an operation")
}

// sealOne makes a leg the only one of what is prepared.
func sealOne(leg *preparedLeg, err error, what string) (*Prepared, error) {
	var p *Prepared
	if err == nil {
		p, err = sealAll(leg)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return p, nil
}

// sealAll puts legs together that one signature is for: it is taken for as long as that of each.
func sealAll(legs ...*preparedLeg) (*Prepared, error) {
	p := &Prepared{owner: legs[0].owner, until: legs[0].signUntil}
	for _, leg := range legs {
		p.until = min(p.until, leg.signUntil)
		sealed := *leg
		sealed.owner, sealed.signUntil = common.Address{}, 0
		p.legs = append(p.legs, sealed)
	}
	return p, p.seal()
}

// preparedSigner stands for the owner while an operation of so many is prepared: it never signs.
type preparedSigner struct {
	account *OwnedAccount
	legs    int
}

// DummySignature implements [userop.Signer].
func (s preparedSigner) DummySignature(op *userop.Operation) ([]byte, error) {
	module := s.account.moduleFor(op)
	if module.Address == s.account.client.contracts.Multichain {
		return multichainDummy{module.Address, s.legs}.DummySignature(op)
	}
	return contracts.WrapSignature(dummyOwnerSignature, module.Address), nil
}

// Sign implements [userop.Signer]: it never does.
func (s preparedSigner) Sign(context.Context, *userop.Operation, common.Hash) ([]byte, error) {
	return nil, addressOwner(s.account.owner.Address()).signsElsewhere()
}

// Format writes what it is whatever the verb.
func (s preparedSigner) Format(f fmt.State, _ rune) { fmt.Fprint(f, "signer of a prepared operation") }

// moduleFor is the module that judges the owner's signature of an operation: the one that decided the
// account's address where the operation deploys it.
func (o *OwnedAccount) moduleFor(op *userop.Operation) *Module {
	if len(op.InitCode) > 0 {
		return &o.initial
	}
	return &o.active
}

// snapshot is what the chain shows of an account as an operation of it is prepared or submitted.
type snapshot struct {
	state *State
	// nonce is the next one of the operation's lane, time the block's.
	nonce uint256.Int
	time  uint64
	// registers says that the owner, whom a deployment would register, has code.
	ownerHasCode bool
}

// readSnapshot reads it in one request; lane is that of the operation.
func (a *Account) readSnapshot(ctx context.Context, lane *uint256.Int, owner common.Address) (*snapshot, error) {
	entryPoint := a.client.contracts.EntryPoint
	state, results, err := a.readState(ctx, contracts.Read{To: entryPoint, Data: contracts.GetNonce(a.address, *lane)}, contracts.Read{To: owner})
	if err != nil {
		return nil, err
	}
	seen := &snapshot{state: state, time: results[0].BlockTime, ownerHasCode: results[1].HasCode}
	if err := decodeResult(&results[0], "getNonce", into(&seen.nonce, contracts.DecodeUint256)); err != nil {
		return nil, fmt.Errorf("EntryPoint %s: %w", entryPoint, err)
	}
	return seen, nil
}

// clock is the chain's time, or the wall clock's where that is later, in unix seconds.
func (s *snapshot) clock() uint64 { return max(s.time, uint64(max(time.Now().Unix(), 0))) }

// prepareLeg completes the leg with the operation that the draft makes.
func (o *OwnedAccount) prepareLeg(ctx context.Context, draft *userop.Draft, leg *preparedLeg, window policy.Window, s *settings) error {
	if err := o.checkSignsElsewhere(); err != nil {
		return err
	}
	var chosen *preparedWindow
	if window != (policy.Window{}) {
		until, after, err := window.Seconds()
		if err != nil {
			return err
		}
		chosen = &preparedWindow{Until: until, After: after}
	}
	var seen *snapshot
	draft.Checks = append(draft.Checks, func(ctx context.Context) (err error) {
		if seen, err = o.readSnapshot(ctx, new(uint256.Int), o.initialOwner()); err != nil {
			return err
		}
		if now := seen.clock(); chosen != nil && chosen.Until != 0 && chosen.Until < now {
			return fmt.Errorf("%w: its window, %s, is over: it is %s", policy.ErrInvalid, window, timeText(now))
		}
		return nil
	})
	op, err := o.client.sender.BuildUnsigned(ctx, *draft)
	if err != nil {
		return err
	}
	op.Signature = nil
	if len(op.InitCode) > 0 && seen.ownerHasCode {
		return fmt.Errorf("%w: account %s is not deployed, and the ownership module registers no owner that has code, as %s has: one that delegates to a contract (EIP-7702) has to end that first", policy.ErrInvalid, o.address, o.initialOwner())
	}
	module := o.moduleFor(op)
	signer, _ := ability.Find[ownerSigner](module.Signer)
	leg.owner = (*signer.owner).Address()
	leg.signUntil = seen.clock() + uint64(s.signWithin/time.Second)
	leg.ChainID, leg.Account, leg.Module = o.client.chainID, o.address, module.Address
	leg.Contracts = preparedContractsOf(&o.client.contracts)
	leg.OpHash, leg.Operation = o.client.hash(op), preparedOperationOf(op)
	leg.ChainRoot, leg.Modules, leg.Unchecked = seen.state.SessionRoot, seen.state.Modules, s.unchecked
	if s.quote != nil {
		leg.Fee = &preparedFee{Token: s.quote.Token, Max: (*hexutil.U256)(s.quote.MaxFee.Clone())}
	}
	if module.Address == o.client.contracts.Multichain {
		if leg.Window = chosen; chosen == nil {
			leg.Window = &preparedWindow{Until: leg.signUntil}
		}
	}
	return nil
}

// timeText is a moment in unix seconds as a message has it.
func timeText(seconds uint64) string { return time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339) }

// initialOwner is who a deployment registers as the owner.
func (o *OwnedAccount) initialOwner() common.Address { return contracts.SetupOwner(o.initial.Setup) }

// checkSignsElsewhere returns an error unless both modules take an owner's signature, whoever makes it.
func (o *OwnedAccount) checkSignsElsewhere() error {
	for _, module := range []*Module{&o.initial, &o.active} {
		if _, ok := ability.Find[ownerSigner](module.Signer); !ok || !o.isOwnershipModule(module.Address) {
			return fmt.Errorf("%w: account %s signs through module %s; what is signed elsewhere is for the two ownership modules", ErrConfig, o.address, module.Address)
		}
	}
	return nil
}
