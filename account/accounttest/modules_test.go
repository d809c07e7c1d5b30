package accounttest

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// The session validation modules and the batch router are compiled from this project's own sources: these
// tests hold them to what the contracts on public chains do.

// rule is one rule of an ABI policy.
type rule struct {
	offset    uint16
	condition uint8
	reference common.Hash
}

// permission packs the session key data of an ABI policy for the demo target.
func permission(key common.Address, selector []byte, limit uint64, rules ...rule) []byte {
	target := WellKnownContracts().Target
	data := append([]byte{}, key[:]...)
	data = append(data, target[:]...)
	data = append(data, selector...)
	limit16 := uint256.NewInt(limit).Bytes32()
	data = append(data, limit16[16:]...)
	data = append(data, 0, byte(len(rules)))
	for _, r := range rules {
		data = append(data, byte(r.offset>>8), byte(r.offset), r.condition)
		data = append(data, r.reference[:]...)
	}
	return data
}

var validateParams = abi.MustParseFunction("function validateSessionParams(address to, uint256 value, bytes call, bytes keyData, bytes extra) returns (address)")

func TestABIModuleRules(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	key, selector := Address("session"), []byte{1, 2, 3, 4}
	word := func(v uint64) common.Hash { return common.Hash(uint256.NewInt(v).Bytes32()) }
	huge := common.Hash{0: 0xff}
	two := append(append(append([]byte{}, selector...), word(10).Bytes()...), huge.Bytes()...)
	for _, c := range []struct {
		name    string
		to      common.Address
		value   uint64
		call    []byte
		keyData []byte
		want    string
	}{
		{"no rules", chain.Contracts.Target, 0, two, permission(key, selector, 0), ""},
		{"other contract", common.Address{9}, 0, two, permission(key, selector, 0), "ABISV Destination Forbidden"},
		{"other function", chain.Contracts.Target, 0, two, permission(key, []byte{9, 9, 9, 9}, 0), "ABISV Selector Forbidden"},
		{"value at the limit", chain.Contracts.Target, 5, two, permission(key, selector, 5), ""},
		{"value above", chain.Contracts.Target, 6, two, permission(key, selector, 5), "ABISV Permitted Value Exceeded"},
		{"EQUAL", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 0, word(10)}), ""},
		{"not EQUAL", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 0, word(11)}), "ABISV Arg Rule Violated"},
		{"LESS_THAN_OR_EQUAL", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 1, word(10)}), ""},
		{"not LESS_THAN_OR_EQUAL", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 1, word(9)}), "ABISV Arg Rule Violated"},
		{"LESS_THAN", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 2, word(11)}), ""},
		{"not LESS_THAN", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 2, word(10)}), "ABISV Arg Rule Violated"},
		{"GREATER_THAN_OR_EQUAL", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 3, word(10)}), ""},
		{"not GREATER_THAN_OR_EQUAL", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 3, word(11)}), "ABISV Arg Rule Violated"},
		{"GREATER_THAN", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 4, word(9)}), ""},
		{"not GREATER_THAN", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 4, word(10)}), "ABISV Arg Rule Violated"},
		{"NOT_EQUAL", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 5, word(9)}), ""},
		{"not NOT_EQUAL", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 5, word(10)}), "ABISV Arg Rule Violated"},
		{"unknown condition", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 6, word(10)}), "ABISV Arg Rule Violated"},
		{"unsigned", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{32, 4, word(1)}), ""},
		{"second of two rules", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{0, 0, word(10)}, rule{32, 0, word(1)}), "ABISV Arg Rule Violated"},
		{"word beyond the call", chain.Contracts.Target, 0, two, permission(key, selector, 0, rule{64, 5, word(1)}), "no reason"},
		{"no selector", chain.Contracts.Target, 0, []byte{1, 2, 3}, permission(key, selector, 0), "no reason"},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, err := validateParams.Pack(c.to, c.value, c.call, c.keyData, []byte{})
			require.NoError(t, err)
			result, reverted, err := (&simulator{chain: chain, entryPoint: chain.Contracts.ABISessionModule}).call(t.Context(), call, maxSimulationGas)
			require.NoError(t, err)
			if c.want != "" {
				require.True(t, reverted)
				require.Equal(t, c.want, contracts.DecodeRevert(result).String())
				return
			}
			require.False(t, reverted, "%s", contracts.DecodeRevert(result))
			answer, err := chain.Call(t.Context(), chain.Contracts.ABISessionModule, call)
			require.NoError(t, err)
			signer, err := contracts.DecodeAddress(answer)
			require.NoError(t, err)
			require.Equal(t, key, signer)
		})
	}
}

func TestABIModuleTakesSingleCallsOnly(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	session := mintTo(Address("session"), user.address)
	s.grant(user, session)
	batch := contracts.ExecuteBatch([]abi.Call{{To: s.chain.Contracts.NFT, Data: safeMint(user.address)}})
	err := s.sponsor(s.draft(user.address, 0, batch), sessionBy(Key("session"), session))
	requireRPCError(t, err, codeRejected, "AA23 reverted: ABISV Not Execute Selector")

	long, err := abi.Pack("function execute(address dest, uint256 value, bytes func)", s.chain.Contracts.NFT, 0, safeMint(user.address))
	require.NoError(t, err)
	s.bundlerTakes(s.draft(user.address, 0, long), sessionBy(Key("session"), session))
}

// bundlerTakes wants the operation's validation to succeed, whatever its call does.
func (s *stage) bundlerTakes(op *userop.Operation, sign signFunc) {
	s.t.Helper()
	op.CallGasLimit.SetUint64(200_000)
	op.VerificationGasLimit.SetUint64(400_000)
	op.PreVerificationGas.SetUint64(100_000)
	require.NoError(s.t, s.paymaster.seal(s.t.Context(), op))
	_, err := s.signAndSend(op, sign)
	require.NoError(s.t, err)
}

// batchBy signs a batch: one session, of a tree of one leaf, for all its calls.
func batchBy(sign func(hash common.Hash) []byte, manager common.Address, calls int, l leaf) signFunc {
	session := abiword.AppendUint64(nil, l.until)
	session = abiword.AppendUint64(session, l.after)
	session = abiword.AppendAddress(session, l.module)
	offset := uint64(6 * abi.WordSize)
	session = abiword.AppendUint64(session, offset)
	offset += uint64(abiword.BytesSize(len(l.keyData)))
	session = abiword.AppendUint64(session, offset)
	session = abiword.AppendUint64(session, offset+uint64(abiword.HashesSize(0)))
	session = abiword.AppendBytes(session, l.keyData)
	session = abiword.AppendHashes(session, nil)
	session = abiword.AppendBytes(session, nil)

	list := abiword.AppendUint64(nil, uint64(calls))
	for i := range calls {
		list = abiword.AppendUint64(list, uint64(calls*abi.WordSize+i*len(session)))
	}
	for range calls {
		list = append(list, session...)
	}
	return func(hash common.Hash) []byte {
		data := abiword.AppendAddress(nil, manager)
		data = abiword.AppendUint64(data, 3*abi.WordSize)
		data = abiword.AppendUint64(data, uint64(3*abi.WordSize+len(list)))
		data = append(data, list...)
		data = abiword.AppendBytes(data, sign(hash))
		return moduleSignature(WellKnownContracts().BatchedSessionRouter, data)
	}
}

func TestBatchedSessionRouter(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	manager := s.chain.Contracts.SessionKeyManager
	session := mintTo(Address("session"), user.address)
	s.grant(user, session)
	s.do(s.draft(user.address, 0, contracts.Execute(user.address, uint256.Int{}, contracts.EnableModule(s.chain.Contracts.BatchedSessionRouter))), ownedBy(user.key))

	key := func(hash common.Hash) []byte { return personalSign(Key("session"), hash) }
	mints := func(to ...common.Address) []byte {
		calls := make([]abi.Call, len(to))
		for i := range to {
			calls[i] = abi.Call{To: s.chain.Contracts.NFT, Data: safeMint(to[i])}
		}
		return contracts.ExecuteBatch(calls)
	}
	s.do(s.draft(user.address, 0, mints(user.address, user.address)), batchBy(key, manager, 2, session))
	require.EqualValues(t, 2, s.nfts(user.address))

	for _, c := range []struct {
		name     string
		callData []byte
		sign     signFunc
		want     string
	}{
		{"single call", s.mint(user.address), batchBy(key, manager, 1, session), "SR Invalid Selector"},
		{"no manager", mints(user.address), batchBy(key, common.Address{}, 1, session), "SR Invalid SKM"},
		{"a manager that is not enabled", mints(user.address), batchBy(key, s.chain.Contracts.MultichainModule, 1, session), "SR Invalid SKM"},
		{"a manager of nobody's", mints(user.address), batchBy(key, Address("thief"), 1, session), "SR Invalid SKM"},
		{"a signature that is none", mints(user.address, user.address), batchBy(func(common.Hash) []byte { return make([]byte, 64) }, manager, 1, session), "ECDSA: invalid signature length"},
		{"one session for two calls", mints(user.address, user.address), batchBy(key, manager, 1, session), "Lengths mismatch"},
		{"call beyond the policy", mints(Address("thief"), user.address), batchBy(key, manager, 2, session), "ABISV Arg Rule Violated"},
		{"other leaf", mints(user.address), batchBy(key, manager, 1, mintTo(Address("session"), Address("thief"))), "SessionNotApproved"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := s.sponsor(s.draft(user.address, 0, c.callData), c.sign)
			requireRPCError(t, err, codeRejected, "AA23 reverted: "+c.want)
		})
	}
	t.Run("an empty batch of a stranger's", func(t *testing.T) {
		empty := batchBy(func(hash common.Hash) []byte { return personalSign(Key("thief"), hash) }, manager, 0, session)
		op := s.draft(user.address, 0, contracts.ExecuteBatch(nil))
		s.bundlerTakes(op, empty)
		receipt := s.wait(s.hash(op))
		require.False(t, receipt.Success, "the account itself executes no empty batch")
		require.Contains(t, receipt.Reason, "WrongBatchProvided")
	})
	t.Run("foreign key", func(t *testing.T) {
		sign := batchBy(func(hash common.Hash) []byte { return personalSign(Key("thief"), hash) }, manager, 1, session)
		op := s.draft(user.address, 0, mints(user.address))
		require.NoError(t, s.sponsor(op, sign))
		_, err := s.signAndSend(op, sign)
		requireRPCError(t, err, codeSignature, "AA24 signature error")
	})
}
