package account_test

import (
	"context"
	"fmt"
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

var robber = common.HexToAddress("0x7113F00000000000000000000000000000007113")

// allow is a policy of the world's key for a function, whatever its arguments.
func (w *world) allow(contract common.Address, function string) policy.ABI {
	return policy.ABI{Key: w.key, Contract: contract, Function: function, Window: policy.Until(w.now().Add(time.Hour))}
}

// takeover is a session for an amount of a token, which the ownership module is not.
func (w *world) takeover() policy.Policy {
	return session.Named("takeover", policy.ERC20{
		Key: w.key, Token: w.chain.Contracts.ECDSAModule, Recipient: robber, MaxAmount: *uint256.NewInt(1), Window: policy.Until(w.now().Add(time.Hour)),
	})
}

func TestADangerousGrantIsRefused(t *testing.T) {
	w := newWorld(t)
	at := w.chain.Contracts
	for name, tt := range map[string]struct {
		policy policy.Policy
		want   string
	}{
		"the ownership module": {w.takeover(), "takeover: it may call " + at.ECDSAModule.Hex() + ", which guards the account (calls-guard)"},
		"the EntryPoint": {session.Named("p", w.allow(at.EntryPoint, "withdrawTo(address to, uint256 amount)")),
			"p: it may call " + at.EntryPoint.Hex() + ", which guards the account (calls-guard)"},
		"the session key manager": {session.Named("p", w.allow(at.SessionKeyManager, "anything()")),
			"p: it may call " + at.SessionKeyManager.Hex() + ", which guards the account (calls-guard)"},
		"the account itself": {session.Named("p", w.allow(w.owner.Address(), "anything()")), "p: it may call the account itself (calls-guard)"},
		"approvals": {session.Named("p", w.allow(at.Token, "approve(address spender, uint256 amount)")),
			"p: approve(address,uint256) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)"},
		"a module that is not there": {session.Named("p", policy.Raw{Module: robber, Key: w.key, Window: policy.Forever()}),
			"p: there is no contract at module " + robber.Hex() + " on this chain: whoever deploys one there decides what the key may do (no-code)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy(), tt.policy}, account.Sponsored())
			require.EqualError(t, err, "grant a session: refused as a danger: "+tt.want+"; nothing was signed, and AllowDanger with the codes grants it all the same")
			var danger *policy.DangerError
			require.ErrorAs(t, err, &danger)
			require.Len(t, danger.Findings, 1)
			require.Equal(t, 1, danger.Findings[0].Leaf)

			_, err = w.store.Load(t.Context(), w.owner.Ref())
			require.ErrorIs(t, err, session.ErrNotFound, "nothing is stored")
			deployed, err := w.user.Deployed(t.Context())
			require.NoError(t, err)
			require.False(t, deployed, "nothing was sent")
		})
	}
	_, _, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.takeover()}, account.Sponsored(), account.AllowDanger(policy.FindingOpenTo))
	require.ErrorContains(t, err, "calls-guard", "another danger was allowed")
	_, _, err = w.owner.Grant(t.Context(), w.store, []policy.Policy{w.takeover()}, account.Sponsored(), account.AllowDanger())
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "AllowDanger without the code of a finding")
	w.grant(t, []policy.Policy{w.allow(stranger, "harmless()")})
}

// Whatever module the account listens to guards it.
func TestEnabledModulesAreGuards(t *testing.T) {
	w := newWorld(t)
	w.grant(t, []policy.Policy{w.nftPolicy()})
	own := w.chain.Contracts.Target // any contract will do
	done(t)(w.owner.EnableModule(t.Context(), own, account.Sponsored()))
	_, _, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{session.Named("p", w.allow(own, "store(uint256 number)"))}, account.Sponsored())
	require.ErrorContains(t, err, "p: it may call "+own.Hex()+", which guards the account (calls-guard)")

	state, err := w.user.State(t.Context())
	require.NoError(t, err)
	leaf := w.activeLeaf(t, "p", w.allow(own, "store(uint256 number)"))
	require.Error(t, policy.CheckDanger(session.Lint([]session.Leaf{leaf}, w.user.LintConfig(state))))
	require.NoError(t, policy.CheckDanger(session.Lint([]session.Leaf{leaf}, w.user.LintConfig(nil))))
}

// What the refusals above are for.
func TestWhatDangerousSessionsDo(t *testing.T) {
	w := newWorld(t)
	at := w.chain.Contracts
	w.fund(t, 1)
	_, err := w.chain.SendTx(t.Context(), at.EntryPoint, big.NewInt(2e18), contracts.DepositTo(w.owner.Address()))
	require.NoError(t, err)
	sess := w.grant(t, []policy.Policy{
		w.takeover(), session.Named("withdraw", w.allow(at.EntryPoint, "withdrawTo(address to, uint256 amount)")),
	}, account.AllowDanger(policy.FindingGuard))

	receipt, err := w.send(t, []account.Call{{To: at.EntryPoint, Data: pack(t, "withdrawTo(address,uint256)", robber, big.NewInt(2e18))}},
		account.WithSession(sess.ByID("withdraw")))
	require.NoError(t, err)
	require.True(t, receipt.Success)
	require.Equal(t, uint256.NewInt(2e18), w.holds(t, robber), "the deposit is gone")

	transfer := append(pack(t, "transferOwnership(address)", robber), make([]byte, abi.WordSize)...)
	receipt, err = w.send(t, []account.Call{{To: at.ECDSAModule, Data: transfer}}, account.WithSession(sess.ByID("takeover")))
	require.NoError(t, err)
	require.True(t, receipt.Success)
	state, err := w.user.State(t.Context())
	require.NoError(t, err)
	owner, ok := state.OwnerAt(at.ECDSAModule)
	require.True(t, ok)
	require.Equal(t, robber, owner, "and so is the account")
}

func TestGrantTogetherIsLinted(t *testing.T) {
	w := newWorld(t)
	owner := w.client.OwnedAccount(account.KeyOwner(w.ownerKey), account.Multichain())
	key, err := w.store.NewKey(t.Context(), owner.Ref())
	require.NoError(t, err)
	p := w.allow(w.chain.Contracts.EntryPoint, "withdrawTo(address to, uint256 amount)")
	p.Key = key
	_, err = account.GrantTogether(t.Context(), w.store, account.GrantLeg{Account: owner, Policies: []policy.Policy{p}, Options: []account.Option{account.Sponsored()}})
	var danger *policy.DangerError
	require.ErrorAs(t, err, &danger)
}

// meetingChain lets its first two calls go only together.
type meetingChain struct {
	*ethclient.Client
	calls atomic.Int32
	met   chan struct{}
}

func (c *meetingChain) CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error) {
	if c.calls.Add(1) == 2 {
		close(c.met)
	}
	select {
	case <-c.met:
		return c.Client.CallContract(ctx, call, block)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestWhatAGrantIsLintedByIsReadBesideTheRest(t *testing.T) {
	w := newWorld(t)
	config := w.config
	config.Chain = &meetingChain{Client: w.chain.Client(), met: make(chan struct{})}
	client, err := account.NewClient(config)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// With no root to compare, what the modules are asked is the only other request that there is to meet.
	_, _, err = client.OwnedAccount(account.KeyOwner(w.ownerKey)).Grant(ctx, w.store, []policy.Policy{w.nftPolicy()}, account.Sponsored(), account.ReplaceRoot())
	require.NoError(t, err)
}

// A session says what its account's state makes of it.
func TestSessionsOfAnAccountThatHoldsMoney(t *testing.T) {
	w := newWorld(t)
	w.grant(t, []policy.Policy{w.nftPolicy()})
	leaf := w.activeLeaf(t, "mint", w.nftPolicy())
	read := func() policy.LintConfig {
		state, err := w.user.State(t.Context())
		require.NoError(t, err)
		return w.user.LintConfig(state)
	}
	config := read()
	require.Equal(t, leaf.Describe(config.Modules), config.Describe(&leaf.Compiled), "it holds nothing")
	require.Empty(t, session.Lint([]session.Leaf{leaf}, config))

	w.fund(t, 2)
	config = read()
	require.Equal(t, leaf.Describe(config.Modules)+"; and spend the account's balance and deposit of 2000000000000000000 wei as gas, which no module looks at", config.Describe(&leaf.Compiled))
	findings := session.Lint([]session.Leaf{leaf}, config)
	require.Len(t, findings, 1)
	require.Equal(t, "account: warning: no module looks at fees or gas: each key can spend the account's balance and deposit of 2000000000000000000 wei as gas of operations that the account pays for, whatever its value limit says (spends-gas)", findings[0].String())

	done(t)(w.owner.EnableModule(t.Context(), w.client.Contracts().Session.Router, account.Sponsored(), account.RouterDespiteFunds()))
	config = read()
	require.Contains(t, config.Describe(&leaf.Compiled), "; through the batched session router anybody can spend the account's balance and deposit of 2000000000000000000 wei as gas")
	findings = session.Lint(nil, config)
	require.Len(t, findings, 1, "with no session at all")
	require.Equal(t, policy.FindingRouter, findings[0].Code)
	require.Equal(t, policy.SeverityDanger, findings[0].Severity)
}

// What the chain says of the contracts that sessions may call is found outside of a grant, too, which it is
// no reason to refuse.
func TestLintOfAnAccount(t *testing.T) {
	w := newWorld(t)
	for _, deployed := range []bool{false, true} {
		if deployed {
			w.grant(t, []policy.Policy{w.nftPolicy()})
			w.fund(t, 2)
		}
		leaves := []session.Leaf{w.activeLeaf(t, "mint", w.nftPolicy()), w.activeLeaf(t, "nothing", w.allow(stranger, "harmless()"))}
		client, chain := w.counted(t)
		findings, err := client.Account(w.user.Address()).Lint(t.Context(), leaves)
		require.NoError(t, err)
		require.Equal(t, int32(1), chain.calls.Load())
		require.Equal(t, "nothing: warning: there is no contract at "+stranger.Hex()+" on this chain: a call succeeds and does nothing, until somebody deploys one there (no-code)", findings[0].String())
		require.Equal(t, deployed, len(findings) == 2 && findings[1].Code == policy.FindingGas, "%v", findings)
	}
}

// Where there is no paymaster the account pays, whatever it holds now.
func TestSessionsOfAnAccountThatPaysItself(t *testing.T) {
	w := newWorld(t)
	leaf := w.activeLeaf(t, "mint", w.nftPolicy())
	require.NotContains(t, leaf.DescribeWith(w.user.LintConfig(nil)), "gas")
	config := w.config
	config.Paymaster = nil
	client, err := account.NewClient(config)
	require.NoError(t, err)
	known := client.Account(w.user.Address()).LintConfig(nil)
	require.Contains(t, leaf.DescribeWith(known), "; and spend the account's balance and deposit as gas, which no module looks at")
	findings := session.Lint([]session.Leaf{leaf}, known)
	require.Len(t, findings, 1)
	require.Equal(t, policy.FindingGas, findings[0].Code)
	require.Equal(t, policy.SeverityWarning, findings[0].Severity)
}

func ExampleAllowDanger() {
	w := exampleWorld()
	key, err := w.store.NewKey(w.ctx, w.owner.Ref())
	if err != nil {
		fmt.Println(err)
		return
	}
	careless := []policy.Policy{session.Named("withdraw", policy.ABI{
		Key: key, Contract: w.client.Contracts().EntryPoint, Function: "withdrawTo(address to, uint256 amount)",
		Rules:  []policy.Rule{policy.Arg("to", policy.Equal, w.owner.Address())},
		Window: policy.Until(time.Now().Add(time.Hour)),
	})}
	_, _, err = w.owner.Grant(w.ctx, w.store, careless, account.Sponsored())
	fmt.Println(err)
	_, _, err = w.owner.Grant(w.ctx, w.store, careless, account.Sponsored(), account.AllowDanger(policy.FindingGuard))
	fmt.Println(err)
	// Output:
	// grant a session: refused as a danger: withdraw: it may call 0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789, which guards the account (calls-guard); nothing was signed, and AllowDanger with the codes grants it all the same
	// <nil>
}

// The modules that an owner's handle signs through are guards, also before the account listens to them.
func TestModulesOfTheOwnerAreGuards(t *testing.T) {
	w := newWorld(t)
	own := w.client.ECDSAModule(account.KeyOwner(w.ownerKey))
	own.Address = w.chain.Contracts.Target
	for _, option := range []account.OwnedOption{account.DefaultModule(own), account.ActiveModule(own)} {
		owner := w.client.OwnedAccount(account.KeyOwner(w.ownerKey), option)
		_, _, err := owner.Grant(t.Context(), w.store, []policy.Policy{w.allow(own.Address, "store(uint256 number)")}, account.Sponsored())
		var danger *policy.DangerError
		require.ErrorAs(t, err, &danger)
		require.Equal(t, policy.FindingGuard, danger.Findings[0].Code)
	}
}
