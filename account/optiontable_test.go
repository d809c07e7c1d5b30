package account_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// traceLog is what a call asked of the chain and the services, and what came of it.
type traceLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *traceLog) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

// take returns the lines in an order of their own: requests leave beside each other.
func (l *traceLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// RoundTrip implements [http.RoundTripper].
func (l *traceLog) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var request struct {
		Method string
		Params json.RawMessage
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	l.add("%s %s", request.Method, request.Params)
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(again)
}

// tracedChain notes what is read.
type tracedChain struct {
	account.Chain
	log *traceLog
}

func (c tracedChain) Unwrap() account.Chain { return c.Chain }

func (c tracedChain) CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error) {
	data := call.Data
	if bytes.HasPrefix(data, contracts.HandleOps(nil, common.Address{})[:4]) { // with signatures, which depend on the time
		data = data[:4]
	}
	c.log.add("eth_call %v %x", call.To, data)
	return c.Chain.CallContract(ctx, call, block)
}

// notedStore is a store whose outbox notes that a key was looked for.
type notedStore struct {
	*memstore.Store
	log *traceLog
}

func (s *notedStore) Outbox() outbox.Outbox { return notedOutbox{s.Store.Outbox(), s.log} }

type notedOutbox struct {
	outbox.Outbox
	log *traceLog
}

func (o notedOutbox) Find(ctx context.Context, chainID uint64, account common.Address, key string) (outbox.Found, error) {
	o.log.add("key %s", key)
	return o.Outbox.Find(ctx, chainID, account, key)
}

// optionWorld is a chain on which calls with options are tried, none of which sends anything.
type optionWorld struct {
	*world
	state *session.State    // of an account with a session and the batched session router
	stuck *userop.Operation // of that account, which paid itself
}

// tried is one call with options, with a client and a store of its own.
type tried struct {
	*optionWorld
	t      *testing.T
	log    *traceLog
	client *account.Client
	store  *notedStore
	danger bool // a grant is one
	// routed is an account with sessions and the batched session router, plain one without, fresh one that is
	// not deployed, and joint one of the multichain module's.
	routed, plain, fresh, joint *account.OwnedAccount
}

var errNotSent = errors.New("the test sends nothing")

func newOptionWorld(t *testing.T) *optionWorld {
	w := &optionWorld{world: newWorld(t)}
	var err error
	w.key, err = w.store.ImportKey(t.Context(), w.owner.Ref(), accounttest.Key("session"))
	require.NoError(t, err)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()}, account.ForBatches())
	w.state, err = w.store.Load(t.Context(), sess.Ref())
	require.NoError(t, err)
	c := w.try(t)
	done(t)(c.plain.EnableModule(t.Context(), w.world.client.Contracts().Session.Manager, account.Sponsored()))
	done(t)(c.joint.EnableModule(t.Context(), w.world.client.Contracts().Session.Manager, account.Sponsored()))
	for _, o := range []*account.OwnedAccount{c.routed, c.plain, c.fresh, c.joint} {
		require.NoError(t, w.chain.Fund(t.Context(), o.Address(), big.NewInt(1e18)))
		_, err := w.chain.SendTx(t.Context(), w.chain.Contracts.Token6, nil, pack(t, "mint(address,uint256)", o.Address(), uint64(1e12)))
		require.NoError(t, err)
	}
	w.stuck, err = c.routed.Build(t.Context(), c.calls())
	require.NoError(t, err)
	return w
}

// try begins a call with a client and a store that know nothing of the calls before.
func (w *optionWorld) try(t *testing.T) *tried {
	c := &tried{optionWorld: w, t: t, log: new(traceLog)}
	c.store = &notedStore{memstore.New(), c.log}
	services := &http.Client{Transport: c.log}
	config := w.config
	config.Chain = tracedChain{w.config.Chain, c.log}
	config.Bundler = bundler.New(w.bundler.URL(), bundler.WithHTTPClient(services))
	config.Paymaster = paymaster.New(w.paymaster.URL(), paymaster.WithHTTPClient(services))
	config.Outbox = c.store
	var err error
	c.client, err = account.NewClient(config)
	require.NoError(t, err)
	owner := account.KeyOwner(w.ownerKey)
	c.routed = c.client.OwnedAccount(owner)
	c.plain = c.client.OwnedAccount(owner, account.Index(1))
	c.fresh = c.client.OwnedAccount(owner, account.Index(2))
	c.joint = c.client.OwnedAccount(owner, account.Multichain())
	for _, o := range []*account.OwnedAccount{c.routed, c.plain, c.joint} {
		_, err = c.store.ImportKey(t.Context(), o.Ref(), accounttest.Key("session"))
		require.NoError(t, err)
	}
	leaves := slices.Clone(w.state.Leaves)
	left := w.activeLeaf(t, "left", w.nftPolicy())
	left.InTree = false
	change := &session.Change{Header: w.state.Header, Put: append(leaves, left)}
	_, err = c.store.Apply(t.Context(), c.routed.Ref(), 0, change)
	require.NoError(t, err)
	return c
}

// stop has a send end before anything is given away.
func (c *tried) stop(_ context.Context, op *userop.Operation, _ common.Hash) error {
	c.log.add("made %s", madeText(op))
	return errNotSent
}

// madeText is an operation without what depends on the time.
func madeText(op *userop.Operation) string {
	op = op.Clone()
	if len(op.PaymasterAndData) > common.AddressLength { // then when it ends, and the paymaster's signature
		op.PaymasterAndData = op.PaymasterAndData[:common.AddressLength]
	}
	op.PreVerificationGas.Clear() // by the zeros in those
	return shown(op.PaymasterAndData) + shown(op.Estimate()) + shown(op.Nonce) + shown(op.CallData) + shown(op.InitCode) + fmt.Sprint(len(op.Signature))
}

func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (c *tried) sessions() *session.Sessions {
	sess, err := session.Open(c.t.Context(), c.store, c.routed.Ref())
	require.NoError(c.t, err)
	return sess
}

// calls are what an account is to do: nothing but what its session allows.
func (c *tried) calls() []account.Call { return []account.Call{c.mint(c.t, c.routed.Address())} }

func (c *tried) tokens() []common.Address { return []common.Address{c.chain.Contracts.Token6} }

func (c *tried) quote() userop.FeeQuote {
	return userop.FeeQuote{Token: c.chain.Contracts.Token6, Paymaster: c.chain.Contracts.TokenPaymaster, MaxFee: *uint256.NewInt(1e11)}
}

// sent are the options of a call that sends.
func (c *tried) sent(opts []account.Option) []account.Option {
	return append([]account.Option{account.BeforeSend(c.stop)}, opts...)
}

// outcome notes what came of a call, and returns its error.
func (c *tried) outcome(value any, err error) error {
	if err == nil {
		c.log.add("outcome %s", shown(value))
	} else {
		c.log.add("error %v", err)
	}
	return err
}

// callsWithOptions are all calls that take options, by name.
func callsWithOptions() map[string]func(c *tried, opts []account.Option) error {
	type sends = func(*tried, []account.Option) (*userop.Pending, error)
	all := map[string]func(c *tried, opts []account.Option) error{}
	for name, send := range map[string]sends{
		"OwnedAccount.Send": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.Send(c.t.Context(), c.calls(), o...)
		},
		"OwnedAccount.Deploy": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.fresh.Deploy(c.t.Context(), o...)
		},
		"Grant": func(c *tried, o []account.Option) (*userop.Pending, error) {
			_, tx, err := c.plain.Grant(c.t.Context(), c.store, []policy.Policy{c.granted()}, o...)
			return tx, err
		},
		"Revoke": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.Revoke(c.t.Context(), c.sessions(), c.state.Leaves[0].ID, o...)
		},
		"RevokeEach": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.RevokeEach(c.t.Context(), c.sessions(), []string{c.state.Leaves[0].ID}, o...)
		},
		"RevokeAll": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.RevokeAll(c.t.Context(), c.sessions(), o...)
		},
		"Restore": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.Restore(c.t.Context(), c.sessions(), nil, o...)
		},
		"EnableModule": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.fresh.EnableModule(c.t.Context(), c.client.Contracts().Session.Manager, o...)
		},
		"SetupAndEnableModule": func(c *tried, o []account.Option) (*userop.Pending, error) {
			module := c.client.MultichainModule(c.fresh.Owner())
			return c.fresh.SetupAndEnableModule(c.t.Context(), module.Address, module.Setup, o...)
		},
		"DisableModule": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.DisableModule(c.t.Context(), c.client.Contracts().Session.Manager, o...)
		},
		"DisableRouter": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.DisableRouter(c.t.Context(), o...)
		},
		"Withdraw": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.Withdraw(c.t.Context(), []account.Withdrawal{{To: stranger, Amount: *uint256.NewInt(1)}}, o...)
		},
		"TransferOwnership": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.TransferOwnership(c.t.Context(), stranger, o...)
		},
		"Account.Send": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.client.Account(c.routed.Address()).Send(c.t.Context(), c.calls(), o...)
		},
		"OwnedAccount.Replace": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.Replace(c.t.Context(), c.client.Sender().WatchOperation(c.stuck), o...)
		},
		"Account.Replace": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.client.Account(c.routed.Address()).Replace(c.t.Context(), c.client.Sender().WatchOperation(c.stuck), o...)
		},
		"Cancel": func(c *tried, o []account.Option) (*userop.Pending, error) {
			return c.routed.Cancel(c.t.Context(), c.client.Sender().WatchOperation(c.stuck), o...)
		},
		"SendTogether": func(c *tried, o []account.Option) (*userop.Pending, error) {
			_, err := account.SendTogether(c.t.Context(), account.Leg{Account: c.joint, Calls: c.calls(), Options: o})
			return nil, err
		},
		"GrantTogether": func(c *tried, o []account.Option) (*userop.Pending, error) {
			_, err := account.GrantTogether(c.t.Context(), c.store, account.GrantLeg{Account: c.joint, Policies: []policy.Policy{c.granted()}, Options: o})
			return nil, err
		},
	} {
		all[name] = func(c *tried, opts []account.Option) error {
			_, err := send(c, c.sent(opts))
			return c.outcome(nil, err)
		}
	}
	type prepares = func(*tried, []account.Option) (*account.Prepared, error)
	for name, prepare := range map[string]prepares{
		"PrepareGrant": func(c *tried, o []account.Option) (*account.Prepared, error) {
			return c.plain.PrepareGrant(c.t.Context(), c.store, []policy.Policy{c.granted()}, o...)
		},
		"PrepareRevoke": func(c *tried, o []account.Option) (*account.Prepared, error) {
			return c.routed.PrepareRevoke(c.t.Context(), c.sessions(), c.state.Leaves[0].ID, o...)
		},
		"PrepareRevokeAll": func(c *tried, o []account.Option) (*account.Prepared, error) {
			return c.routed.PrepareRevokeAll(c.t.Context(), c.sessions(), o...)
		},
		"PrepareRestore": func(c *tried, o []account.Option) (*account.Prepared, error) {
			return c.routed.PrepareRestore(c.t.Context(), c.sessions(), nil, o...)
		},
		"PrepareSend": func(c *tried, o []account.Option) (*account.Prepared, error) {
			return c.routed.PrepareSend(c.t.Context(), c.calls(), o...)
		},
		"PrepareDeploy": func(c *tried, o []account.Option) (*account.Prepared, error) {
			return c.fresh.PrepareDeploy(c.t.Context(), o...)
		},
		"PrepareEnableModule": func(c *tried, o []account.Option) (*account.Prepared, error) {
			return c.fresh.PrepareEnableModule(c.t.Context(), c.client.Contracts().Session.Manager, o...)
		},
		"PrepareWithdraw": func(c *tried, o []account.Option) (*account.Prepared, error) {
			return c.routed.PrepareWithdraw(c.t.Context(), []account.Withdrawal{{To: stranger, Amount: *uint256.NewInt(1)}}, o...)
		},
		"PrepareTogether": func(c *tried, o []account.Option) (*account.Prepared, error) {
			return account.PrepareTogether(c.t.Context(), account.Leg{Account: c.joint, Calls: c.calls(), Options: o})
		},
		"PrepareGrantTogether": func(c *tried, o []account.Option) (*account.Prepared, error) {
			return account.PrepareGrantTogether(c.t.Context(), c.store, account.GrantLeg{Account: c.joint, Policies: []policy.Policy{c.granted()}, Options: o})
		},
	} {
		all[name] = func(c *tried, o []account.Option) error {
			p, err := prepare(c, o)
			if err != nil {
				return c.outcome(nil, err)
			}
			waits := time.Until(p.Deadline()).Round(10 * time.Minute)
			return c.outcome(madeText(p.Operations()[0].Operation)+waits.String()+fmt.Sprint(c.sessions().Leaves()[0].Status), nil)
		}
	}
	all["Submit"] = func(c *tried, o []account.Option) error {
		p, err := c.routed.PrepareSend(c.t.Context(), c.calls(), account.Sponsored())
		require.NoError(c.t, err)
		sig, err := account.KeyOwner(c.ownerKey).SignMessage(c.t.Context(), common.FromHex(p.Request().Params[0]))
		require.NoError(c.t, err)
		_, err = c.client.Submit(c.t.Context(), c.store, p, sig, c.sent(o)...)
		return c.outcome(nil, err)
	}
	for name, of := range map[string]func(*tried) offline{
		"OwnedAccount": func(c *tried) offline { return c.routed },
		"Account":      func(c *tried) offline { return c.client.Account(c.routed.Address()) },
	} {
		all[name+".Build"] = func(c *tried, o []account.Option) error {
			op, err := of(c).Build(c.t.Context(), c.calls(), o...)
			if err != nil {
				return c.outcome(nil, err)
			}
			return c.outcome(madeText(op), nil)
		}
		all[name+".Estimate"] = func(c *tried, o []account.Option) error {
			estimate, err := of(c).Estimate(c.t.Context(), c.calls(), o...)
			if err != nil {
				return c.outcome(nil, err)
			}
			estimate.Gas.PreVerificationGas.Clear()
			estimate.Cost.PreVerification.Clear()
			return c.outcome(estimate, nil)
		}
		all[name+".Simulate"] = func(c *tried, o []account.Option) error {
			return c.outcome(nil, of(c).Simulate(c.t.Context(), c.calls(), o...))
		}
		all[name+".FeeQuotes"] = func(c *tried, o []account.Option) error {
			quotes, err := of(c).FeeQuotes(c.t.Context(), c.calls(), c.tokens(), o...)
			for i := range quotes.Quotes {
				quotes.Quotes[i].ValidUntil = time.Time{}
			}
			return c.outcome(quotes, err)
		}
	}
	return all
}

// granted is what is granted: for the option that allows it, a danger.
func (c *tried) granted() policy.Policy {
	p := c.nftPolicy()
	if c.danger {
		p.Rules = nil
		p.Contract, p.Function = c.chain.Contracts.Token6, "approve(address spender, uint256 amount)"
	}
	return session.Named("granted", p)
}

// offline are the calls that send nothing.
type offline interface {
	Build(context.Context, []account.Call, ...account.Option) (*userop.Operation, error)
	Estimate(context.Context, []account.Call, ...account.Option) (*userop.Estimate, error)
	Simulate(context.Context, []account.Call, ...account.Option) error
	quoter
}

// besideOption is what an option goes with.
type besideOption int

const (
	alone besideOption = iota
	sponsored
	sponsoredForBatches
	paid
)

// optionRow is an option, and what it goes with.
type optionRow struct {
	option     func(*tried) account.Option
	beside     besideOption
	danger     bool // it is for the grant of one
	signs      bool // it names who signs
	keepRouter bool // it needs an operation of one call
}

// allOptions are one of each option, by name.
func allOptions() map[string]optionRow {
	type made = func(*tried) account.Option
	signing := map[string]bool{"WithSession": true, "WithLeafOf": true, "WithOnlyLeafOf": true, "WithSigner": true}
	all := map[string]optionRow{}
	for name, option := range map[string]made{
		"WithSession":    func(c *tried) account.Option { return account.WithSession(c.sessions().Leaf(0)) },
		"WithLeafOf":     func(c *tried) account.Option { return account.WithLeafOf(c.sessions()) },
		"WithOnlyLeafOf": func(c *tried) account.Option { return account.WithOnlyLeafOf(c.sessions()) },
		"WithSigner":     func(*tried) account.Option { return account.WithSigner(constSigner{}) },
		"PaymasterContext": func(*tried) account.Option {
			return account.PaymasterContext(map[string]string{"policy": "p"})
		},
		"AsBatch":     func(*tried) account.Option { return account.AsBatch() },
		"ForBatches":  func(*tried) account.Option { return account.ForBatches() },
		"KeepRouter":  func(*tried) account.Option { return account.KeepRouter() },
		"Unchecked":   func(*tried) account.Option { return account.Unchecked() },
		"ReplaceRoot": func(*tried) account.Option { return account.ReplaceRoot() },
		"AllowDanger": func(*tried) account.Option { return account.AllowDanger(policy.FindingOpenTo) },
		"Once":        func(*tried) account.Option { return account.Once("order-4711") },
		"WithNonce":   func(*tried) account.Option { return account.WithNonce(uint256.NewInt(77)) },
		"WithLane":    func(*tried) account.Option { return account.WithLane(uint256.NewInt(7)) },
		"InLane":      func(c *tried) account.Option { return account.InLane(c.closedLanes()) },
		"WithFees": func(*tried) account.Option {
			return account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(3e9), MaxPriorityFeePerGas: *uint256.NewInt(2e9)})
		},
		"WithGas": func(*tried) account.Option {
			return account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(777_777)})
		},
		"WithMargins": func(*tried) account.Option { return account.WithMargins(userop.Margins{CallGasLimit: 50}) },
		"WithCaps":    func(*tried) account.Option { return account.WithCaps(userop.Caps{MaxCost: uint256.NewInt(1)}) },
		"WithOverrides": func(*tried) account.Option {
			return account.WithOverrides(userop.StateOverride{stranger: {Balance: (*hexutil.U256)(uint256.NewInt(1))}})
		},
		"RouterDespiteFunds": func(*tried) account.Option { return account.RouterDespiteFunds() },
		"OfSessions":         func(c *tried) account.Option { return account.OfSessions(c.sessions()) },
		"SignWithin":         func(*tried) account.Option { return account.SignWithin(20 * time.Minute) },
		"StopNow":            func(*tried) account.Option { return account.StopNow() },
		"Kept":               func(*tried) account.Option { return account.Kept(common.Hash{}, stranger) },
	} {
		all[name] = optionRow{option: option, beside: sponsored, signs: signing[name], keepRouter: name == "AsBatch", danger: name == "AllowDanger"}
	}
	all["Sponsored"] = optionRow{option: func(*tried) account.Option { return account.Sponsored() }}
	all["SponsoredOrSelf"] = optionRow{option: func(*tried) account.Option { return account.SponsoredOrSelf() }}
	all["PayWith"] = optionRow{option: func(c *tried) account.Option { return account.PayWith(c.quote()) }}
	all["ApproveExact"] = optionRow{option: func(*tried) account.Option { return account.ApproveExact() }, beside: paid}
	all["ApproveUpTo"] = optionRow{option: func(*tried) account.Option { return account.ApproveUpTo(uint256.NewInt(2e11)) }, beside: paid}
	all["ApproveUnlimited"] = optionRow{option: func(*tried) account.Option { return account.ApproveUnlimited() }, beside: paid}
	all["PaymasterContext, self-paid"] = optionRow{option: func(*tried) account.Option { return account.PaymasterContext("p") }}
	all["RouterDespiteFunds beside ForBatches"] = optionRow{option: func(*tried) account.Option { return account.RouterDespiteFunds() }, beside: sponsoredForBatches}
	return all
}

func (c *tried) closedLanes() *account.Lanes {
	lanes := c.client.NewLanes(account.LanesConfig{})
	require.NoError(c.t, lanes.Close(c.t.Context())) // which is told by a send in them
	return lanes
}

// refused are the options that a call does not take. All others change what it does.
var refused = map[string]string{
	"OwnedAccount.Send":      notSend,
	"OwnedAccount.Build":     notBuild,
	"OwnedAccount.Estimate":  notBuild + " WithCaps",
	"OwnedAccount.Simulate":  notBuild,
	"OwnedAccount.FeeQuotes": notQuoted,
	"OwnedAccount.Deploy": "AllowDanger ApproveExact ApproveUnlimited ApproveUpTo AsBatch ForBatches KeepRouter Kept OfSessions PayWith" +
		" PaymasterContext, self-paid ReplaceRoot RouterDespiteFunds RouterDespiteFunds beside ForBatches SignWithin StopNow" + signs,
	"Account.Send":         notSend,
	"Account.Build":        notBuild,
	"Account.Estimate":     notBuild + " WithCaps",
	"Account.Simulate":     notBuild,
	"Account.FeeQuotes":    notQuoted,
	"Grant":                "KeepRouter Kept OfSessions PaymasterContext, self-paid RouterDespiteFunds SignWithin StopNow WithSession",
	"Revoke":               notRevoke,
	"RevokeEach":           notRevoke,
	"RevokeAll":            "AllowDanger ForBatches Kept OfSessions PaymasterContext, self-paid RouterDespiteFunds RouterDespiteFunds beside ForBatches SignWithin StopNow WithSession",
	"Restore":              notRevoke,
	"OwnedAccount.Replace": notReplace,
	"Account.Replace":      notReplace,
	"Cancel": "AllowDanger ApproveExact ApproveUnlimited ApproveUpTo AsBatch ForBatches InLane KeepRouter Kept OfSessions PaymasterContext, self-paid ReplaceRoot RouterDespiteFunds" +
		" RouterDespiteFunds beside ForBatches SignWithin StopNow WithLane WithLeafOf WithNonce WithOnlyLeafOf WithSession WithSigner",
	"EnableModule":         notSend + " WithSession",
	"SetupAndEnableModule": notSend + " WithSession",
	"DisableModule":        notSend,
	"DisableRouter":        notSend,
	"Withdraw":             notSend,
	"TransferOwnership":    notSend,
	"SendTogether": "AllowDanger ForBatches InLane KeepRouter Kept OfSessions Once PaymasterContext, self-paid ReplaceRoot RouterDespiteFunds RouterDespiteFunds beside ForBatches" +
		" SignWithin StopNow" + signs,
	"GrantTogether": "InLane KeepRouter Kept OfSessions Once PaymasterContext, self-paid RouterDespiteFunds SignWithin StopNow" + signs,

	"PrepareGrant":         notPreparedGrant,
	"PrepareGrantTogether": notPreparedGrant,
	"PrepareRevoke":        "AllowDanger ForBatches InLane KeepRouter Kept OfSessions Once PaymasterContext, self-paid RouterDespiteFunds RouterDespiteFunds beside ForBatches" + signs,
	"PrepareRevokeAll":     "AllowDanger ForBatches InLane Kept OfSessions Once PaymasterContext, self-paid RouterDespiteFunds RouterDespiteFunds beside ForBatches" + signs,
	"PrepareRestore":       "AllowDanger ForBatches InLane KeepRouter Kept OfSessions Once PaymasterContext, self-paid RouterDespiteFunds RouterDespiteFunds beside ForBatches StopNow" + signs,
	"PrepareSend":          notPrepared,
	"PrepareTogether":      notPrepared,
	"PrepareEnableModule":  notPrepared,
	"PrepareWithdraw":      notPrepared,
	"PrepareDeploy": "AllowDanger ApproveExact ApproveUnlimited ApproveUpTo AsBatch ForBatches InLane KeepRouter Kept OfSessions Once PayWith" +
		" PaymasterContext, self-paid ReplaceRoot RouterDespiteFunds RouterDespiteFunds beside ForBatches StopNow" + signs,
	"Submit": "AllowDanger ApproveExact ApproveUnlimited ApproveUpTo AsBatch ForBatches InLane KeepRouter OfSessions PayWith PaymasterContext" +
		" PaymasterContext, self-paid ReplaceRoot RouterDespiteFunds RouterDespiteFunds beside ForBatches SignWithin Sponsored SponsoredOrSelf StopNow" +
		" Unchecked WithFees WithGas WithLane WithLeafOf WithMargins WithNonce WithOnlyLeafOf WithOverrides WithSession WithSigner",
}

const (
	notSend   = "AllowDanger ForBatches KeepRouter Kept OfSessions PaymasterContext, self-paid ReplaceRoot RouterDespiteFunds RouterDespiteFunds beside ForBatches SignWithin StopNow"
	notBuild  = "AllowDanger ForBatches KeepRouter Kept OfSessions Once PaymasterContext, self-paid ReplaceRoot RouterDespiteFunds RouterDespiteFunds beside ForBatches SignWithin StopNow"
	notQuoted = "AllowDanger ForBatches KeepRouter Kept OfSessions Once PayWith ReplaceRoot RouterDespiteFunds RouterDespiteFunds beside ForBatches SignWithin Sponsored" +
		" SponsoredOrSelf StopNow WithCaps"
	notReplace       = "AllowDanger AsBatch ForBatches InLane KeepRouter Kept OfSessions PaymasterContext, self-paid ReplaceRoot RouterDespiteFunds RouterDespiteFunds beside ForBatches SignWithin StopNow WithLane WithNonce"
	notRevoke        = "AllowDanger ForBatches KeepRouter Kept OfSessions PaymasterContext, self-paid RouterDespiteFunds RouterDespiteFunds beside ForBatches SignWithin StopNow"
	notPrepared      = "AllowDanger ForBatches InLane KeepRouter Kept OfSessions Once PaymasterContext, self-paid ReplaceRoot RouterDespiteFunds RouterDespiteFunds beside ForBatches StopNow" + signs
	notPreparedGrant = "InLane KeepRouter Kept OfSessions Once PaymasterContext, self-paid RouterDespiteFunds StopNow" + signs
	signs            = " WithLeafOf WithOnlyLeafOf WithSession WithSigner"
)

// An option either changes something, or is refused: none is silent.
func TestNoOptionIsSilent(t *testing.T) {
	t.Parallel()
	w := newOptionWorld(t)
	for call, do := range callsWithOptions() {
		t.Run(call, func(t *testing.T) {
			var notTaken []string
			before := map[string]string{} // what is done without the option
			for name, row := range allOptions() {
				run := func(with bool) (string, error) {
					c := w.try(t)
					c.danger = row.danger
					err := do(c, row.options(c, call, with))
					if err != nil && !errors.Is(err, errNotSent) {
						return err.Error(), err // at which requests that were under way end
					}
					return c.log.take(), err
				}
				with, err := run(true)
				if errors.Is(err, account.ErrConfig) {
					notTaken = append(notTaken, name)
					continue
				}
				base := fmt.Sprint(row.beside, row.signs, row.keepRouter, row.danger)
				without, known := before[base]
				if !known {
					without, _ = run(false)
					again, _ := run(false)
					for tries := 0; again != without && tries < 5; tries++ { // a second may have passed in between
						without = again
						again, _ = run(false)
					}
					require.Equal(t, without, again, "%s: what it does is not always the same", name)
					before[base] = without
				}
				if with == without {
					t.Errorf("%s is silent", name)
				}
			}
			slices.Sort(notTaken)
			require.Equal(t, refused[call], strings.Join(notTaken, " "))
		})
	}
}

// options are those of the row, with or without the one that it is about.
func (r *optionRow) options(c *tried, call string, with bool) (opts []account.Option) {
	decided := strings.HasSuffix(call, ".FeeQuotes") || call == "Submit" // nobody pays, or who does was said before
	if !decided {
		switch r.beside {
		case sponsored:
			opts = append(opts, account.Sponsored())
		case sponsoredForBatches:
			opts = append(opts, account.Sponsored(), account.ForBatches())
		case paid:
			opts = append(opts, account.PayWith(c.quote()))
		}
	}
	if strings.HasPrefix(call, "Account.") && !r.signs {
		opts = append(opts, account.WithSession(c.sessions().Leaf(0)))
	}
	if strings.HasSuffix(call, "RevokeAll") && r.keepRouter {
		opts = append(opts, account.KeepRouter())
	}
	if with {
		opts = append(opts, r.option(c))
	}
	return opts
}
