package accounttest_test

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// payStories are about who pays for the gas.
var payStories = map[string]func(*side){
	"self-paid": func(s *side) {
		owner := s.owner("ada")
		mint := []account.Call{s.mint(owner.Address())}
		s.send("no money", owner, mint)
		s.send("no money, given limits", owner, mint, account.WithGas(plenty()))
		s.fund(owner, 500)
		s.send("with money", owner, mint)
		s.send("value", owner, []account.Call{{To: thief, Value: *uint256.NewInt(1_000)}})
		s.send("value to a contract that refuses it", owner, []account.Call{{To: s.at.NFT, Value: *uint256.NewInt(1_000)}}, account.WithGas(plenty()))
		s.send("more than there is", owner, []account.Call{{To: thief, Value: *uint256.NewInt(1e18)}})
		s.send("more than there is, given limits", owner, []account.Call{{To: thief, Value: *uint256.NewInt(1e18)}}, account.WithGas(plenty()))
		s.send("deposit", owner, []account.Call{{To: s.at.EntryPoint, Value: *uint256.NewInt(1e16), Data: contracts.DepositTo(owner.Address())}})
		s.send("deposit without data", owner, []account.Call{{To: s.at.EntryPoint, Value: *uint256.NewInt(1e16)}})
		s.send("take it back", owner, []account.Call{{To: owner.Address(), Data: s.pack("withdrawDepositTo(address,uint256)", owner.Address(), uint64(1e15))}})
		s.send("take too much back", owner, []account.Call{{To: s.at.EntryPoint, Data: s.pack("withdrawTo(address,uint256)", owner.Address(), uint64(9e18))}}, account.WithGas(plenty()))
		key := s.key(owner, "ada's session")
		sess := s.grant("grant", owner, []policy.Policy{s.minting("mint", owner, key)})
		s.send("the session pays too", s.user(owner), mint, account.WithSession(sess.Leaf(0)))
		s.send("sponsored or self", s.user(owner), mint, account.WithSession(sess.Leaf(0)), account.SponsoredOrSelf())
		s.send("a batch of everything", owner, []account.Call{{To: thief, Value: *uint256.NewInt(1)}, s.mint(thief), {To: thief}, {To: s.at.Target, Value: *uint256.NewInt(5)}})
		tx, err := owner.Withdraw(s.Context(), []account.Withdrawal{{To: thief, All: true}})
		if err == nil {
			_, err = tx.Wait(s.Context())
		}
		require.NoError(s, err)
		balances, err := owner.Balances(s.Context())
		require.NoError(s, err)
		require.True(s, balances[0].Amount.IsZero(), balances[0])
		s.told = append(s.told, "all withdrawn")
	},
	"broke paymaster": func(s *side) {
		owner := s.owner("ada")
		mint := []account.Call{s.mint(owner.Address())}
		s.send("estimated", owner, mint, sponsored)
		s.send("given limits", owner, mint, sponsored, account.WithGas(plenty()))
		s.fund(owner, 500)
		s.send("sponsored or self", owner, mint, account.SponsoredOrSelf())
		s.send("self", owner, mint)
	},
	"broke paymaster, simulated": func(s *side) {
		owner := s.owner("ada")
		op, err := owner.Build(s.Context(), []account.Call{s.mint(owner.Address())}, sponsored, account.WithGas(plenty()))
		require.NoError(s, err)
		s.tell("simulated", nil, s.client.Simulate(s.Context(), op))
	},
	"tokens": func(s *side) {
		owner := s.owner("ada")
		token := s.at.Token6
		mint := []account.Call{s.mint(owner.Address())}
		s.send("deploy", owner, mint, sponsored) // what is left of an allowance depends on gas, which is much here
		s.pay("none to pay with", owner, token, mint, account.ApproveExact())
		s.mintTokens(token, owner.Address(), 1_000_000_000)
		s.mintTokens(s.at.ResetToken, owner.Address(), 1_000_000_000)
		s.pay("no allowance", owner, token, mint)
		s.pay("no allowance, unchecked", owner, token, mint, unchecked)
		s.pay("exact", owner, token, mint, account.ApproveExact())
		s.pay("exact again", owner, token, mint, account.ApproveExact())
		s.pay("up to", owner, token, mint, account.ApproveUpTo(uint256.NewInt(900_000_000)))
		s.pay("by what is allowed", owner, token, mint)
		s.pay("a token that resets", owner, s.at.ResetToken, mint, account.ApproveExact())
		s.pay("a token that resets, again", owner, s.at.ResetToken, mint, account.ApproveExact())
		s.pay("no such token", owner, s.at.NFT, mint, account.ApproveExact())
		s.pay("calls that revert", owner, token, []account.Call{{To: s.at.Target, Data: s.pack("failSilently()")}}, account.ApproveExact())
		s.pay("calls that revert, allowed before", owner, token, []account.Call{{To: s.at.Target, Data: s.pack("failRequire(string)", "not today")}}, account.WithGas(plenty()))
		s.pay("calls that spend it", owner, token, []account.Call{{To: token, Data: contracts.Transfer(thief, *uint256.NewInt(999_000_000))}}, account.WithGas(plenty()))
		s.send("spend with the reset token", owner, []account.Call{
			{To: s.at.ResetToken, Data: contracts.Approve(thief, *uint256.NewInt(1))}, {To: s.at.ResetToken, Data: contracts.Approve(thief, *uint256.NewInt(2))},
		}, sponsored, account.WithGas(plenty()))
		key := s.key(owner, "ada's session")
		approving := session.Named("approve", policy.ABI{
			Key: key, Contract: token, Function: "approve(address spender, uint256 amount)",
			Rules: []policy.Rule{policy.Arg("spender", policy.Equal, s.at.TokenPaymaster)}, Window: s.hour(),
		})
		sess := s.grant("grant", owner, []policy.Policy{s.minting("mint", owner, key), approving}, sponsored, account.ForBatches())
		s.pay("with a session", s.user(owner), token, mint, account.WithSession(sess.Leaf(0)), account.ApproveExact(sess.Leaf(1)))
		s.pay("with a session that may not approve", s.user(owner), s.at.ResetToken, mint, account.WithSession(sess.Leaf(0)), account.ApproveExact(sess.Leaf(0)))
	},
	"tokens that are due": func(s *side) {
		owner := s.owner("ada")
		token := s.at.Token6
		mint := []account.Call{s.mint(owner.Address())}
		s.send("deploy", owner, mint, sponsored)
		s.mintTokens(token, owner.Address(), 1_000_000_000)
		s.pay("nothing allowed, unchecked", owner, token, mint, unchecked)
		s.pay("nothing allowed, unchecked, given limits", owner, token, mint, unchecked, account.WithGas(plenty()))
		s.pay("the calls fail, and the approval with them", owner, token, []account.Call{{To: s.at.Target, Data: s.pack("failRequire(string)", "no")}}, account.ApproveExact(), account.WithGas(plenty()))
		s.pay("allow all", owner, token, mint, account.ApproveUnlimited())
		all := s.number(token, contracts.BalanceOf(owner.Address()))
		s.pay("the calls spend it", owner, token, []account.Call{{To: token, Data: contracts.Transfer(thief, *uint256.NewInt(all))}}, account.WithGas(plenty()))
		s.pay("the calls take the allowance back", owner, token, []account.Call{{To: token, Data: contracts.Approve(s.at.TokenPaymaster, uint256.Int{})}}, account.WithGas(plenty()))
		gas := plenty()
		for _, limit := range []uint64{45_000, 45_001} {
			gas.VerificationGasLimit.SetUint64(limit)
			op, err := owner.Build(s.Context(), mint, sponsored, account.WithGas(gas))
			require.NoError(s, err)
			op.PaymasterAndData = append(s.at.TokenPaymaster.Bytes(), make([]byte, 193+65)...)
			ask := callTo(s.at.TokenPaymaster, contracts.ValidatePaymasterUserOp(contracts.UserOperation(*op), common.Hash{}, new(uint256.Int)))
			s.ask("asked by a stranger", ask)
			ask.From = s.at.EntryPoint
			s.ask("a limit for the paymaster", ask)
		}
	},
	"tokens at an oracle's rate": func(s *side) {
		owner := s.owner("ada")
		token := s.at.Token6
		mint := []account.Call{s.mint(owner.Address())}
		s.send("deploy", owner, mint, sponsored)
		s.mintTokens(token, owner.Address(), 1_000_000_000)
		s.pay("the signed rate", owner, token, mint, account.ApproveUnlimited(), unchecked)
		tell := func(step string) { // what an honest price would be told by, and what it is
			s.pay(step, owner, token, mint, account.ApproveUnlimited(), unchecked, account.WithGas(plenty()))
		}
		set := func(rate uint64) {
			require.NoError(s, s.Transact(s.Context(), s.at.Oracle, s.pack("setRate(address,uint256)", token, rate)))
		}
		s.SetOracle(s.at.Oracle)
		tell("an oracle that does not answer")
		set(2_000_000_000)
		tell("an oracle with the signed rate")
		set(20_000_000_000)
		tell("an oracle with ten times the signed rate")
		set(200_000_000_000_000)
		tell("an oracle with more than there is")
		s.SetOracle(s.at.NFT)
		tell("no oracle")
		s.SetOracle(common.HexToAddress("0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE"))
		tell("the native one")
		s.SetOracle(thief)
		tell("an oracle without code")
		s.SetOracle(common.Address{})
		tell("the signed rate again")
	},
	"money for one of two in flight": func(s *side) {
		s.lanes = []uint64{0, 5}
		owner := s.owner("ada")
		s.send("deploy", owner, []account.Call{{To: thief}}, sponsored)
		s.fund(owner, 20)
		var fees userop.Fees
		fees.MaxFeePerGas.SetUint64(5_000_000_000)
		fees.MaxPriorityFeePerGas.SetUint64(1_500_000_000)
		s.Pause()
		one, err := owner.Send(s.Context(), []account.Call{s.mint(thief)}, account.WithGas(plenty()), account.WithFees(fees))
		require.NoError(s, err)
		two, err := owner.Send(s.Context(), []account.Call{s.mint(thief)}, account.WithGas(plenty()), account.WithFees(fees),
			account.WithLane(uint256.NewInt(5)))
		require.NoError(s, err)
		s.Resume()
		s.wait("one", one, nil)
		s.wait("two", two, nil)
	},
}
