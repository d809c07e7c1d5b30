package accounttest_test

import (
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
)

// ownerStories are about what owners do, and about what the contracts that accounts call do.
var ownerStories = map[string]func(*side){
	"deploy by the first send": func(s *side) {
		owner := s.owner("ada")
		s.send("first", owner, []account.Call{s.mint(owner.Address())}, sponsored)
		s.send("second", owner, []account.Call{s.mint(owner.Address()), s.mint(thief)}, sponsored)
		s.send("unknown to the chain", s.user(s.owner("bob")), []account.Call{s.mint(thief)}, account.WithSigner(owner.Signer()), sponsored)
		again, err := owner.Build(s.Context(), []account.Call{s.mint(owner.Address())}, sponsored)
		require.NoError(s, err)
		again.InitCode = owner.InitCode()
		s.resend("deployed already", again)
		bob := s.owner("bob")
		op, err := bob.Build(s.Context(), []account.Call{s.mint(bob.Address())}, account.WithGas(plenty()), sponsored)
		require.NoError(s, err)
		for _, c := range []struct {
			name string
			code []byte
		}{
			{"another owner's", s.owner("eve").InitCode()},
			{"a factory that reverts", append(s.at.NFT.Bytes(), s.mint(common.Address{}).Data...)},
			{"a factory that makes nothing", append(s.at.Token.Bytes(), s.pack("decimals()")...)},
			{"a factory that says so", append(s.at.ECDSAModule.Bytes(), contracts.GetOwner(thief)...)},
			{"a module that is not one", append(s.at.Factory.Bytes(), contracts.DeployCounterFactualAccount(s.at.NFT, s.mint(common.Address{}).Data, uint256.Int{})...)},
		} {
			changed := op.Clone()
			changed.InitCode = c.code
			s.resend(c.name, changed)
		}
		s.resend("as it was", op)
	},
	"deploy and simulate": func(s *side) {
		owner, bob := s.owner("ada"), s.owner("bob", account.Multichain(), account.Index(3))
		fails := []account.Call{{To: s.at.Target, Data: s.pack("failCustom(uint256)", 5)}}
		try := func(step string, opts ...account.Option) {
			for _, calls := range [][]account.Call{{s.mint(owner.Address())}, fails, {s.mint(thief), fails[0]}} {
				s.tell(step, nil, owner.Simulate(s.Context(), calls, append(opts, account.WithGas(plenty()))...))
			}
			op, err := owner.Build(s.Context(), []account.Call{s.mint(owner.Address())}, append(opts, account.WithGas(plenty()))...)
			require.NoError(s, err)
			op.Signature = contracts.WrapSignature(make([]byte, 65), s.at.SessionKeyManager)
			s.tell(step+", wrong module", nil, s.client.Simulate(s.Context(), op))
			op.Signature = contracts.WrapSignature(make([]byte, 64), s.at.ECDSAModule)
			s.tell(step+", no signature", nil, s.client.Simulate(s.Context(), op))
		}
		try("undeployed", sponsored)
		try("undeployed, no money")
		s.tell("value that is not there", nil, owner.Simulate(s.Context(), []account.Call{{To: thief, Value: *uint256.NewInt(1)}}, sponsored, account.WithGas(plenty())))
		tx, err := owner.Deploy(s.Context(), sponsored)
		s.wait("deploy", tx, err)
		tx, err = owner.Deploy(s.Context(), sponsored)
		s.wait("deploy again", tx, err)
		try("deployed", sponsored)
		try("deployed, no money")
		s.fund(owner, 50)
		try("deployed, with money")
		s.tell("more than is left", nil, owner.Simulate(s.Context(), []account.Call{{To: thief, Value: *uint256.NewInt(5e16)}}, account.WithGas(plenty())))
		tx, err = bob.Deploy(s.Context(), sponsored)
		s.wait("deploy another kind", tx, err)
	},
	"accounts that the resolver finds": func(s *side) {
		owner := s.owner("ada")
		wallet := owner.Owner().Address()
		resolve := func(step string, end uint64) {
			data, err := abi.Pack("resolveAddressesFlexibleForV2(address,uint8,address,bytes)", wallet, end, s.at.ECDSAModule, contracts.InitForSmartAccount(wallet))
			require.NoError(s, err)
			s.ask(step, callTo(s.at.Resolver, data))
		}
		resolve("nothing", 3)
		s.send("the account", owner, []account.Call{{To: thief}}, sponsored)
		third := s.owner("ada", account.Index(2))
		s.send("another account", third, []account.Call{{To: thief}}, sponsored)
		upgraded := s.owner("bob")
		s.send("one that was upgraded", upgraded, []account.Call{{To: thief}}, sponsored)
		enroll := func(index int, account common.Address) {
			require.NoError(s, s.Transact(s.Context(), s.at.FactoryV1, s.pack("setAccount(address,uint256,address)", wallet, index, account)))
		}
		enroll(1, upgraded.Address())
		enroll(2, thief)
		for _, end := range []uint64{0, 1, 2, 3, 127, 128, 129, 255} {
			resolve(fmt.Sprint("below ", end), end)
		}
		enroll(0, s.at.NFT)
		resolve("what is no account", 1)
	},
	"modules": func(s *side) {
		owner, sess := s.granted("ada")
		mint := []account.Call{s.mint(owner.Address())}
		tx, err := owner.EnableModule(s.Context(), s.at.BatchedSessionRouter, sponsored)
		s.wait("enable the router", tx, err)
		tx, err = owner.EnableModule(s.Context(), s.at.BatchedSessionRouter, sponsored)
		s.wait("enable it again", tx, err)
		tx, err = owner.EnableModule(s.Context(), thief, sponsored)
		s.wait("enable an address without code", tx, err)
		enable := func(module common.Address) []account.Call {
			return []account.Call{{To: owner.Address(), Data: contracts.EnableModule(module)}}
		}
		for _, module := range []common.Address{s.at.BatchedSessionRouter, {}, contracts.SentinelModule} {
			s.send("what the contract says", owner, enable(module), sponsored)
			s.send("what the contract says, given limits", owner, enable(module), sponsored, account.WithGas(plenty()))
		}
		tx, err = owner.DisableModule(s.Context(), s.at.SessionKeyManager, sponsored)
		s.wait("disable the manager", tx, err)
		s.send("without the manager", s.user(owner), mint, account.WithSession(sess.Leaf(0)), sponsored)
		s.send("without the manager, unchecked", s.user(owner), mint, account.WithSession(sess.Leaf(0)), sponsored, unchecked)
		tx, err = owner.DisableModule(s.Context(), s.at.SessionKeyManager, sponsored)
		s.wait("disable it again", tx, err)
		s.send("disable it again at the contract", owner, []account.Call{{To: owner.Address(), Data: contracts.DisableModule(contracts.SentinelModule, s.at.SessionKeyManager)}}, sponsored, account.WithGas(plenty()))
		tx, err = owner.DisableModule(s.Context(), s.at.ECDSAModule, sponsored)
		s.wait("disable the owner's", tx, err)
		tx, err = owner.SetupAndEnableModule(s.Context(), s.at.MultichainModule, contracts.InitForSmartAccount(owner.Owner().Address()), sponsored)
		s.wait("set the multichain module up", tx, err)
		tx, err = owner.SetupAndEnableModule(s.Context(), s.at.MultichainModule, contracts.InitForSmartAccount(owner.Owner().Address()), sponsored)
		s.wait("set it up again", tx, err)
		through := s.owner("ada", account.ActiveModule(s.client.MultichainModule(account.KeyOwner(accounttest.Key("ada")))))
		s.send("through the multichain module", through, mint, sponsored)
		tx, err = through.DisableModule(s.Context(), s.at.ECDSAModule, sponsored)
		s.wait("disable the ECDSA module", tx, err)
		s.send("through the ECDSA module", owner, mint, sponsored)
		s.send("through the ECDSA module, unchecked", owner, mint, sponsored, unchecked)
		s.grant("grant once more", through, []policy.Policy{s.named("again", s.key(owner, "ada's session"))}, sponsored)
		s.send("the first session", s.user(owner), mint, account.WithSession(sess.Leaf(0)), sponsored)
	},
	"ownership": func(s *side) {
		owner, sess := s.granted("ada")
		mint := []account.Call{s.mint(owner.Address())}
		for _, to := range []common.Address{s.at.NFT, {}, owner.Owner().Address()} {
			tx, err := owner.TransferOwnership(s.Context(), to, sponsored)
			s.wait("to whom it cannot belong", tx, err)
			s.send("at the contract", owner, []account.Call{{To: s.at.ECDSAModule, Data: contracts.TransferOwnership(to)}}, sponsored, account.WithGas(plenty()))
		}
		heir := account.KeyOwner(accounttest.Key("heir"))
		tx, err := owner.TransferOwnership(s.Context(), heir.Address(), sponsored)
		s.wait("transfer", tx, err)
		s.send("the old owner", owner, mint, sponsored)
		s.send("the old owner, unchecked", owner, mint, sponsored, unchecked)
		s.send("the new owner", s.owner("heir", account.AtAddress(owner.Address())), mint, sponsored)
		s.send("the session stays", s.user(owner), mint, account.WithSession(sess.Leaf(0)), sponsored)
		s.send("renounce", s.owner("heir", account.AtAddress(owner.Address())), []account.Call{{To: s.at.ECDSAModule, Data: s.pack("renounceOwnership()")}}, sponsored)
		s.send("nobody's", s.owner("heir", account.AtAddress(owner.Address())), mint, sponsored)
		s.send("nobody's, unchecked", s.owner("heir", account.AtAddress(owner.Address())), mint, sponsored, unchecked)
		s.send("the session still", s.user(owner), mint, account.WithSession(sess.Leaf(0)), sponsored)
	},
	"multichain": func(s *side) {
		owner := s.owner("ada", account.Multichain())
		mint := []account.Call{s.mint(owner.Address())}
		s.send("alone", owner, mint, sponsored)
		other := s.owner("ada", account.Multichain(), account.Index(1))
		leg := func(of *account.OwnedAccount, window policy.Window) account.Leg {
			return account.Leg{Account: of, Calls: []account.Call{s.mint(of.Address())}, Window: window, Options: []account.Option{sponsored}}
		}
		together := func(step string, legs ...account.Leg) {
			sent, err := account.SendTogether(s.Context(), legs...)
			s.tell(step, nil, err)
			for _, tx := range sent {
				if tx != nil {
					s.wait(step, tx, nil)
				}
			}
		}
		together("two", leg(owner, s.hour()), leg(other, policy.Window{}))
		together("again", leg(owner, s.hour()), leg(other, s.hour()))
		together("one is over", leg(owner, policy.Between(s.begin.Add(-2*time.Hour), s.begin.Add(-time.Hour))), leg(other, s.hour()))
		together("one is not due", leg(owner, policy.Between(s.begin.Add(time.Hour), s.begin.Add(2*time.Hour))), leg(other, policy.Forever()))
		op, err := owner.Build(s.Context(), mint, sponsored)
		require.NoError(s, err)
		leaf, other32 := contracts.MultichainLeaf(0, 0, op.Hash(s.at.EntryPoint, s.client.ChainID())), common.Hash{1}
		root := crypto.Keccak256Hash(other32[:], leaf[:])
		if leaf.Cmp(other32) < 0 {
			root = crypto.Keccak256Hash(leaf[:], other32[:])
		}
		sig, err := owner.Owner().SignMessage(s.Context(), root[:])
		require.NoError(s, err)
		sig[64] += 27
		for _, c := range []struct {
			name         string
			until, after uint64
			proof        []common.Hash
		}{
			{"without a proof", 0, 0, nil}, {"with another's proof", 0, 0, []common.Hash{{2}}}, {"with another window", 7, 0, []common.Hash{other32}},
			{"with its proof", 0, 0, []common.Hash{other32}}, {"twice", 0, 0, []common.Hash{other32}},
		} {
			op.Signature = contracts.WrapSignature(contracts.MultichainSignature(c.until, c.after, root, c.proof, sig), s.at.MultichainModule)
			s.resend(c.name, op)
		}
		key := s.key(owner, "ada's session")
		sess := s.grant("grant", owner, []policy.Policy{s.minting("mint", owner, key)}, sponsored)
		s.send("use", s.user(owner), mint, account.WithSession(sess.Leaf(0)), sponsored)
	},
	"granted together": func(s *side) {
		one, two := s.owner("ada", account.Multichain()), s.owner("ada", account.Multichain(), account.Index(1))
		legs := make([]account.GrantLeg, 2)
		for i, of := range []*account.OwnedAccount{one, two} {
			legs[i] = account.GrantLeg{
				Account: of, Policies: []policy.Policy{s.minting("mint", of, s.key(of, "ada's session"))}, Options: []account.Option{sponsored},
			}
		}
		granted, err := account.GrantTogether(s.Context(), s.store, legs...)
		s.tell("grant", nil, err)
		for i, of := range []*account.OwnedAccount{one, two} {
			s.settle("settle", s.open(of), granted[i].Tx, nil)
			s.send("use", s.user(of), []account.Call{s.mint(of.Address())}, account.WithSession(s.open(of).Leaf(0)), sponsored)
		}
	},
	"messages": func(s *side) {
		owner := s.owner("ada")
		message := []byte("hello")
		check := func(step string) {
			signature, err := owner.SignMessage(s.Context(), message)
			require.NoError(s, err)
			s.tell(step, nil, s.user(owner).VerifyMessage(s.Context(), message, signature))
			s.tell(step+", another message", nil, s.user(owner).VerifyMessage(s.Context(), []byte("no"), signature))
			s.tell(step+", cut", nil, s.user(owner).VerifyMessage(s.Context(), message, signature[:len(signature)-32]))
			s.tell(step+", bare", nil, s.user(owner).VerifyMessage(s.Context(), message, make([]byte, 65)))
			s.tell(step+", of a session module", nil, s.user(owner).VerifyMessage(s.Context(), message, contracts.WrapSignature(make([]byte, 65), s.at.SessionKeyManager)))
			s.tell(step+", address", nil, owner.CheckAddress(s.Context()))
		}
		check("undeployed")
		s.granted("ada")
		check("deployed")
	},
	"NFTs change hands": func(s *side) {
		ada, bob := s.owner("ada"), s.owner("bob")
		move := func(id int) account.Call {
			return account.Call{To: s.at.NFT, Data: s.pack("transferFrom(address,address,uint256)", ada.Address(), bob.Address(), id)}
		}
		s.send("three for ada", ada, []account.Call{s.mint(ada.Address()), s.mint(ada.Address()), s.mint(ada.Address())}, sponsored)
		s.send("one for bob", bob, []account.Call{s.mint(bob.Address())}, sponsored)
		gas := account.WithGas(plenty())
		s.send("bob takes one", bob, []account.Call{move(0)}, sponsored, gas)
		s.send("ada gives one", ada, []account.Call{move(0)}, sponsored, gas)
		s.send("ada gives it again", ada, []account.Call{move(0)}, sponsored, gas)
		s.send("ada approves", ada, []account.Call{{To: s.at.NFT, Data: s.pack("approve(address,uint256)", bob.Address(), 1)}}, sponsored, gas)
		s.send("bob takes that", bob, []account.Call{move(1)}, sponsored, gas)
		s.send("bob takes another", bob, []account.Call{move(2)}, sponsored, gas)
		s.send("ada approves all", ada, []account.Call{{To: s.at.NFT, Data: s.pack("setApprovalForAll(address,bool)", bob.Address(), true)}}, sponsored, gas)
		s.send("bob takes the last", bob, []account.Call{move(2)}, sponsored, gas)
		s.send("ada approves herself", ada, []account.Call{{To: s.at.NFT, Data: s.pack("setApprovalForAll(address,bool)", ada.Address(), true)}}, sponsored, gas)
		s.send("a token's owner is asked for", ada, []account.Call{{To: s.at.NFT, Data: s.pack("ownerOf(uint256)", 1)}}, sponsored, gas)
	},
	"reverts": func(s *side) {
		owner := s.owner("ada")
		s.send("deploy", owner, []account.Call{{To: thief}}, sponsored)
		for _, f := range failures(s) {
			s.send(f.name, owner, []account.Call{f.call}, sponsored)
			s.send(f.name+", given limits", owner, []account.Call{f.call}, sponsored, account.WithGas(plenty()))
			s.send(f.name+", after another call", owner, []account.Call{s.mint(owner.Address()), f.call, s.mint(owner.Address())}, sponsored, account.WithGas(plenty()))
		}
		inner, err := owner.Build(s.Context(), []account.Call{s.mint(thief)}, sponsored, account.WithGas(plenty()))
		require.NoError(s, err)
		bundle := contracts.HandleOps([]contracts.UserOperation{contracts.UserOperation(*inner)}, thief)
		s.send("a bundle in a bundle", owner, []account.Call{{To: s.at.EntryPoint, Data: bundle}}, sponsored, account.WithGas(plenty()))
		s.send("goes on", owner, []account.Call{s.mint(owner.Address())}, sponsored)
	},
}
