package account_test

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// giveTokens mints amount of a token's base units to the owner's account.
func (w *world) giveTokens(t *testing.T, token common.Address, amount uint64) {
	t.Helper()
	_, err := w.chain.SendTx(t.Context(), token, nil, pack(t, "mint(address,uint256)", w.owner.Address(), amount))
	require.NoError(t, err)
}

func (w *world) allowance(t *testing.T, token common.Address) uint256.Int {
	t.Helper()
	return w.read(t, token, contracts.Allowance(w.owner.Address(), w.chain.Contracts.TokenPaymaster))
}

// quoter is an account that can be asked for quotes: the owner's, or one known by its address.
type quoter interface {
	FeeQuotes(ctx context.Context, calls []account.Call, tokens []common.Address, opts ...account.Option) (userop.FeeQuotes, error)
}

// quote asks for the quote in one token.
func quote(t *testing.T, from quoter, token common.Address, calls []account.Call, opts ...account.Option) userop.FeeQuote {
	t.Helper()
	quotes, err := from.FeeQuotes(t.Context(), calls, []common.Address{token}, opts...)
	require.NoError(t, err)
	found, ok := quotes.For(token)
	require.True(t, ok)
	return found
}

// pay has the owner do the calls for a fee in a token, and returns them as they went out.
func (w *world) pay(t *testing.T, token common.Address, calls []account.Call, opts ...account.Option) (userop.FeeQuote, []account.Call) {
	t.Helper()
	q := quote(t, w.owner, token, calls, opts...)
	before := w.balance(t, token, w.owner.Address()) // it may land before Send returns
	tx, err := w.owner.Send(t.Context(), calls, append(opts, account.PayWith(q))...)
	require.NoError(t, err)
	receipt, err := tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, w.chain.Contracts.TokenPaymaster, receipt.Paymaster)

	fee, ok := w.client.TokenFee(receipt)
	require.True(t, ok)
	require.Equal(t, account.TokenFee{Token: token, Amount: *uint256.NewInt(before - w.balance(t, token, w.owner.Address()))}, fee)
	require.False(t, fee.Amount.Gt(&q.MaxFee))
	require.False(t, fee.Amount.IsZero())
	sent, err := w.user.Decode(tx.Operation().CallData)
	require.NoError(t, err)
	return q, sent
}

// approvals are the amounts that calls approve the token paymaster for, before the last n calls.
func (w *world) approvals(t *testing.T, token common.Address, calls []account.Call, n int) (amounts []string) {
	t.Helper()
	for _, call := range calls[:len(calls)-n] {
		require.Equal(t, token, call.To)
		var amount uint256.Int
		amount.SetBytes(call.Data[len(call.Data)-32:])
		require.Equal(t, contracts.Approve(w.chain.Contracts.TokenPaymaster, amount), call.Data)
		amounts = append(amounts, amount.Dec())
	}
	return amounts
}

func TestPayWith(t *testing.T) {
	t.Parallel()
	const funds = 100_000_000
	unlimited := new(uint256.Int).SetAllOne()
	for name, test := range map[string]struct {
		token  func(accounttest.Contracts) common.Address
		option account.Option
		// What the first and the second operation approve; MaxFee stands for the quote's.
		first, second []string
	}{
		"exact": {func(c accounttest.Contracts) common.Address { return c.Token6 }, account.ApproveExact(),
			[]string{"MaxFee"}, []string{"0", "MaxFee"}},
		"exact, with reset": {func(c accounttest.Contracts) common.Address { return c.ResetToken }, account.ApproveExact(),
			[]string{"MaxFee"}, []string{"0", "MaxFee"}},
		"capped": {func(c accounttest.Contracts) common.Address { return c.Token6 }, account.ApproveUpTo(uint256.NewInt(funds / 2)),
			[]string{"50000000"}, nil},
		"unlimited": {func(c accounttest.Contracts) common.Address { return c.ResetToken }, account.ApproveUnlimited(),
			[]string{unlimited.Dec()}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			token := test.token(w.chain.Contracts)
			w.giveTokens(t, token, funds)
			tx, err := w.owner.Deploy(t.Context(), account.Sponsored()) // which would make the first fee the highest
			require.NoError(t, err)
			_, err = tx.Wait(t.Context())
			require.NoError(t, err)
			calls := []account.Call{w.mint(t, w.user.Address())}
			for i, want := range [][]string{test.first, test.second} {
				q, sent := w.pay(t, token, calls, test.option)
				got := w.approvals(t, token, sent, len(calls))
				for n := range got {
					if got[n] == q.MaxFee.Dec() {
						got[n] = "MaxFee"
					}
				}
				require.Equal(t, want, got, "operation %d", i)
			}
			require.EqualValues(t, 2, w.nfts(t))
		})
	}
}

func TestPayWithinTheAllowanceOfBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 100_000_000)
	approve := []account.Call{{To: token, Data: contracts.Approve(w.chain.Contracts.TokenPaymaster, *uint256.NewInt(60_000_000))}}
	tx, err := w.owner.Send(t.Context(), approve, account.Sponsored())
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)

	calls := []account.Call{w.mint(t, w.user.Address())}
	_, sent := w.pay(t, token, calls)
	require.Equal(t, calls, sent)
	_, sent = w.pay(t, token, calls, account.ApproveExact())
	require.Equal(t, calls, sent, "nothing to approve")
	left := w.allowance(t, token)
	require.True(t, left.Lt(uint256.NewInt(60_000_000)))
}

func TestPayWithAGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 100_000_000)
	q := userop.FeeQuote{Token: token, Symbol: "DEMO6", MaxFee: *uint256.NewInt(50_000_000), Paymaster: w.chain.Contracts.TokenPaymaster}
	sess, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.PayWith(q), account.ApproveExact())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	require.Less(t, w.balance(t, token, w.owner.Address()), uint64(100_000_000))
}

func TestFeeQuotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	calls := []account.Call{w.mint(t, w.user.Address())}
	all, err := w.owner.FeeQuotes(t.Context(), calls, nil)
	require.NoError(t, err)
	require.Len(t, all.Quotes, 3)
	six, ok := all.For(w.chain.Contracts.Token6)
	require.True(t, ok)
	require.Equal(t, "DEMO6", six.Symbol)
	require.EqualValues(t, 6, six.Decimals)
	require.Equal(t, w.chain.Contracts.TokenPaymaster, six.Paymaster)
	require.True(t, six.ValidUntil.After(w.now()))

	two, err := w.owner.FeeQuotes(t.Context(), calls, []common.Address{w.chain.Contracts.Token6, w.chain.Contracts.ResetToken})
	require.NoError(t, err)
	require.Len(t, two.Quotes, 2)

	dearer := quote(t, w.owner, w.chain.Contracts.Token6, calls, account.ApproveExact())
	require.True(t, dearer.MaxFee.Gt(&six.MaxFee), "the approval costs gas too: %s, %s", dearer.MaxFee.Dec(), six.MaxFee.Dec())

	_, err = w.owner.FeeQuotes(t.Context(), calls, nil, account.ApproveExact())
	require.ErrorIs(t, err, account.ErrConfig)
	require.EqualError(t, err, "invalid configuration: quotes in 0 tokens with ApproveExact, which is for one: name that token, or leave the approval out to compare tokens")
	_, err = w.owner.FeeQuotes(t.Context(), calls, nil, account.PayWith(six))
	require.ErrorContains(t, err, "FeeQuotes with Sponsored, SponsoredOrSelf or PayWith; who pays is chosen for sending")
	_, err = w.user.FeeQuotes(t.Context(), calls, nil)
	require.ErrorIs(t, err, account.ErrNoSigner)
	_, err = w.owner.FeeQuotes(t.Context(), nil, nil)
	require.ErrorContains(t, err, "no call to make")
	require.Zero(t, w.bundler.Bundles())
}

func TestFeeQuotesCountTheApprovalThatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	calls := []account.Call{w.mint(t, w.user.Address())}
	allow := func(amount uint64) (plain, withApproval userop.FeeQuote) {
		approve := account.Call{To: token, Data: contracts.Approve(w.chain.Contracts.TokenPaymaster, *uint256.NewInt(amount))}
		done(t)(w.owner.Send(t.Context(), []account.Call{approve}, account.Sponsored()))
		fees := account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(2_000_000_000)})
		return quote(t, w.owner, token, calls, fees), quote(t, w.owner, token, calls, fees, account.ApproveExact())
	}
	plain, with := allow(1)
	require.True(t, with.MaxFee.Gt(&plain.MaxFee), "too little is allowed: %s, %s", with.MaxFee.Dec(), plain.MaxFee.Dec())
	plain, with = allow(50_000_000)
	require.Equal(t, plain.MaxFee.Dec(), with.MaxFee.Dec(), "enough is allowed")
}

func TestMarginsAndLimitsHoldInAQuoteToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 100_000_000)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	calls := []account.Call{w.mint(t, w.user.Address())}
	for name, option := range map[string]account.Option{
		"gas margins":       account.WithMargins(userop.Margins{CallGasLimit: 100, VerificationGasLimit: 100, PreVerificationGas: 100}),
		"fee margin":        account.WithMargins(userop.Margins{MaxFeePerGas: 100}),
		"one limit":         account.WithGas(userop.Gas{CallGasLimit: *uint256.NewInt(1_000_000)}),
		"all limits":        enough,
		"the caller's fees": account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(9_000_000_000), MaxPriorityFeePerGas: *uint256.NewInt(1)}),
	} {
		t.Run(name, func(t *testing.T) { w.pay(t, token, calls, option, account.ApproveExact()) })
	}
}

func TestPayWithRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	calls := []account.Call{w.mint(t, w.user.Address())}
	exact := account.ApproveExact()
	good := quote(t, w.owner, token, calls, exact)
	changed := func(change func(*userop.FeeQuote)) account.Option {
		q := good
		change(&q)
		return account.PayWith(q)
	}
	fails := func(t *testing.T, is error, text string, opts ...account.Option) {
		t.Helper()
		_, err := w.owner.Send(t.Context(), calls, opts...)
		require.ErrorIs(t, err, is)
		require.ErrorContains(t, err, text)
		require.Zero(t, w.bundler.Bundles())
	}

	fails(t, account.ErrFunds, "insufficient funds: account "+w.owner.Address().Hex()+" has 0 of token "+token.Hex()+" (DEMO6), the fee is up to "+good.MaxFee.Dec(),
		account.PayWith(good), exact)
	fails(t, account.ErrFunds, "has 0 of token", account.PayWith(good))
	w.giveTokens(t, token, 100_000_000)
	fails(t, account.ErrAllowance, "insufficient allowance: account "+w.owner.Address().Hex()+" lets token paymaster 0x00000f7365cA6C59A2C93719ad53d567ed49c14C take 0 of token "+
		token.Hex()+" (DEMO6), the fee is up to "+good.MaxFee.Dec()+"; ApproveExact, ApproveUpTo or ApproveUnlimited has it approved in the same operation", account.PayWith(good))
	fails(t, policy.ErrInvalid, "ApproveUpTo(7) is less than the fee of up to "+good.MaxFee.Dec(), account.PayWith(good), account.ApproveUpTo(uint256.NewInt(7)))
	fails(t, policy.ErrInvalid, "ApproveUpTo(0) is less than", account.PayWith(good), account.ApproveUpTo(nil))
	fails(t, account.ErrQuoteExpired, "fee quote has expired: it was good until 2023-11-14T22:13:20Z; FeeQuotes asks for a new one",
		changed(func(q *userop.FeeQuote) { q.ValidUntil = time.Unix(1_700_000_000, 0) }), exact)
	fails(t, account.ErrConfig, "name it in Contracts.TokenPaymaster", changed(func(q *userop.FeeQuote) { q.Paymaster = stranger }), exact)
	fails(t, policy.ErrInvalid, "a quote without a token or a fee", changed(func(q *userop.FeeQuote) { q.MaxFee.Clear() }), exact)
	fails(t, policy.ErrInvalid, "a quote without a token or a fee", account.PayWith(userop.FeeQuote{}), exact)
	fails(t, account.ErrConfig, "ApproveExact without PayWith, whose fee it is for", exact)
	fails(t, account.ErrConfig, "ApproveExact without PayWith, whose fee it is for", exact, account.Sponsored())
	fails(t, account.ErrConfig, "Sponsored, SponsoredOrSelf and PayWith each name who pays; use one", account.PayWith(good), account.Sponsored())
	fails(t, account.ErrConfig, "Sponsored, SponsoredOrSelf and PayWith each name who pays; use one", account.SponsoredOrSelf(), account.Sponsored())
	fails(t, account.ErrConfig, "PayWith twice", account.PayWith(good), account.PayWith(good))
	fails(t, account.ErrConfig, "ApproveExact and ApproveUnlimited; use one", account.PayWith(good), exact, account.ApproveUnlimited())
	fails(t, account.ErrConfig, "ApproveExact with 2 leaves; one allows the approval", account.PayWith(good), account.ApproveExact(session.LeafRef{}, session.LeafRef{}))
	fails(t, account.ErrConfig, "ApproveExact with a leaf goes with WithSession", account.PayWith(good), account.ApproveExact(session.LeafRef{}))

	unknown := changed(func(q *userop.FeeQuote) { q.Token = stranger })
	fails(t, account.ErrBadAnswer, "balance and allowance of account "+w.owner.Address().Hex()+" in token "+stranger.Hex()+": unexpected answer of a contract: balanceOf: ", unknown, exact)

	_, err := w.owner.Deploy(t.Context(), account.PayWith(good))
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "an account without code can allow nobody to take tokens")

	t.Run("the price rises after the quote", func(t *testing.T) {
		w.paymaster.SetRate(token, big.NewInt(4_000_000_000))
		defer w.paymaster.SetRate(token, big.NewInt(2_000_000_000))
		fails(t, account.ErrNotAsQuoted, "check: not as quoted: the paymaster takes up to ", account.PayWith(good), exact)
		estimate, err := w.owner.Estimate(t.Context(), calls, account.PayWith(good), exact)
		require.NoError(t, err, "to look costs nothing")
		require.Equal(t, w.chain.Contracts.TokenPaymaster, estimate.Paymaster)
		fails(t, account.ErrFunds, "(no[31m news), the fee is up to 100000001", changed(func(q *userop.FeeQuote) {
			q.Symbol = "no\x1b[31m\n news"
			q.MaxFee.SetUint64(100_000_001)
		}), exact)
		fails(t, account.ErrFunds, "the fee is up to 100000001", changed(func(q *userop.FeeQuote) { q.MaxFee.SetUint64(100_000_001) }), exact)
	})
	t.Run("the call fails, and takes the approval back", func(t *testing.T) {
		failing := []account.Call{{To: w.chain.Contracts.Target, Data: pack(t, "failRequire(string)", "because")}}
		_, err := w.owner.Send(t.Context(), failing, account.PayWith(good), exact)
		require.ErrorContains(t, err, "because")
		_, err = w.owner.FeeQuotes(t.Context(), failing, []common.Address{token}, exact)
		require.ErrorContains(t, err, "because")
	})
	t.Run("unchecked", func(t *testing.T) {
		before := w.balance(t, token, w.owner.Address())
		tx, err := w.owner.Send(t.Context(), calls, account.PayWith(good), account.Unchecked())
		require.NoError(t, err, "left to the chain")
		receipt, err := tx.Wait(t.Context())
		require.ErrorIs(t, err, account.ErrFunds)
		require.ErrorContains(t, err, "could not take its fee of", "the paymaster was not paid, and the calls are undone")
		require.False(t, receipt.Success)
		require.Equal(t, before, w.balance(t, token, w.owner.Address()))
	})
	t.Run("after all that", func(t *testing.T) {
		_, sent := w.pay(t, token, calls, exact)
		require.Len(t, sent, 2)
	})
}

// broken is a chain that cannot be asked for an allowance.
type broken struct {
	*ethclient.Client
	allowance []byte
	err       error
}

func (b *broken) CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error) {
	if bytes.Contains(call.Data, b.allowance) {
		return nil, b.err
	}
	return b.Client.CallContract(ctx, call, block)
}

// Fault 16: when building the token approval fails, the operation goes out without it.
func TestFault16NoOperationGoesOutWithoutItsApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 100_000_000)
	calls := []account.Call{w.mint(t, w.user.Address())}
	good := quote(t, w.owner, token, calls, account.ApproveExact())

	mock := paymastertest.NewServer(t, paymastertest.Config{})
	why := errors.New("the node is out of breath")
	node := &broken{
		Client:    w.chain.Client(),
		allowance: contracts.Allowance(w.owner.Address(), w.chain.Contracts.TokenPaymaster),
		err:       &url.Error{Op: "Post", URL: "https://node.example/v2/SECRET", Err: why},
	}
	config := w.config
	config.Chain, config.Paymaster = node, paymaster.New(mock.URL())
	client, err := account.NewClient(config)
	require.NoError(t, err)
	owner := client.OwnedAccount(account.KeyOwner(w.ownerKey))

	for _, option := range []account.Option{account.ApproveExact(), account.ApproveUpTo(&good.MaxFee), account.ApproveUnlimited()} {
		_, err = owner.Send(t.Context(), calls, account.PayWith(good), option)
		require.ErrorIs(t, err, why)
		require.ErrorContains(t, err, "prepare: balance and allowance of account "+owner.Address().Hex()+" in token "+token.Hex()+": the node is out of breath")
		require.NotContains(t, err.Error(), "SECRET")
		_, err = owner.FeeQuotes(t.Context(), calls, []common.Address{token}, option)
		require.ErrorIs(t, err, why)
	}
	require.Zero(t, mock.Count(""), "no paymaster is asked for less than the whole operation")
	require.Zero(t, w.bundler.Bundles())
}

func TestThePaymastersAnswerIsHeldAgainstTheQuote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 100_000_000)
	calls := []account.Call{w.mint(t, w.user.Address())}
	mock := paymastertest.NewServer(t, paymastertest.Config{})
	config := w.config
	config.Paymaster = paymaster.New(mock.URL())
	client, err := account.NewClient(config)
	require.NoError(t, err)
	owner := client.OwnedAccount(account.KeyOwner(w.ownerKey))
	good := quote(t, owner, token, calls, account.ApproveExact())
	require.Equal(t, "500000", good.MaxFee.Dec())

	data, err := contracts.DecodeTokenPaymasterData(paymastertest.TokenPaymasterAndData(token))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		answer func(d contracts.TokenPaymasterData) []byte
		opts   []account.Option
		text   string // empty: the answer is accepted
	}{
		"as quoted": {func(d contracts.TokenPaymasterData) []byte { return d.Pack() }, nil, ""},
		"another token": {func(d contracts.TokenPaymasterData) []byte { d.Token = stranger; return d.Pack() }, nil,
			"not as quoted: the paymaster takes token " + stranger.Hex() + ", the quote is for token " + token.Hex() + " (DEMO6)"},
		"another paymaster": {func(d contracts.TokenPaymasterData) []byte { d.Paymaster = stranger; return d.Pack() }, nil,
			"not as quoted: paymaster " + stranger.Hex() + " answered, the quote is 0x00000f7365cA6C59A2C93719ad53d567ed49c14C's"},
		"a dearer rate": {func(d contracts.TokenPaymasterData) []byte { d.Rate.SetUint64(1e15); return d.Pack() }, nil,
			" of token " + token.Hex() + " (DEMO6), the quote's MaxFee is 500000; ask for a new quote, or raise it"},
		"an absurd rate": {func(d contracts.TokenPaymasterData) []byte { d.Rate.SetAllOne(); d.Markup = 1<<32 - 1; return d.Pack() }, nil,
			"not as quoted: the price does not fit into 256 bits"},
		"unreadable, within an exact allowance": {func(d contracts.TokenPaymasterData) []byte { return d.Paymaster[:] }, nil, ""},
		"unreadable, with more allowed": {func(d contracts.TokenPaymasterData) []byte { return d.Paymaster[:] }, []account.Option{account.ApproveUnlimited()},
			"not as quoted: nothing bounds the fee, since the paymaster is allowed more than the quote's MaxFee of 500000 and its price cannot be read: paymasterAndData of a token paymaster: 20 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			mock.On("pm_sponsorUserOperation", paymastertest.Result(map[string]any{
				"paymasterAndData": "0x" + common.Bytes2Hex(test.answer(data)), "callGasLimit": 100_000, "verificationGasLimit": 200_000, "preVerificationGas": 50_000,
			}))
			opts := append([]account.Option{account.PayWith(good)}, test.opts...)
			if len(test.opts) == 0 {
				opts = append(opts, account.ApproveExact())
			}
			op, err := owner.Build(t.Context(), calls, opts...)
			if test.text == "" {
				require.NoError(t, err)
				require.Equal(t, test.answer(data), op.PaymasterAndData)
				return
			}
			require.ErrorIs(t, err, account.ErrNotAsQuoted)
			require.ErrorContains(t, err, test.text)
		})
	}
}

// approvalPolicy allows approving the token paymaster for at most limit of a token's base units.
func (w *world) approvalPolicy(token common.Address, limit uint64) policy.Policy {
	return session.Named("approve", policy.ABI{
		Key: w.key, Contract: token, Function: "approve(address spender, uint256 amount)",
		Rules: []policy.Rule{
			policy.Arg("spender", policy.Equal, w.chain.Contracts.TokenPaymaster),
			policy.Arg("amount", policy.LessThanOrEqual, limit),
		},
		Window: policy.Until(w.now().Add(time.Hour)),
	})
}

func TestPayWithInASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.ResetToken
	w.giveTokens(t, token, 100_000_000)
	sess := w.grant(t, []policy.Policy{session.Named("nft", w.nftPolicy()), w.approvalPolicy(token, 40_000_000)}, account.ForBatches())
	calls := []account.Call{w.mint(t, w.user.Address())}
	leaf := account.WithSession(sess.ByID("nft"))
	exact := account.ApproveExact(sess.ByID("approve"))
	send := func(t *testing.T, opts ...account.Option) (*userop.Pending, error) {
		t.Helper()
		tx, err := w.user.Send(t.Context(), calls, opts...)
		if err == nil {
			_, err = tx.Wait(t.Context())
		}
		return tx, err
	}
	q := quote(t, w.user, token, calls, leaf, exact)

	t.Run("no approval", func(t *testing.T) {
		_, err := send(t, leaf, account.PayWith(q))
		require.ErrorIs(t, err, account.ErrAllowance)
		require.ErrorContains(t, err, "ApproveUnlimited has it approved in the same operation, with a session leaf that allows approve(address,uint256) of the token; or its owner approves it once, before")
	})
	t.Run("an approval without a leaf", func(t *testing.T) {
		_, err := send(t, leaf, account.PayWith(q), account.ApproveExact())
		require.ErrorIs(t, err, account.ErrAllowance)
		require.ErrorIs(t, err, session.ErrNoLeaf)
		require.ErrorContains(t, err, "take 0 of token "+token.Hex()+" (RESET), the fee is up to "+q.MaxFee.Dec()+
			": no such session leaf: in a session ApproveExact needs a leaf for the approval itself: ApproveExact(leaf) with one that allows approve(address,uint256) of token "+token.Hex())
		_, err = w.user.FeeQuotes(t.Context(), calls, []common.Address{token}, leaf, account.ApproveExact())
		require.ErrorIs(t, err, session.ErrNoLeaf)
	})
	t.Run("an approval against the policy", func(t *testing.T) {
		_, err := send(t, leaf, account.PayWith(q), account.ApproveUnlimited(sess.ByID("approve")))
		var violation *policy.Violation
		require.ErrorAs(t, err, &violation)
		require.ErrorContains(t, err, "with the approval of the fee put before the calls, as call 0: call 0: session approve: rule 1 (amount): ")
		_, err = send(t, leaf, account.PayWith(q), account.ApproveExact(sess.ByID("nft")))
		require.ErrorContains(t, err, "ABISV Destination Forbidden")
		_, err = send(t, leaf, account.PayWith(q), account.ApproveUnlimited(sess.ByID("approve")), account.Unchecked())
		require.ErrorContains(t, err, "AA23 reverted: ABISV Arg Rule Violated", "the chain says the same")
	})
	require.Zero(t, w.nfts(t))
	t.Run("with its leaf", func(t *testing.T) {
		tx, err := send(t, leaf, account.PayWith(q), exact)
		require.NoError(t, err)
		sent, err := w.user.Decode(tx.Operation().CallData)
		require.NoError(t, err)
		require.Equal(t, []string{q.MaxFee.Dec()}, w.approvals(t, token, sent, 1))
	})
	t.Run("again, with a reset", func(t *testing.T) {
		again := quote(t, w.user, token, calls, leaf, exact)
		tx, err := send(t, leaf, account.PayWith(again), exact)
		require.NoError(t, err)
		sent, err := w.user.Decode(tx.Operation().CallData)
		require.NoError(t, err)
		require.Equal(t, []string{"0", again.MaxFee.Dec()}, w.approvals(t, token, sent, 1))
	})
	t.Run("found by preflight, for later too", func(t *testing.T) {
		found, upTo := account.WithLeafOf(sess), account.ApproveUpTo(uint256.NewInt(40_000_000))
		q := quote(t, w.user, token, calls, found, upTo)
		require.NoError(t, w.user.Simulate(t.Context(), calls, found, account.PayWith(q), upTo))
		_, err := send(t, found, account.PayWith(q), upTo)
		require.NoError(t, err)
	})
	t.Run("enough is allowed", func(t *testing.T) {
		q := quote(t, w.user, token, calls, leaf, exact)
		for _, opts := range [][]account.Option{{leaf}, {leaf, account.ApproveExact()}, {leaf, exact}} {
			tx, err := send(t, append(opts, account.PayWith(q))...)
			require.NoError(t, err)
			require.Equal(t, contracts.Execute(calls[0].To, calls[0].Value, calls[0].Data), tx.Operation().CallData, "a single call, through the manager")
		}
	})
	require.EqualValues(t, 6, w.nfts(t))
}

func TestPayWithInASessionNeedsTheRouterForAnApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 100_000_000)
	sess := w.grant(t, []policy.Policy{session.Named("nft", w.nftPolicy()), w.approvalPolicy(token, 40_000_000)})
	calls := []account.Call{w.mint(t, w.user.Address())}
	q := quote(t, w.user, token, calls, account.WithSession(sess.ByID("nft")))
	_, err := w.user.Send(t.Context(), calls, account.WithSession(sess.ByID("nft")), account.PayWith(q), account.ApproveExact(sess.ByID("approve")))
	require.ErrorIs(t, err, account.ErrModuleNotEnabled)
	require.ErrorContains(t, err, "batched session router")
}

func TestSponsoredOrSelf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var refuse error
	service := accounttest.NewPaymaster(t, accounttest.PaymasterConfig{Chain: w.chain, Policy: func(*userop.Operation) error { return refuse }})
	config := w.config
	config.Paymaster = paymaster.New(service.URL())
	client, err := account.NewClient(config)
	require.NoError(t, err)
	owner := client.OwnedAccount(account.KeyOwner(w.ownerKey))
	calls := []account.Call{w.mint(t, w.user.Address())}
	w.fund(t, 1)
	send := func(option account.Option) (common.Address, error) {
		tx, err := owner.Send(t.Context(), calls, option)
		if err != nil {
			return common.Address{}, err
		}
		receipt, err := tx.Wait(t.Context())
		require.NoError(t, err)
		_, inTokens := client.TokenFee(receipt)
		require.False(t, inTokens)
		return receipt.Paymaster, nil
	}

	payer, err := send(account.SponsoredOrSelf())
	require.NoError(t, err)
	require.Equal(t, w.chain.Contracts.Paymaster, payer)

	refuse = accounttest.ErrUnsponsored
	_, err = send(account.Sponsored())
	require.ErrorIs(t, err, userop.ErrNotSponsored, "never unasked")
	payer, err = send(account.SponsoredOrSelf())
	require.NoError(t, err)
	require.Equal(t, common.Address{}, payer)

	refuse = errors.New("this contract is on the list of forbidden ones")
	_, err = send(account.SponsoredOrSelf())
	require.ErrorContains(t, err, "this contract is on the list of forbidden ones")

	standard := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusBadRequest)
		_, _ = rw.Write([]byte(`{"error":"userOp did not match any gas sponsoring policies or (no ERC20 gas token data present)"}`))
	}))
	defer standard.Close()
	through := func(service userop.Paymaster) {
		config.Paymaster = service
		client, err = account.NewClient(config)
		require.NoError(t, err)
		owner = client.OwnedAccount(account.KeyOwner(w.ownerKey))
	}
	through(paymaster.NewERC7677(standard.URL, nil))
	_, err = send(account.Sponsored())
	require.ErrorIs(t, err, paymaster.ErrPolicy)
	payer, err = send(account.SponsoredOrSelf())
	require.NoError(t, err)
	require.Equal(t, common.Address{}, payer)

	through(paymaster.New("http://127.0.0.1:1"))
	_, err = send(account.SponsoredOrSelf())
	var transport *paymaster.TransportError
	require.ErrorAs(t, err, &transport)
	require.NotErrorIs(t, err, userop.ErrNotSponsored)
	require.EqualValues(t, 3, w.nfts(t))
}

func TestAPaymentInTokensIsThreeRoundTrips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.chain.Contracts.Token6
	w.giveTokens(t, token, 100_000_000)
	trips := new(jsonrpctest.RoundTrips)
	before := func(service string) string {
		mock := jsonrpctest.NewServer(t, jsonrpctest.Config{Delay: tripDelay})
		mock.CountIn(trips)
		mock.Otherwise(jsonrpctest.Forward(service))
		return mock.URL()
	}
	rpcURL, err := w.chain.RPCURL()
	require.NoError(t, err)
	node, err := ethclient.Dial(before(rpcURL))
	require.NoError(t, err)
	t.Cleanup(node.Close)
	vendor := accounttest.NewBundler(t, accounttest.BundlerConfig{Chain: w.chain, Vendor: bundlertest.Pimlico})
	client, err := account.NewClient(account.Config{
		ChainID: w.chain.ChainID(), Chain: node, Bundler: bundler.New(before(vendor.URL())), Paymaster: paymaster.New(before(w.paymaster.URL())),
	})
	require.NoError(t, err)
	owner := client.OwnedAccount(account.KeyOwner(w.ownerKey))
	calls := []account.Call{w.mint(t, w.user.Address())}
	q := quote(t, owner, token, calls, account.ApproveExact())
	require.Equal(t, 3, trips.Depth(), "allowance, what the operation is made of, quote")

	trips.Reset()
	_, err = owner.Send(t.Context(), calls, account.PayWith(q), account.ApproveExact())
	require.NoError(t, err)
	require.Equal(t, 3, trips.Depth(), "the approval costs no round trip of its own")
}
