package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/userop"
)

// OwnedAccount is a smart account with its owner at hand: it signs as the owner, deploys the account with its
// first operation, and grants and revokes sessions. It is safe for concurrent use.
type OwnedAccount struct {
	Account
	owner Owner
	// initial decided the address, and is all that a new account listens to; active signs.
	initial, active Module
	initCode        []byte
	optionsErr      error // of options, told by the first operation
}

// OwnedOption changes which account of an owner [Client.OwnedAccount] returns.
type OwnedOption func(*ownedSettings)

type ownedSettings struct {
	index           uint64
	multichain      bool
	initial, active *Module
	address         *common.Address
	none            bool // one of the options is nil
}

// Index chooses among the accounts of one owner; 0 is the first.
func Index(index uint64) OwnedOption { return func(o *ownedSettings) { o.index = index } }

// Multichain makes the multichain module the account's ownership module. It decides the address.
func Multichain() OwnedOption { return func(o *ownedSettings) { o.multichain = true } }

// DefaultModule makes any module the one that decides the address and that the account is deployed with.
func DefaultModule(m Module) OwnedOption { return func(o *ownedSettings) { o.initial = &m } }

// ActiveModule has operations signed through another module than the one that decided the address. It has to
// be enabled on the account; the operation that deploys the account is still signed through the default
// module, and can enable this one.
func ActiveModule(m Module) OwnedOption { return func(o *ownedSettings) { o.active = &m } }

// AtAddress names an account that is deployed already and whose address does not follow from its owner: one
// that changed hands, or that another factory made.
func AtAddress(address common.Address) OwnedOption {
	return func(o *ownedSettings) { o.address = &address }
}

// OwnedAccount returns the account of an owner, by default the one whose address the factory derives from the
// owner and the ECDSA ownership module. It does no I/O; the account need not be deployed. What is wrong with
// the options is an error of the first operation. A nil owner is for modules that bring their own signer.
func (c *Client) OwnedAccount(owner Owner, opts ...OwnedOption) *OwnedAccount {
	if owner == nil {
		owner = KeyOwner(nil)
	}
	var o ownedSettings
	for _, opt := range opts {
		if o.none = o.none || opt == nil; opt != nil {
			opt(&o)
		}
	}
	account := &OwnedAccount{owner: owner, initial: c.ECDSAModule(owner), optionsErr: o.conflict()}
	switch {
	case o.initial != nil:
		account.initial = *o.initial
	case o.multichain:
		account.initial = c.MultichainModule(owner)
	}
	account.active = account.initial
	if o.active != nil {
		account.active = *o.active
	}
	if signer, ok := ability.Find[ownerSigner](account.active.Signer); ok {
		account.owner = *signer.owner // who may be another one than at the default module
	}
	if o.address != nil {
		account.Account = Account{client: c, address: *o.address}
		return account
	}
	module, setup := account.initial.Address, account.initial.Setup
	account.Account = Account{client: c, address: c.contracts.counterfactualAddress(module, setup, o.index)}
	account.initCode = c.contracts.initCode(module, setup, o.index)
	return account
}

// conflict returns an error if options contradict each other.
func (o *ownedSettings) conflict() error {
	switch {
	case o.none:
		return fmt.Errorf("%w: an option of OwnedAccount is nil", ErrConfig)
	case o.multichain && o.initial != nil:
		return fmt.Errorf("%w: Multichain and DefaultModule each choose the module that decides the address; use one", ErrConfig)
	case o.address != nil && o.index != 0:
		return fmt.Errorf("%w: AtAddress and Index each choose the account; use one", ErrConfig)
	}
	return nil
}

// Owner returns the owner: who signs through the active module, where that is an ownership module.
func (o *OwnedAccount) Owner() Owner { return o.owner }

// InitCode returns the code that deploys the account, nil for one named [AtAddress].
func (o *OwnedAccount) InitCode() []byte { return append([]byte(nil), o.initCode...) }

// Signer returns the owner's signer of operations.
func (o *OwnedAccount) Signer() userop.Signer {
	if o.active.Address == o.initial.Address {
		return o.active.Signer
	}
	return &handoverSigner{initial: o.initial.Signer, active: o.active.Signer}
}

// Send makes the account do calls in one operation, signed by the owner unless an option names another
// signer. An account without code is deployed with it.
func (o *OwnedAccount) Send(ctx context.Context, calls []Call, opts ...Option) (tx *userop.Pending, err error) {
	ctx, sending := o.client.beginSend(ctx, o.address)
	defer func() { sending.End(ctx, observe.SendEnd(tx, err)) }()
	s, err := sendSettings(opts)
	if err != nil {
		return nil, err
	}
	if o.client.writesDown(s) {
		return o.client.sendOnce(ctx, o.address, s, kindSend, askedCalls(calls), func(ctx context.Context) (*userop.Draft, error) {
			return o.draft(ctx, calls, s)
		})
	}
	s.remembers = true // under a key, the chain has the last word on the nonce
	draft, err := o.draft(ctx, calls, s)
	if err != nil {
		return nil, err
	}
	return o.client.sender.Send(ctx, *draft)
}

// Build makes and signs the operation that [OwnedAccount.Send] would send.
func (o *OwnedAccount) Build(ctx context.Context, calls []Call, opts ...Option) (*userop.Operation, error) {
	if err := o.client.unwritten("Build signs no operation", "Send writes down what it signs"); err != nil {
		return nil, err
	}
	draft, err := o.newDraft(ctx, calls, opts)
	if err != nil {
		return nil, err
	}
	return o.client.sender.Build(ctx, *draft)
}

// Estimate is [Account.Estimate] for what [OwnedAccount.Send] would send, the deployment included where it is
// still to come.
func (o *OwnedAccount) Estimate(ctx context.Context, calls []Call, opts ...Option) (*userop.Estimate, error) {
	s, err := uncapped(opts)
	if err != nil {
		return nil, err
	}
	draft, err := o.draft(ctx, calls, s)
	if err != nil {
		return nil, err
	}
	return o.client.sender.Estimate(ctx, *draft)
}

// Deploy deploys the account with an operation that does nothing else. There is no need to: the account's
// first operation deploys it too, for less. An account that has code is an error matching [ErrDeployed].
func (o *OwnedAccount) Deploy(ctx context.Context, opts ...Option) (*userop.Pending, error) {
	s, err := sendSettings(opts)
	if err != nil {
		return nil, fmt.Errorf("deploy account %s: %w", o.address, err)
	}
	if o.client.writesDown(s) {
		return o.client.sendOnce(ctx, o.address, s, kindDeploy, nil, func(ctx context.Context) (*userop.Draft, error) {
			return o.deployDraft(ctx, s)
		})
	}
	draft, err := o.deployDraft(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("deploy account %s: %w", o.address, err)
	}
	return o.client.sender.Send(ctx, *draft)
}

// ownerJob is something that the owner has the account do, other than to change the session root.
type ownerJob struct {
	// kind and asked tell sends under a key apart, what is for errors, and takes are the special options.
	kind, what string
	asked      []string
	takes      []string
	// plan decides on the calls, and on other settings for their operation, nil for the same.
	plan func(context.Context, *settings) ([]Call, *settings, error)
}

// sendJob sends what a job plans: once, where the options have a key.
func (o *OwnedAccount) sendJob(ctx context.Context, job ownerJob, opts []Option) (*userop.Pending, error) {
	s, err := sendSettings(opts, job.takes...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", job.what, err)
	}
	if o.client.writesDown(s) {
		return o.client.sendOnce(ctx, o.address, s, job.kind, job.asked, func(ctx context.Context) (*userop.Draft, error) {
			return o.jobDraft(ctx, job, s)
		})
	}
	draft, err := o.jobDraft(ctx, job, s)
	if err != nil {
		return nil, err
	}
	return o.client.sender.Send(ctx, *draft)
}

// jobDraft is the draft of the calls that a job plans.
func (o *OwnedAccount) jobDraft(ctx context.Context, job ownerJob, s *settings) (*userop.Draft, error) {
	calls, planned, err := job.plan(ctx, s)
	switch {
	case err != nil && job.what != "":
		return nil, fmt.Errorf("%s: %w", job.what, err)
	case err != nil:
		return nil, err
	case planned == nil:
		planned = s
	}
	return o.draft(ctx, calls, planned)
}

func (o *OwnedAccount) deployDraft(ctx context.Context, s *settings) (*userop.Draft, error) {
	if s.namesSigner() {
		return nil, fmt.Errorf("%w: the owner deploys the account, through the module that decided its address", ErrConfig)
	}
	if s.batch {
		return nil, fmt.Errorf("%w: AsBatch does not apply here: a deployment makes no call", ErrConfig)
	}
	if s.quote != nil || s.approval != nil {
		return nil, fmt.Errorf("%w: an account without code can allow nobody to take tokens; pay in them for a first operation that has the approval", ErrConfig)
	}
	if err := s.checkContext(); err != nil {
		return nil, err
	}
	s, err := o.signedByOwner(s)
	if err != nil {
		return nil, err
	}
	initCode, err := o.initCodeIfNeeded(ctx)
	if err == nil && initCode == nil {
		err = ErrDeployed
	}
	if err != nil {
		return nil, err
	}
	draft := o.client.baseDraft(o.address, nil, s)
	o.forOwner(draft, s)
	return draft, nil
}

// CheckAddress returns an error unless the factory itself gives the account this very address. It is for
// deployments that are new to the caller, before money is sent to an account without code: an operation with
// the wrong address is refused by the EntryPoint in any case. A node of another chain is an error matching
// [userop.ErrWrongChain].
func (o *OwnedAccount) CheckAddress(ctx context.Context) error {
	if o.initCode == nil {
		return fmt.Errorf("%w: account %s was named by its address, no factory decides it", ErrConfig, o.address)
	}
	if err := o.client.refuseOtherChain(ctx); err != nil {
		return fmt.Errorf("address of account %s: %w", o.address, err)
	}
	factory := common.BytesToAddress(o.initCode[:common.AddressLength])
	where := contracts.GetAddressForCounterFactualAccount(o.initCode[common.AddressLength:])
	results, err := batchRead(ctx, o.client.chain, nil, contracts.Read{To: factory, Data: where})
	if err != nil {
		return fmt.Errorf("address of account %s: %w", o.address, err)
	}
	var address common.Address
	if err := decodeResult(&results[0], "getAddressForCounterFactualAccount", into(&address, contracts.DecodeAddress)); err != nil {
		return fmt.Errorf("factory %s: %w", factory, err)
	}
	if address != o.address {
		return fmt.Errorf("%w: factory %s puts the account at %s, not at %s; ReadContracts reads what belongs to that factory", ErrConfig, factory, address, o.address)
	}
	return nil
}

// newDraft is the draft of an operation that makes the calls, as the options have it.
func (o *OwnedAccount) newDraft(ctx context.Context, calls []Call, opts []Option) (*userop.Draft, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	return o.draft(ctx, calls, s)
}

// draft is [OwnedAccount.newDraft] with the options put together.
func (o *OwnedAccount) draft(ctx context.Context, calls []Call, s *settings) (*userop.Draft, error) {
	if s.namesSigner() {
		return o.Account.draft(ctx, calls, s)
	}
	s, err := o.signedByOwner(s)
	if err != nil {
		return nil, err
	}
	draft, err := o.client.draft(o.address, calls, s)
	if err != nil {
		return nil, err
	}
	o.forOwner(draft, s)
	return draft, nil
}

// signedByOwner are the settings with the owner as the one who signs.
func (o *OwnedAccount) signedByOwner(s *settings) (*settings, error) {
	if err := o.checkModules(); err != nil {
		return nil, fmt.Errorf("account %s: %w", o.address, err)
	}
	signed := *s
	if s.prepared > 0 {
		signed.signer = preparedSigner{o, s.prepared}
		return &signed, nil
	}
	if elsewhere, ok := o.owner.(addressOwner); ok && !s.unsigned && o.signsAsOwner() {
		return nil, elsewhere.signsElsewhere() // before any service is asked
	}
	signed.signer = o.Signer()
	return &signed, nil
}

// signsAsOwner reports whether the owner's own signature is what the active module takes.
func (o *OwnedAccount) signsAsOwner() bool {
	_, ok := ability.Find[ownerSigner](o.active.Signer)
	return ok
}

// forOwner makes a draft one of the owner's: it can deploy the account, and is for its owner alone.
func (o *OwnedAccount) forOwner(draft *userop.Draft, s *settings) {
	draft.InitCode = o.initCodeIfNeeded
	if s.initCode != nil {
		draft.InitCode = s.initCode
	}
	if !s.unchecked {
		draft.Checks = append(draft.Checks, o.checkOwnership)
	}
	if draft.Forget != nil {
		key, _ := o.ownership()
		o.client.rereadRefused(draft, s, key)
	}
	if signer, ok := draft.Signer.(*switched); ok {
		draft.Guard = signer.mayHandOut
	}
}

// checkModules judges the choice of the account and its modules.
func (o *OwnedAccount) checkModules() error {
	if o.optionsErr != nil {
		return o.optionsErr
	}
	if o.initCode != nil {
		if err := o.initial.check("default"); err != nil {
			return err
		}
		if len(o.initial.Setup) == 0 {
			return fmt.Errorf("%w: default module %s without the setup data that a new account registers with", ErrConfig, o.initial.Address)
		}
	}
	return o.active.check("active")
}

// initCodeIfNeeded is the init code of an account that may still have to be deployed.
func (o *OwnedAccount) initCodeIfNeeded(ctx context.Context) ([]byte, error) {
	o.client.observer.Note(ctx, "deployed")
	deployed, err := o.hasCode(ctx)
	switch {
	case err != nil || deployed:
		return nil, err
	case o.initCode == nil:
		return nil, o.notDeployedError()
	}
	return o.initCode, nil
}
