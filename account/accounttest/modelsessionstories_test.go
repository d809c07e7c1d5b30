package accounttest_test

import (
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// sessionStories are about sessions: granting, using, refusing, revoking.
var sessionStories = map[string]func(*side){
	"sessions of an undeployed account": func(s *side) {
		owner := s.owner("ada")
		s.send("by address", s.user(owner), []account.Call{s.mint(owner.Address())}, account.WithSigner(owner.Signer()))
		_, sess := s.granted("bob")
		s.send("use", s.user(s.owner("bob")), []account.Call{s.mint(s.owner("bob").Address())}, account.WithSession(sess.Leaf(0)), sponsored)
		_, err := s.user(owner).Modules(s.Context())
		s.tell("modules", nil, err)
	},
	"use": func(s *side) {
		owner, sess := s.granted("ada")
		leaf := account.WithSession(sess.Leaf(0))
		mint := []account.Call{s.mint(owner.Address())}
		s.send("use", s.user(owner), mint, leaf, sponsored)
		s.send("for a thief", s.user(owner), []account.Call{s.mint(thief)}, leaf, sponsored)
		s.send("for a thief, unchecked", s.user(owner), []account.Call{s.mint(thief)}, leaf, sponsored, unchecked)
		s.send("another contract", s.user(owner), []account.Call{{To: s.at.Token, Data: mint[0].Data}}, leaf, sponsored, unchecked)
		s.send("another function", s.user(owner), []account.Call{{To: s.at.NFT, Data: s.pack("approve(address,uint256)", thief, 0)}}, leaf, sponsored, unchecked)
		s.send("with value", s.user(owner), []account.Call{{To: s.at.NFT, Data: mint[0].Data, Value: *uint256.NewInt(1)}}, leaf, sponsored, unchecked)
		s.send("without arguments", s.user(owner), []account.Call{{To: s.at.NFT, Data: mint[0].Data[:4]}}, leaf, sponsored, unchecked)
		s.send("without data", s.user(owner), []account.Call{{To: s.at.NFT}}, leaf, sponsored, unchecked)
		s.send("as a batch without the router", s.user(owner), mint, leaf, sponsored, account.AsBatch())
		s.send("as a batch, unchecked", s.user(owner), mint, leaf, sponsored, account.AsBatch(), unchecked)
		s.send("own choice", s.user(owner), mint, account.WithLeafOf(s.open(owner)), sponsored)
		s.tell("simulated", nil, s.user(owner).Simulate(s.Context(), mint, leaf, sponsored))
		s.tell("simulated for a thief", nil, s.user(owner).Simulate(s.Context(), []account.Call{s.mint(thief)}, leaf, account.WithGas(plenty()), sponsored, unchecked))
		s.tell("owner simulated", nil, owner.Simulate(s.Context(), []account.Call{{To: s.at.Target, Data: s.pack("failRequire(string)", "no")}}, account.WithGas(plenty()), sponsored))
	},
	"rules": func(s *side) {
		owner := s.owner("ada")
		key := s.key(owner, "rules")
		var policies []policy.Policy
		conditions := []policy.Condition{policy.Equal, policy.LessThanOrEqual, policy.LessThan, policy.GreaterThanOrEqual, policy.GreaterThan, policy.NotEqual}
		for i, condition := range conditions {
			policies = append(policies, session.Named("rule "+condition.String(), policy.ABI{
				Key: key, Contract: s.at.Target, Function: "store(uint256 n)", ValueLimit: *uint256.NewInt(uint64(i)),
				Rules: []policy.Rule{policy.Arg("n", condition, 100)}, Window: s.hour(),
			}))
		}
		sess := s.grant("grant", owner, policies, sponsored)
		s.fund(owner, 1)
		for i, condition := range conditions {
			leaf := account.WithSession(sess.Leaf(i))
			for _, n := range []uint64{99, 100, 101} {
				call := []account.Call{{To: s.at.Target, Data: s.pack("store(uint256)", n)}}
				s.send("checked "+condition.String(), s.user(owner), call, leaf, sponsored)
				s.send("unchecked "+condition.String(), s.user(owner), call, leaf, sponsored, unchecked)
			}
			for _, wei := range []uint64{uint64(i), uint64(i) + 1} {
				call := []account.Call{{To: s.at.Target, Data: s.pack("store(uint256)", 100+i%2), Value: *uint256.NewInt(wei)}}
				s.send("value checked "+condition.String(), s.user(owner), call, leaf, sponsored)
				s.send("value unchecked "+condition.String(), s.user(owner), call, leaf, sponsored, unchecked)
			}
		}
	},
	"keys and windows": func(s *side) {
		owner := s.owner("ada")
		key := s.key(owner, "ada's session")
		other := policy.ABI{Key: accounttest.Address("stranger"), Contract: s.at.NFT, Function: "safeMint(address to)", Window: s.hour()}
		past, future, soon := other, other, other
		past.Key, future.Key, soon.Key = key, key, key
		past.Window = policy.Between(s.begin.Add(-2*time.Hour), s.begin.Add(-time.Hour))
		future.Window = policy.Between(s.begin.Add(2*time.Hour), s.begin.Add(10*time.Hour))
		soon.Window = policy.Until(s.begin.Add(30 * time.Minute))
		sess := s.grant("grant", owner, []policy.Policy{
			session.Named("other", other), session.Named("future", future), session.Named("soon", soon),
		}, sponsored)
		s.grant("grant what is over", owner, []policy.Policy{session.Named("past", past)}, sponsored)
		mint := []account.Call{s.mint(owner.Address())}
		s.send("no key", s.user(owner), mint, account.WithSession(sess.ByID("other")), sponsored)
		s.send("future", s.user(owner), mint, account.WithSession(sess.ByID("future")), sponsored)
		s.send("future, unchecked", s.user(owner), mint, account.WithSession(sess.ByID("future")), sponsored, unchecked)
		s.send("soon over", s.user(owner), mint, account.WithSession(sess.ByID("soon")), sponsored)
		require.NoError(s, s.AdjustTime(3*time.Hour))
		s.send("over, unchecked", s.user(owner), mint, account.WithSession(sess.ByID("soon")), sponsored, unchecked)
		s.send("begun, unchecked", s.user(owner), mint, account.WithSession(sess.ByID("future")), sponsored, unchecked)
		s.forge("signed by another", owner, sess.ByID("soon"), "thief")
	},
	"another's signature": func(s *side) {
		owner, sess := s.granted("ada")
		s.forge("by a thief", owner, sess.Leaf(0), "thief")
		op, err := s.user(owner).Build(s.Context(), []account.Call{s.mint(owner.Address())}, account.WithSession(sess.Leaf(0)), sponsored)
		require.NoError(s, err)
		for _, at := range []int{0, 64, 128, len(op.Signature) - 40} {
			broken := op.Clone()
			broken.Signature[at+20] ^= 0xff
			s.resend("broken signature", broken)
		}
		cut := op.Clone()
		cut.Signature = cut.Signature[:96]
		s.resend("cut signature", cut)
		none := op.Clone()
		none.Signature = nil
		s.resend("no signature", none)
		module := op.Clone()
		module.Signature = contracts.WrapSignature(make([]byte, 65), s.at.MultichainModule)
		s.resend("a module that is not enabled", module)
		short := op.Clone()
		short.Signature = contracts.WrapSignature(make([]byte, 64), s.at.ECDSAModule)
		s.resend("too short", short)
		zero := op.Clone()
		zero.Signature = contracts.WrapSignature(make([]byte, 65), s.at.ECDSAModule)
		s.resend("zeros", zero)
		long := op.Clone()
		long.Signature = contracts.WrapSignature(make([]byte, 66), s.at.ECDSAModule)
		s.resend("too long", long)
		s.resend("as it was", op)
		s.resend("twice", op)
	},
	"revoke": func(s *side) {
		owner := s.owner("ada")
		key := s.key(owner, "ada's session")
		sess := s.grant("grant three", owner, []policy.Policy{s.minting("a", owner, key), s.named("b", key), s.named("c", key)}, sponsored)
		mint := []account.Call{s.mint(owner.Address())}
		tx, err := owner.Revoke(s.Context(), sess, "a", sponsored)
		s.settle("revoke one", sess, tx, err)
		s.send("revoked", s.user(owner), mint, account.WithSession(sess.ByID("a")), sponsored)
		s.send("the other", s.user(owner), mint, account.WithSession(sess.ByID("b")), sponsored)
		tx, err = owner.Revoke(s.Context(), sess, "a", sponsored)
		s.settle("revoke it again", sess, tx, err)
		tx, err = owner.RevokeEach(s.Context(), sess, []string{"b", "c"}, sponsored)
		s.settle("revoke the others", sess, tx, err)
		s.send("revoked too", s.user(owner), mint, account.WithSession(sess.ByID("b")), sponsored)
		s.send("revoked too, unchecked", s.user(owner), mint, account.WithSession(sess.ByID("b")), sponsored, unchecked)
		s.grant("grant again", owner, []policy.Policy{s.named("d", key)}, sponsored)
		sess = s.open(owner)
		tx, err = owner.RevokeAll(s.Context(), sess, sponsored)
		s.settle("revoke all", sess, tx, err)
		tx, err = owner.Revoke(s.Context(), sess, "nobody", sponsored)
		s.settle("revoke nobody", sess, tx, err)
	},
	"revoked elsewhere": func(s *side) {
		owner, sess := s.granted("ada")
		old := s.copyStore(owner)
		tx, err := owner.RevokeAll(s.Context(), sess, sponsored)
		s.settle("revoke all", sess, tx, err)
		stale, err := session.Open(s.Context(), old, owner.Ref())
		require.NoError(s, err)
		mint := []account.Call{s.mint(owner.Address())}
		s.send("in the old store", s.user(owner), mint, account.WithSession(stale.Leaf(0)), sponsored)
		s.send("in the old store, unchecked", s.user(owner), mint, account.WithSession(stale.Leaf(0)), sponsored, unchecked)
	},
	"another backend's root": func(s *side) {
		owner, sess := s.granted("ada")
		mine := s.store
		s.store = memstore.New()
		theirs := s.key(owner, "another backend's")
		s.grant("their grant", owner, []policy.Policy{s.named("theirs", theirs)}, sponsored)
		s.grant("their grant, replacing", owner, []policy.Policy{s.named("theirs", theirs)}, sponsored, account.ReplaceRoot())
		document, err := s.open(owner).Export()
		require.NoError(s, err)
		s.store = mine
		mint := []account.Call{s.mint(owner.Address())}
		s.send("mine", s.user(owner), mint, account.WithSession(sess.Leaf(0)), sponsored)
		s.send("mine, unchecked", s.user(owner), mint, account.WithSession(sess.Leaf(0)), sponsored, unchecked)
		sess = s.open(owner).On(s.client)
		s.tell("adopt", nil, sess.Adopt(s.Context(), document))
		tx, err := owner.Restore(s.Context(), sess, nil, sponsored)
		s.settle("restore", sess, tx, err)
		s.send("mine again", s.user(owner), mint, account.WithSession(sess.ByID("mint")), sponsored)
	},
	"two accounts": func(s *side) {
		ada, hers := s.granted("ada")
		bob, his := s.granted("bob")
		s.send("ada's", s.user(ada), []account.Call{s.mint(ada.Address())}, account.WithSession(hers.Leaf(0)), sponsored)
		s.send("bob's", s.user(bob), []account.Call{s.mint(bob.Address())}, account.WithSession(his.Leaf(0)), sponsored)
		s.send("crossed", s.user(bob), []account.Call{s.mint(ada.Address())}, account.WithSession(hers.Leaf(0)), sponsored)
		op, err := s.user(ada).Build(s.Context(), []account.Call{s.mint(ada.Address())}, account.WithSession(hers.Leaf(0)), sponsored)
		require.NoError(s, err)
		op.Sender = bob.Address()
		s.resend("ada's operation with bob as its sender", op)
		s.send("tokens between them", ada, []account.Call{
			{To: s.at.Token, Data: s.pack("mint(address,uint256)", ada.Address(), 100)},
			{To: s.at.Token, Data: contracts.Transfer(bob.Address(), *uint256.NewInt(40))},
		}, sponsored)
	},
	"lanes": func(s *side) {
		s.lanes = []uint64{0, 1, 7}
		owner, sess := s.granted("ada")
		mint, leaf := []account.Call{s.mint(owner.Address())}, account.WithSession(sess.Leaf(0))
		for range 2 {
			for _, lane := range []uint64{7, 1} {
				s.send("lane", s.user(owner), mint, leaf, sponsored, account.WithLane(uint256.NewInt(lane)))
			}
		}
		s.send("used nonce", s.user(owner), mint, leaf, sponsored, account.WithNonce(new(uint256.Int)))
		s.send("used nonce, given limits", s.user(owner), mint, leaf, sponsored, account.WithNonce(new(uint256.Int)), account.WithGas(plenty()))
		s.send("a nonce too far", s.user(owner), mint, leaf, sponsored, account.WithNonce(uint256.NewInt(9)), account.WithGas(plenty()))
		s.send("use a nonce up", owner, []account.Call{{To: s.at.EntryPoint, Data: contracts.IncrementNonce(*uint256.NewInt(7))}}, sponsored)
		s.send("after it", s.user(owner), mint, leaf, sponsored, account.WithLane(uint256.NewInt(7)))
	},
	"batches": func(s *side) {
		owner := s.owner("ada")
		key, other := s.key(owner, "ada's session"), s.key(owner, "ada's other session")
		tokens := session.Named("tokens", policy.ABI{
			Key: key, Contract: s.at.Token, Function: "mint(address to, uint256 amount)",
			Rules: []policy.Rule{policy.Arg("amount", policy.LessThan, 100)}, Window: policy.Until(s.begin.Add(30 * time.Minute)),
		})
		sess := s.grant("grant", owner, []policy.Policy{s.minting("mint", owner, key), tokens, s.named("other", other)}, sponsored, account.ForBatches())
		mintTokens := func(n int) account.Call {
			return account.Call{To: s.at.Token, Data: s.pack("mint(address,uint256)", owner.Address(), n)}
		}
		both := account.WithSession(sess.Leaf(0), sess.Leaf(1))
		s.send("two leaves", s.user(owner), []account.Call{s.mint(owner.Address()), mintTokens(99)}, both, sponsored)
		s.send("one not allowed", s.user(owner), []account.Call{s.mint(owner.Address()), mintTokens(100)}, both, sponsored)
		s.send("one not allowed, unchecked", s.user(owner), []account.Call{s.mint(owner.Address()), mintTokens(100)}, both, sponsored, unchecked)
		s.send("in the wrong order, unchecked", s.user(owner), []account.Call{mintTokens(1), s.mint(owner.Address())}, both, sponsored, unchecked)
		s.send("too few leaves", s.user(owner), []account.Call{s.mint(owner.Address()), mintTokens(1)}, account.WithSession(sess.Leaf(0)), sponsored)
		s.send("two keys", s.user(owner), []account.Call{s.mint(owner.Address()), s.mint(owner.Address())}, account.WithSession(sess.Leaf(0), sess.Leaf(2)), sponsored)
		s.send("one as a batch", s.user(owner), []account.Call{s.mint(owner.Address())}, account.WithSession(sess.Leaf(0)), account.AsBatch(), sponsored)
		s.send("chosen", s.user(owner), []account.Call{s.mint(owner.Address()), mintTokens(5)}, account.WithLeafOf(s.open(owner)), sponsored)
		op, err := s.user(owner).Build(s.Context(), []account.Call{s.mint(owner.Address()), mintTokens(5)}, both, sponsored)
		require.NoError(s, err)
		op.CallData = contracts.Execute(s.at.NFT, uint256.Int{}, s.mint(owner.Address()).Data)
		s.resend("no batch", op)
		require.NoError(s, s.AdjustTime(45*time.Minute))
		s.send("one is over, unchecked", s.user(owner), []account.Call{s.mint(owner.Address()), mintTokens(5)}, both, sponsored, unchecked)
		tx, err := owner.DisableModule(s.Context(), s.at.BatchedSessionRouter, sponsored)
		s.wait("disable the router", tx, err)
		s.send("without the router, unchecked", s.user(owner), []account.Call{s.mint(owner.Address())}, account.WithSession(sess.Leaf(0)), account.AsBatch(), sponsored, unchecked)
	},
	"ERC-20 policies": func(s *side) {
		owner := s.owner("ada")
		key := s.key(owner, "ada's session")
		friend := accounttest.Address("friend")
		sess := s.grant("grant", owner, []policy.Policy{session.Named("erc20", policy.ERC20{
			Key: key, Token: s.at.Token, Recipient: friend, MaxAmount: *uint256.NewInt(100), Window: s.hour(),
		})}, sponsored, account.ForBatches())
		s.mintTokens(s.at.Token, owner.Address(), 250)
		leaf := account.WithSession(sess.Leaf(0))
		for _, c := range []struct {
			name string
			call account.Call
		}{
			{"transfer", account.Call{To: s.at.Token, Data: contracts.Transfer(friend, *uint256.NewInt(100))}},
			{"approve passes", account.Call{To: s.at.Token, Data: contracts.Approve(friend, *uint256.NewInt(100))}},
			{"too much", account.Call{To: s.at.Token, Data: contracts.Transfer(friend, *uint256.NewInt(101))}},
			{"to a thief", account.Call{To: s.at.Token, Data: contracts.Transfer(thief, *uint256.NewInt(1))}},
			{"another token", account.Call{To: s.at.Token6, Data: contracts.Transfer(friend, *uint256.NewInt(1))}},
			{"value", account.Call{To: s.at.Token, Value: *uint256.NewInt(1), Data: contracts.Transfer(friend, *uint256.NewInt(1))}},
			{"cut short", account.Call{To: s.at.Token, Data: contracts.Transfer(friend, *uint256.NewInt(1))[:60]}},
			{"no amount", account.Call{To: s.at.Token, Data: contracts.Transfer(friend, *uint256.NewInt(1))[:36]}},
			{"to a thief, no amount", account.Call{To: s.at.Token, Data: contracts.Transfer(thief, *uint256.NewInt(1))[:36]}},
			{"half a recipient", account.Call{To: s.at.Token, Data: contracts.Transfer(thief, *uint256.NewInt(1))[:35]}},
			{"bytes above the recipient", account.Call{To: s.at.Token, Data: above(contracts.Transfer(friend, *uint256.NewInt(1)))}},
			{"bytes above a thief", account.Call{To: s.at.Token, Data: above(contracts.Transfer(thief, *uint256.NewInt(1)))}},
			{"bytes after the amount", account.Call{To: s.at.Token, Data: append(contracts.Transfer(friend, *uint256.NewInt(1)), 1, 2, 3)}},
			{"the rest", account.Call{To: s.at.Token, Data: contracts.Transfer(friend, *uint256.NewInt(100))}},
			{"more than the balance", account.Call{To: s.at.Token, Data: contracts.Transfer(friend, *uint256.NewInt(100))}},
		} {
			s.send(c.name, s.user(owner), []account.Call{c.call}, leaf, sponsored)
			s.send(c.name+", unchecked", s.user(owner), []account.Call{c.call}, leaf, sponsored, unchecked, account.WithGas(plenty()))
			s.send(c.name+", in a batch", s.user(owner), []account.Call{c.call}, leaf, sponsored, unchecked, account.AsBatch(), account.WithGas(plenty()))
		}
	},
	"a session that guards itself": func(s *side) {
		owner := s.owner("ada")
		key := s.key(owner, "ada's session")
		allow := func(id string, contract common.Address, function string) policy.Policy {
			return session.Named(id, policy.ABI{Key: key, Contract: contract, Function: function, Window: s.hour()})
		}
		policies := []policy.Policy{
			allow("enable", owner.Address(), "enableModule(address module)"), allow("root", s.at.SessionKeyManager, "setMerkleRoot(bytes32 root)"),
			allow("owner", s.at.ECDSAModule, "transferOwnership(address owner)"), s.minting("mint", owner, key),
		}
		s.grant("refused", owner, policies, sponsored)
		sess := s.grant("grant", owner, policies, sponsored, account.AllowDanger(policy.FindingGuard, policy.FindingPrivileged))
		act := func(step, id string, call account.Call) {
			s.send(step, s.user(owner), []account.Call{call}, account.WithSession(sess.ByID(id)), sponsored)
		}
		act("enable the router", "enable", account.Call{To: owner.Address(), Data: contracts.EnableModule(s.at.BatchedSessionRouter)})
		act("take the account", "owner", account.Call{To: s.at.ECDSAModule, Data: contracts.TransferOwnership(thief)})
		act("cancel everything", "root", account.Call{To: s.at.SessionKeyManager, Data: contracts.SetMerkleRoot(common.Hash{})})
		act("too late", "mint", s.mint(owner.Address()))
	},
	"the router's empty batch": func(s *side) {
		owner, _ := s.granted("ada", account.ForBatches())
		op, err := owner.Build(s.Context(), []account.Call{s.mint(owner.Address())}, sponsored, account.WithGas(plenty()))
		require.NoError(s, err)
		op.CallData, op.PaymasterAndData = contracts.ExecuteBatch(nil), nil
		s.fund(owner, 100)
		s.batchSigned("nobody's session", op, nil)
		op.CallData = contracts.ExecuteBatch([]abi.Call{s.mint(owner.Address())})
		op.Nonce.AddUint64(&op.Nonce, 1)
		s.batchSigned("too few sessions", op, nil)
		s.batchSigned("a session that is none", op, []contracts.CallAuthorization{{Authorization: contracts.Authorization{Module: s.at.ABISessionModule}}})
		op.CallData = s.pack("executeBatch(address[],uint256[],bytes[])", []common.Address{thief}, []int{}, [][]byte{})
		s.batchSigned("lists of different lengths", op, nil)
		op.CallData = op.CallData[:len(op.CallData)-32]
		s.batchSigned("calls that cannot be read", op, nil)
		op.Signature = contracts.WrapSignature(contracts.BatchSignature(s.at.SessionKeyManager, nil, make([]byte, 65)), s.at.BatchedSessionRouter)
		s.resend("the signature comes first", op)
	},
	"the router's empty batch burns what there is": func(s *side) {
		owner, sess := s.granted("ada", account.ForBatches())
		s.fund(owner, 1_000)
		tx, err := owner.RevokeAll(s.Context(), sess, sponsored, account.KeepRouter())
		s.settle("revoke all", sess, tx, err)
		op := &userop.Operation{Sender: owner.Address(), CallData: contracts.ExecuteBatch(nil)}
		gas := plenty()
		op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = gas.CallGasLimit, gas.VerificationGasLimit, *uint256.NewInt(15_000_000)
		op.MaxFeePerGas.SetUint64(50_000_000_000) // all of the gas limits for 0.875 ether
		op.MaxPriorityFeePerGas = op.MaxFeePerGas
		burn := func(step string, manager common.Address) {
			nonce, err := owner.Nonce(s.Context(), new(uint256.Int))
			require.NoError(s, err)
			op.Nonce = nonce
			s.batchSignedFor(step, manager, op, nil)
		}
		burn("after all were revoked", s.at.SessionKeyManager)
		require.True(s, s.paid[owner.Address()].Gt(uint256.NewInt(7e17)), "a stranger spent %s", s.paid[owner.Address()])
		s.fund(owner, 1_000)
		tx, err = owner.DisableModule(s.Context(), s.at.SessionKeyManager, sponsored)
		s.wait("disable the manager", tx, err)
		burn("a manager that is disabled", s.at.SessionKeyManager)
		burn("no manager", common.Address{})
		burn("the sentinel", contracts.SentinelModule)
		burn("any other module in its place", s.at.ECDSAModule)
		require.True(s, s.paid[owner.Address()].Gt(uint256.NewInt(14e17)), "a stranger spent %s", s.paid[owner.Address()])
		s.fund(owner, 1_000)
		tx, err = owner.DisableModule(s.Context(), s.at.BatchedSessionRouter, sponsored)
		s.wait("disable the router", tx, err)
		burn("without the router", s.at.ECDSAModule)
	},
	"a batch without the manager": func(s *side) {
		owner, sess := s.granted("ada", account.ForBatches())
		batch := []account.Call{s.mint(owner.Address()), s.mint(owner.Address())}
		leaf := account.WithSession(sess.Leaf(0), sess.Leaf(0))
		op, err := s.user(owner).Build(s.Context(), batch, leaf, sponsored)
		require.NoError(s, err)
		wrong := op.Clone()
		s.batchSignedFor("a module that manages no sessions", s.at.ECDSAModule, wrong, make([]contracts.CallAuthorization, 2))
		tx, err := owner.DisableModule(s.Context(), s.at.SessionKeyManager, sponsored)
		s.wait("disable the manager", tx, err)
		s.send("a batch, unchecked", s.user(owner), batch, leaf, sponsored, unchecked, account.WithGas(plenty()))
		op, err = s.user(owner).Build(s.Context(), batch, leaf, sponsored, unchecked, account.WithGas(plenty()))
		require.NoError(s, err)
		s.resend("as it is", op)
		tx, err = owner.EnableModule(s.Context(), s.at.SessionKeyManager, sponsored)
		s.wait("enable it again", tx, err)
		s.send("a batch", s.user(owner), batch, leaf, sponsored)
	},
	"lanes of a pool": func(s *side) {
		owner, sess := s.granted("ada")
		pool := s.client.NewLanes(account.LanesConfig{})
		for range 3 {
			tx, err := s.user(owner).Send(s.Context(), []account.Call{s.mint(owner.Address())}, account.WithSession(sess.Leaf(0)), sponsored, account.InLane(pool))
			if err == nil {
				_, err = tx.Wait(s.Context())
			}
			s.tell("in a lane", nil, err)
		}
	},
	"a module of one's own": func(s *side) {
		owner := s.owner("ada")
		key := s.key(owner, "ada's session")
		sess := s.grant("grant", owner, []policy.Policy{session.Named("raw", policy.Raw{Module: thief, Key: key, Data: []byte{1}, Window: s.hour()})}, sponsored,
			account.AllowDanger(policy.FindingNoCode))
		s.send("use", s.user(owner), []account.Call{s.mint(thief)}, account.WithSession(sess.Leaf(0)), sponsored)
	},
	"revoke while a session is in flight": func(s *side) {
		s.lanes = []uint64{0, 5}
		owner, sess := s.granted("ada")
		s.Pause()
		revoke, err := owner.Send(s.Context(), []account.Call{{To: s.at.SessionKeyManager, Data: contracts.SetMerkleRoot(common.Hash{})}}, sponsored)
		require.NoError(s, err)
		mint, err := s.user(owner).Send(s.Context(), []account.Call{s.mint(owner.Address())}, account.WithSession(sess.Leaf(0)),
			account.WithLane(uint256.NewInt(5)), sponsored)
		require.NoError(s, err)
		s.Resume()
		s.wait("the revocation", revoke, nil)
		s.wait("what was in flight with it", mint, nil)
	},
}
