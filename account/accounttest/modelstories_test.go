package accounttest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

func callTo(to common.Address, data []byte) ethereum.CallMsg {
	return ethereum.CallMsg{To: &to, Data: data}
}

var (
	thief = accounttest.Address("thief")

	sponsored, unchecked = account.Sponsored(), account.Unchecked()
)

// TestModelTellsTheSameStories plays each story on the model and on the real contracts: every verdict,
// outcome, error, nonce, root, module, owner and balance has to be the same after every step.
func TestModelTellsTheSameStories(t *testing.T) {
	for _, stories := range []map[string]func(*side){sessionStories, ownerStories, payStories} {
		for name, story := range stories {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				compare(t, placeConfig{broke: strings.HasPrefix(name, "broke")}, story)
			})
		}
	}
}

// compare plays a story at both places.
func compare(t *testing.T, cfg placeConfig, story func(*side)) {
	t.Helper()
	begin := time.Now().Truncate(time.Second)
	onModel := newSide(t, newModelPlace(cfg), begin)
	story(onModel)
	onChain := newSide(t, newChainPlace(t, cfg), begin) // skips where the contracts are not installed
	story(onChain)
	for i := range onChain.told {
		require.Less(t, i, len(onModel.told), "the model told less")
		if onChain.told[i] != onModel.told[i] {
			t.Fatalf("after %s:\nchain: %s\nmodel: %s", strings.Join(stepsUntil(onChain.told, i), "; "), onChain.told[i], onModel.told[i])
		}
	}
	require.Len(t, onModel.told, len(onChain.told))
}

// stepsUntil names the steps until a line.
func stepsUntil(told []string, line int) []string {
	var steps []string
	for _, text := range told[:line+1] {
		if step, ok := strings.CutPrefix(text, "== "); ok {
			steps = append(steps, step)
		}
	}
	return steps
}

// user is the account of an owner, by its address alone.
func (s *side) user(of *account.OwnedAccount) *account.Account { return s.client.Account(of.Address()) }

// granted is an owner with a minting session.
func (s *side) granted(name string, opts ...account.Option) (*account.OwnedAccount, *session.Sessions) {
	s.Helper()
	owner := s.owner(name)
	sess := s.grant("grant minting", owner, []policy.Policy{s.minting("mint", owner, s.key(owner, name+"'s session"))}, append(opts, sponsored)...)
	return owner, sess
}

type failure struct {
	name string
	call account.Call
}

// failures are calls that fail, each in its own way.
func failures(s *side) []failure {
	to := func(contract common.Address, function string, args ...any) account.Call {
		return account.Call{To: contract, Data: s.pack(function, args...)}
	}
	return []failure{
		{"custom error", to(s.at.Target, "failCustom(uint256)", 7)},
		{"require", to(s.at.Target, "failRequire(string)", "a reason")},
		{"panic", to(s.at.Target, "failPanic(uint256)", 0)},
		{"silence", to(s.at.Target, "failSilently()")},
		{"tokens that are not there", to(s.at.Token, "transfer(address,uint256)", thief, 1)},
		{"tokens to nobody", to(s.at.Token, "transfer(address,uint256)", common.Address{}, 0)},
		{"an allowance that is not there", to(s.at.Token, "transferFrom(address,address,uint256)", thief, thief, 1)},
		{"approval of nobody", to(s.at.Token, "approve(address,uint256)", common.Address{}, 1)},
		{"mint to nobody", to(s.at.Token, "mint(address,uint256)", common.Address{}, 1)},
		{"NFT to nobody", to(s.at.NFT, "safeMint(address)", common.Address{})},
		{"NFT to a contract", to(s.at.NFT, "safeMint(address)", s.at.EntryPoint)},
		{"NFT that is not there", to(s.at.NFT, "transferFrom(address,address,uint256)", thief, thief, 99)},
		{"a getter that reverts", to(s.at.NFT, "ownerOf(uint256)", 99)},
		{"value that is not there", account.Call{To: thief, Value: *uint256.NewInt(1)}},
		{"execute of the account", account.Call{To: s.accounts[0].Address(), Data: contracts.Execute(thief, uint256.Int{}, nil)}},
		{"arguments cut short", account.Call{To: s.at.Token, Data: contracts.Transfer(thief, uint256.Int{})[:40]}},
		{"an address that is none", account.Call{To: s.at.NFT, Data: append(s.pack("safeMint(address)", thief)[:4], slices.Repeat([]byte{0xff}, 32)...)}},
	}
}

// plenty are limits with which everything here goes through.
func plenty() userop.Gas {
	return userop.Gas{
		CallGasLimit: *uint256.NewInt(1_000_000), VerificationGasLimit: *uint256.NewInt(1_500_000), PreVerificationGas: *uint256.NewInt(150_000),
	}
}

// named allows minting to anybody.
func (s *side) named(id string, key common.Address) policy.Policy {
	return session.Named(id, policy.ABI{Key: key, Contract: s.at.NFT, Function: "safeMint(address to)", Window: policy.Until(s.begin.Add(2 * time.Hour))})
}

// resend hands an operation to the bundler as it is, waits, and tells.
func (s *side) resend(step string, op *userop.Operation) {
	s.Helper()
	hash, err := s.Config().Bundler.SendUserOperation(s.Context(), op, s.at.EntryPoint)
	if err != nil {
		s.tell(step, nil, err)
		return
	}
	s.wait(step, s.client.Sender().Watch(hash), nil)
}

// forge sends an operation of a session that somebody else signed.
func (s *side) forge(step string, of *account.OwnedAccount, leaf session.LeafRef, signer string) {
	s.Helper()
	op, err := s.user(of).Build(s.Context(), []account.Call{s.mint(of.Address())}, account.WithSession(leaf), sponsored, unchecked)
	require.NoError(s, err)
	forged, err := account.KeyOwner(accounttest.Key(signer)).SignMessage(s.Context(), op.Hash(s.at.EntryPoint, s.client.ChainID()).Bytes())
	require.NoError(s, err)
	forged[64] += 27
	// The key's signature is the last member of the inner encoding: 65 bytes, padded to 96.
	inner := op.Signature[3*32 : len(op.Signature)]
	at := strings.LastIndex(string(inner), string(uint256.NewInt(65).PaddedBytes(32)))
	require.Positive(s, at)
	copy(inner[at+32:], forged)
	s.resend(step, op)
}

// ask makes a call, and tells what it returns or reverts with.
func (s *side) ask(step string, msg ethereum.CallMsg) {
	s.Helper()
	answer, err := s.Config().Chain.CallContract(s.Context(), msg, nil)
	reverted := as(err, func(e rpc.DataError) string { return fmt.Sprint("reverted with ", e.ErrorData()) })
	s.told = append(s.told, "== "+step, fmt.Sprintf("%x %v %s", answer, err == nil, reverted))
}

// above is a call with bits above its first argument, an address.
func above(call []byte) []byte {
	call[4], call[15] = 0xab, 1
	return call
}

// batchSigned sends an operation with a signature of the router's that a thief made.
func (s *side) batchSigned(step string, op *userop.Operation, sessions []contracts.CallAuthorization) {
	s.Helper()
	s.batchSignedFor(step, s.at.SessionKeyManager, op, sessions)
}

// batchSignedFor is the same with another contract in the manager's place.
func (s *side) batchSignedFor(step string, manager common.Address, op *userop.Operation, sessions []contracts.CallAuthorization) {
	s.Helper()
	sig, err := account.KeyOwner(accounttest.Key("thief")).SignMessage(s.Context(), op.Hash(s.at.EntryPoint, s.client.ChainID()).Bytes())
	require.NoError(s, err)
	sig[64] += 27
	op.Signature = contracts.WrapSignature(contracts.BatchSignature(manager, sessions, sig), s.at.BatchedSessionRouter)
	s.resend(step, op)
}

// pay sends calls that are paid for in a token, waits, and tells.
func (s *side) pay(step string, from quoting, token common.Address, calls []account.Call, opts ...account.Option) {
	s.Helper()
	quotes, err := from.FeeQuotes(s.Context(), calls, []common.Address{token}, opts...)
	if err != nil {
		s.tell(step+": no quote", nil, err)
		return
	}
	quote, ok := quotes.For(token)
	if !ok {
		s.told = append(s.told, step+": no quote in that token")
		return
	}
	s.send(step, from, calls, append(slices.Clone(opts), account.PayWith(quote))...)
}

// quoting is a sender that can be asked for quotes.
type quoting interface {
	sender
	FeeQuotes(ctx context.Context, calls []account.Call, tokens []common.Address, opts ...account.Option) (userop.FeeQuotes, error)
}

// copyStore is the account's sessions as they are now, in another store.
func (s *side) copyStore(of *account.OwnedAccount) *memstore.Store {
	s.Helper()
	state, err := s.store.Load(s.Context(), of.Ref())
	require.NoError(s, err)
	other := memstore.New()
	_, err = other.ImportKey(s.Context(), of.Ref(), accounttest.Key("ada's session"))
	require.NoError(s, err)
	_, err = other.Apply(s.Context(), of.Ref(), 0, &session.Change{Header: state.Header, Put: state.Leaves})
	require.NoError(s, err)
	return other
}
