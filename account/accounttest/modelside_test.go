package accounttest_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// place is where a story plays: on the model, or on the real contracts.
type place interface {
	Config() account.Config
	Fund(ctx context.Context, address common.Address, wei *big.Int) error
	Transact(ctx context.Context, to common.Address, data []byte) error
	AdjustTime(d time.Duration) error
	// Pause keeps in flight what is sent from now on, until Resume.
	Pause()
	Resume()
	// SetOracle has prices of the token paymaster name an oracle.
	SetOracle(oracle common.Address)
}

// placeConfig is what a story needs of its place.
type placeConfig struct {
	broke bool // the paymasters have nothing to pay with
}

// modelPlace is the model as a place.
type modelPlace struct {
	*accounttest.Model
}

func newModelPlace(cfg placeConfig) place {
	config := accounttest.ModelConfig{}
	if cfg.broke {
		config.Deposit = new(big.Int)
	}
	return modelPlace{accounttest.NewModel(config)}
}

func (p modelPlace) SetOracle(oracle common.Address) { p.Paymaster.SetOracle(oracle) }

func (p modelPlace) Pause() { p.Bundler.Pause() }

func (p modelPlace) Resume() { p.Bundler.Resume() }

func (p modelPlace) Fund(ctx context.Context, address common.Address, wei *big.Int) error {
	return p.Chain.Fund(ctx, address, wei)
}

func (p modelPlace) Transact(ctx context.Context, to common.Address, data []byte) error {
	return p.Chain.SendTx(ctx, to, nil, data)
}

// chainPlace is a chain with the real contracts and its services.
type chainPlace struct {
	*accounttest.Chain
	config    account.Config
	bundler   *accounttest.Bundler
	paymaster *accounttest.Paymaster
	paused    *atomic.Bool
}

func newChainPlace(t *testing.T, cfg placeConfig) place {
	t.Helper()
	chain := accounttest.NewChain(t, accounttest.ChainConfig{})
	services := accounttest.PaymasterConfig{Chain: chain}
	if cfg.broke {
		services.Deposit = new(big.Int)
	}
	service := accounttest.NewBundler(t, accounttest.BundlerConfig{Chain: chain, Vendor: bundlertest.Pimlico, BundleInterval: time.Millisecond})
	send, paused := bundler.New(service.URL()), new(atomic.Bool)
	payer := accounttest.NewPaymaster(t, services)
	sponsor := paymaster.New(payer.URL())
	t.Cleanup(send.Close)
	t.Cleanup(sponsor.Close)
	return chainPlace{chain, account.Config{
		ChainID: chain.ChainID(), Chain: chain.Client(), Bundler: promptBundler{send, paused}, Paymaster: sponsor,
	}, service, payer, paused}
}

func (p chainPlace) SetOracle(oracle common.Address) { p.paymaster.SetOracle(oracle) }

func (p chainPlace) Pause() {
	p.paused.Store(true)
	p.bundler.Pause()
}

func (p chainPlace) Resume() {
	p.bundler.Resume()
	p.paused.Store(false)
}

func (p chainPlace) Config() account.Config { return p.config }

func (p chainPlace) Transact(ctx context.Context, to common.Address, data []byte) error {
	_, err := p.SendTx(ctx, to, nil, data)
	return err
}

// promptBundler has what it sends included, or given up, before it answers: the story need not wait for it.
type promptBundler struct {
	*bundler.Client
	paused *atomic.Bool
}

func (b promptBundler) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	hash, err := b.Client.SendUserOperation(ctx, op, entryPoint)
	for err == nil && !b.paused.Load() {
		if _, unknown := b.UserOperationReceipt(ctx, hash); unknown == nil {
			break
		}
		if dropped, _ := b.UserOperationDropped(ctx, hash); dropped {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	return hash, err
}

// Settled makes waits ask at once.
func (b promptBundler) Settled(common.Hash) <-chan struct{} {
	settled := make(chan struct{})
	close(settled)
	return settled
}

// side is a story on its way, at one of the places. What it tells has to be the same at both.
type side struct {
	testing.TB
	place
	client *account.Client
	store  *memstore.Store
	at     accounttest.Contracts
	begin  time.Time // the same on both sides
	told   []string

	accounts []*account.Account
	names    map[common.Address]string
	lanes    []uint64
	paid     map[common.Address]*uint256.Int                    // for gas, by the account itself
	fees     map[common.Address]map[common.Address]*uint256.Int // in tokens
}

func newSide(t testing.TB, p place, begin time.Time) *side {
	t.Helper()
	s := &side{
		TB: t, place: p, store: memstore.New(), at: accounttest.WellKnownContracts(), begin: begin, lanes: []uint64{0},
		names: make(map[common.Address]string), paid: make(map[common.Address]*uint256.Int), fees: make(map[common.Address]map[common.Address]*uint256.Int),
	}
	config := p.Config()
	config.Freshness = -1
	var err error
	s.client, err = account.NewClient(config)
	require.NoError(t, err)
	return s
}

// owner returns the account of a named owner, whose state is told from now on.
func (s *side) owner(name string, opts ...account.OwnedOption) *account.OwnedAccount {
	s.Helper()
	owned := s.client.OwnedAccount(account.KeyOwner(accounttest.Key(name)), opts...)
	if _, known := s.names[owned.Address()]; !known {
		s.names[owned.Address()] = name
		s.accounts = append(s.accounts, s.client.Account(owned.Address()))
	}
	return owned
}

// key imports a named session key.
func (s *side) key(of *account.OwnedAccount, name string) common.Address {
	s.Helper()
	key, err := s.store.ImportKey(s.Context(), of.Ref(), accounttest.Key(name))
	require.NoError(s, err)
	return key
}

func (s *side) fund(of *account.OwnedAccount, milliether int64) {
	s.Helper()
	require.NoError(s, s.Fund(s.Context(), of.Address(), new(big.Int).Mul(big.NewInt(milliether), big.NewInt(1e15))))
}

func (s *side) mintTokens(token, to common.Address, amount uint64) {
	s.Helper()
	require.NoError(s, s.Transact(s.Context(), token, s.pack("mint(address,uint256)", to, amount)))
}

func (s *side) pack(function string, args ...any) []byte {
	s.Helper()
	data, err := abi.Pack(function, args...)
	require.NoError(s, err)
	return data
}

func (s *side) mint(to common.Address) account.Call {
	return account.Call{To: s.at.NFT, Data: s.pack("safeMint(address)", to)}
}

func (s *side) hour() policy.Window { return policy.Until(s.begin.Add(time.Hour)) }

// minting allows minting to the account.
func (s *side) minting(id string, of *account.OwnedAccount, key common.Address) policy.Policy {
	return session.Named(id, policy.ABI{
		Key: key, Contract: s.at.NFT, Function: "safeMint(address to)",
		Rules: []policy.Rule{policy.Arg("to", policy.Equal, of.Address())}, Window: s.hour(),
	})
}

// open opens the account's sessions.
func (s *side) open(of *account.OwnedAccount) *session.Sessions {
	s.Helper()
	sess, err := session.Open(s.Context(), s.store, of.Ref())
	require.NoError(s, err)
	return sess
}

// grant grants, waits, and tells.
func (s *side) grant(step string, of *account.OwnedAccount, policies []policy.Policy, opts ...account.Option) *session.Sessions {
	s.Helper()
	sess, tx, err := of.Grant(s.Context(), s.store, policies, opts...)
	s.settle(step, sess, tx, err)
	return sess
}

// settle waits for a change of sessions, and tells.
func (s *side) settle(step string, sess *session.Sessions, tx *userop.Pending, err error) {
	s.Helper()
	if err != nil {
		s.tell(step, nil, err)
		return
	}
	receipt, err := s.awaited(tx)
	if _, activated := sess.Activate(s.Context(), waited{tx, receipt, err}); activated != nil {
		err = errors.Join(err, activated)
	}
	s.tell(step, receipt, err)
}

// sender is an account that sends: the owner's, or one known by its address.
type sender interface {
	Send(ctx context.Context, calls []account.Call, opts ...account.Option) (*userop.Pending, error)
}

// send sends, waits, and tells.
func (s *side) send(step string, from sender, calls []account.Call, opts ...account.Option) {
	s.Helper()
	tx, err := from.Send(s.Context(), calls, opts...)
	s.wait(step, tx, err)
}

// wait waits for what was sent, and tells.
func (s *side) wait(step string, tx *userop.Pending, err error) {
	s.Helper()
	var receipt *userop.Receipt
	if err == nil {
		receipt, err = s.awaited(tx)
	}
	s.tell(step, receipt, err)
}

// waited is an operation that was waited for.
type waited struct {
	*userop.Pending
	receipt *userop.Receipt
	err     error
}

func (w waited) Wait(context.Context, ...userop.WaitOption) (*userop.Receipt, error) {
	return w.receipt, w.err
}

// awaited waits for what was sent, and again where the machine was too busy for the bundler's last answer.
func (s *side) awaited(tx *userop.Pending) (*userop.Receipt, error) {
	s.Helper()
	for patience := 200 * time.Millisecond; ; patience *= 2 {
		ctx, end := s.untilDropped(tx, patience)
		receipt, err := tx.Wait(ctx)
		end()
		ended, ok := errors.AsType[*userop.WaitError](err)
		if !ok || !errors.Is(ended.Last, context.DeadlineExceeded) || patience > 10*time.Second {
			return receipt, err
		}
	}
}

// untilDropped is for a wait, which a bundler's word does not end: one for what the bundler gave up is to be
// over soon.
func (s *side) untilDropped(tx *userop.Pending, patience time.Duration) (context.Context, context.CancelFunc) {
	s.Helper()
	bundler := s.Config().Bundler
	for {
		if _, err := bundler.UserOperationReceipt(s.Context(), tx.Hash()); err == nil {
			return s.Context(), func() {}
		}
		if dropped, err := bundler.(userop.DropReporter).UserOperationDropped(s.Context(), tx.Hash()); err != nil || dropped {
			return context.WithTimeout(s.Context(), patience)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// tell notes what a step came to, and the state of all accounts after it.
func (s *side) tell(step string, receipt *userop.Receipt, err error) {
	s.Helper()
	s.told = append(s.told, "== "+step)
	if receipt != nil {
		s.account(receipt)
		s.told = append(s.told, describeReceipt(receipt))
	}
	s.told = append(s.told, describeError(err))
	for _, a := range s.accounts {
		s.told = append(s.told, s.describe(a))
	}
}

// account notes what an operation cost its account.
func (s *side) account(receipt *userop.Receipt) {
	if receipt.Paymaster == (common.Address{}) {
		s.paid[receipt.Sender] = new(uint256.Int).Add(orZero(s.paid[receipt.Sender]), &receipt.ActualGasCost)
	}
	for _, log := range receipt.Logs {
		if len(log.Topics) != 3 || log.Topics[2] != common.BytesToHash(s.at.TokenPaymaster[:]) || !strings.HasPrefix(log.Topics[0].Hex(), "0xddf252ad") {
			continue // no Transfer to the token paymaster, which tells of what it takes at once only
		}
		if s.fees[receipt.Sender] == nil {
			s.fees[receipt.Sender] = make(map[common.Address]*uint256.Int)
		}
		paid := orZero(s.fees[receipt.Sender][log.Address])
		s.fees[receipt.Sender][log.Address] = paid.Add(paid, new(uint256.Int).SetBytes(log.Data))
	}
}

func orZero(n *uint256.Int) *uint256.Int {
	if n == nil {
		return new(uint256.Int)
	}
	return n
}

func describeReceipt(r *userop.Receipt) string {
	var logs []string
	for _, l := range r.Logs {
		logs = append(logs, fmt.Sprintf("%s %s", l.Address, l.Topics[0].TerminalString()))
	}
	return fmt.Sprintf("receipt of %s nonce %s success %v paymaster %s reason %q data %x entry point %s\n  logs %s",
		r.Sender, r.Nonce.Hex(), r.Success, r.Paymaster, r.Reason, r.RevertData, r.EntryPoint, strings.Join(logs, ", "))
}

// describe is an account's state, without what gas took.
func (s *side) describe(a *account.Account) string {
	s.Helper()
	state, err := a.State(s.Context())
	require.NoError(s, err)
	total := new(uint256.Int).Add(&state.Balance, &state.Deposit)
	total.Add(total, orZero(s.paid[a.Address()]))
	text := fmt.Sprintf("%s %s: deployed %v, wei %s, modules %v, owners %v, root %s", s.names[a.Address()], a.Address(), state.Deployed,
		total.Dec(), state.Modules, state.Owners, state.SessionRoot)
	for _, lane := range s.lanes {
		nonce, err := a.Nonce(s.Context(), uint256.NewInt(lane))
		require.NoError(s, err)
		text += fmt.Sprintf(", lane %d at %d", lane, nonce.Uint64())
	}
	balances, err := a.Balances(s.Context(), s.at.Token, s.at.Token6, s.at.ResetToken, s.at.NFT)
	require.NoError(s, err)
	for _, b := range balances[1:] {
		b.Amount.Add(&b.Amount, orZero(s.fees[a.Address()][b.Token]))
		text += ", " + b.String()
	}
	for _, token := range []common.Address{s.at.Token, s.at.Token6, s.at.ResetToken} {
		text += fmt.Sprintf(", allows %v", s.number(token, contracts.Allowance(a.Address(), s.at.TokenPaymaster)) > 0)
	}
	text += fmt.Sprintf(", %d NFTs, target %d", s.number(s.at.NFT, contracts.BalanceOf(a.Address())), s.number(s.at.Target, s.pack("number()")))
	if sess, err := session.Open(s.Context(), s.store, a.Ref()); err == nil {
		for _, leaf := range sess.Leaves() {
			text += fmt.Sprintf(", leaf %s %s %v", leaf.ID, leaf.Status, leaf.InTree)
		}
		text += fmt.Sprintf(", stored root %s, pending %v", sess.Root(), sess.Pending() != nil)
	}
	return text
}

func (s *side) number(to common.Address, data []byte) uint64 {
	s.Helper()
	answer, err := s.Config().Chain.CallContract(s.Context(), callTo(to, data), nil)
	require.NoError(s, err)
	n, err := contracts.DecodeUint256(answer)
	require.NoError(s, err)
	return n.Uint64()
}

// kinds are all exported errors that an operation can end with.
var kinds = map[string]error{
	"account.ErrConfig": account.ErrConfig, "account.ErrNotDeployed": account.ErrNotDeployed, "account.ErrNoAccount": account.ErrNoAccount,
	"account.ErrModuleNotEnabled": account.ErrModuleNotEnabled, "account.ErrModuleEnabled": account.ErrModuleEnabled,
	"account.ErrLockout": account.ErrLockout, "account.ErrDeployed": account.ErrDeployed, "account.ErrWrongOwner": account.ErrWrongOwner,
	"account.ErrNoSigner": account.ErrNoSigner, "account.ErrFunds": account.ErrFunds, "account.ErrAllowance": account.ErrAllowance,
	"account.ErrQuoteExpired": account.ErrQuoteExpired, "account.ErrNotAsQuoted": account.ErrNotAsQuoted,
	"account.ErrBadSignature": account.ErrBadSignature, "account.ErrNotExecute": account.ErrNotExecute, "account.ErrBadAnswer": account.ErrBadAnswer,
	"policy.ErrInvalid":   policy.ErrInvalid,
	"session.ErrNotFound": session.ErrNotFound, "session.ErrNoLeaf": session.ErrNoLeaf, "session.ErrAmbiguous": session.ErrAmbiguous,
	"session.ErrConflict": session.ErrConflict, "session.ErrPending": session.ErrPending, "session.ErrRevoked": session.ErrRevoked,
	"session.ErrExpired": session.ErrExpired, "session.ErrNotYetValid": session.ErrNotYetValid, "session.ErrRootMismatch": session.ErrRootMismatch,
	"session.ErrNoKey": session.ErrNoKey, "session.ErrWrongKey": session.ErrWrongKey, "session.ErrLaneLost": session.ErrLaneLost,
	"userop.ErrWrongChain": userop.ErrWrongChain, "userop.ErrNotSponsored": userop.ErrNotSponsored, "userop.ErrNoFees": userop.ErrNoFees,
	"userop.ErrDropped": userop.ErrDropped, "userop.ErrNotFound": userop.ErrNotFound,
	"userop.ErrUnconfirmed": userop.ErrUnconfirmed, "userop.ErrReplaced": userop.ErrReplaced, "userop.ErrExpired": userop.ErrExpired,
	"bundler.ErrRejected": bundler.ErrRejected, "bundler.ErrPaymaster": bundler.ErrPaymaster, "bundler.ErrOpcode": bundler.ErrOpcode,
	"bundler.ErrTimeRange": bundler.ErrTimeRange, "bundler.ErrBanned": bundler.ErrBanned, "bundler.ErrStake": bundler.ErrStake,
	"bundler.ErrAggregator": bundler.ErrAggregator, "bundler.ErrSignature": bundler.ErrSignature,
	"bundler.ErrPaymasterDeposit": bundler.ErrPaymasterDeposit, "bundler.ErrReverted": bundler.ErrReverted,
	"bundler.ErrInvalidParams": bundler.ErrInvalidParams, "bundler.ErrMethodNotFound": bundler.ErrMethodNotFound,
	"bundler.ErrRateLimited": bundler.ErrRateLimited, "bundler.ErrAlreadyKnown": bundler.ErrAlreadyKnown,
}

// describeError is all that a program can tell of an error, and its text without hashes and amounts of gas.
func describeError(err error) string {
	if err == nil {
		return "ok"
	}
	facts := []string{fmt.Sprintf("may be accepted %v, safe to retry %v", userop.MayBeAccepted(err), userop.SafeToRetry(err))}
	for name, kind := range kinds {
		if errors.Is(err, kind) {
			facts = append(facts, "is "+name)
		}
	}
	facts = append(facts, as(err, func(e *userop.Error) string { return fmt.Sprintf("step %s, signed %v", e.Step, e.Operation != nil) }),
		as(err, func(e *userop.RevertError) string { return "revert " + e.Reason() }),
		as(err, func(e *userop.WaitError) string { return "wait" }),
		as(err, func(e *userop.AAError) string { return e.Code + " " + e.Reason }),
		as(err, func(e *bundler.Error) string { return fmt.Sprintf("bundler %s %d %s", e.Method, e.Code, e.Data) }),
		as(err, func(e *paymaster.Error) string { return fmt.Sprintf("paymaster %s %d %s", e.Method, e.Code, e.Data) }),
		as(err, func(e abi.Revert) string { return fmt.Sprintf("%s %s %x", e.Name, e.Reason(), e.Data) }),
		as(err, func(e *policy.Violation) string { return fmt.Sprintf("violation %+v", *e) }),
		as(err, func(e *session.RootMismatch) string { return fmt.Sprintf("mismatch %s %s", e.Stored, e.Leaves) }),
		as(err, func(e *account.SimulationError) string {
			return fmt.Sprintf("simulation %v %x %v", e.AA, e.Revert.Data, e.Err != nil)
		}),
		as(err, func(e *account.LegsError) string { return fmt.Sprintf("%d legs", len(e.Errs)) }))
	return strings.Join(sorted(facts), "\n  ") + "\n  " + mask(err.Error())
}

func sorted(facts []string) []string {
	var kept []string
	for _, fact := range facts {
		if fact != "" {
			kept = append(kept, mask(fact))
		}
	}
	slices.Sort(kept)
	return kept
}

func as[E error](err error, describe func(E) string) string {
	if found, ok := errors.AsType[E](err); ok {
		return describe(found)
	}
	return ""
}

var (
	hashes  = regexp.MustCompile(`0x[0-9a-fA-F]{64}\b`)
	amounts = regexp.MustCompile(`\b[0-9]{5,}\b`)
	times   = regexp.MustCompile(`after [0-9.]+m?s\b`)
	blocks  = regexp.MustCompile(`the chain's time is [-0-9T:]+Z`)
)

// mask leaves out what may differ: hashes of operations, amounts that follow from gas, times.
func mask(text string) string {
	text = hashes.ReplaceAllString(text, "HASH")
	text = times.ReplaceAllString(text, "after TIME")
	text = blocks.ReplaceAllString(text, "the chain's time is TIME")
	return amounts.ReplaceAllString(text, "AMOUNT")
}
