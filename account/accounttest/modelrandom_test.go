package accounttest_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// TestModelAtRandom makes the same random steps on the model and on the real contracts, and compares after
// each.
func TestModelAtRandom(t *testing.T) {
	steps := 150
	if testing.Short() {
		steps = 40
	}
	for _, seed := range []uint64{1, 2, 3, 4} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			compare(t, placeConfig{}, func(s *side) {
				w := &wanderer{side: s, Rand: rand.New(rand.NewPCG(seed, 0))}
				w.meet("ada")
				w.meet("bob", account.Multichain())
				w.meet("eve")
				s.lanes = []uint64{0, 1, 2}
				for n := range steps {
					w.n = n
					w.step()
				}
			})
		})
	}
}

// wanderer makes random steps in a story. Each choice depends on the seed and on what was told, which has to
// be the same at both places.
type wanderer struct {
	*side
	*rand.Rand
	n      int
	people []*person
	passed int // hours and a half that the clock was moved
}

// person is an account, with who owns it and a session key.
type person struct {
	name   string
	owner  *account.OwnedAccount
	opts   []account.OwnedOption
	key    common.Address
	grants int
}

func (w *wanderer) meet(name string, opts ...account.OwnedOption) {
	p := &person{name: name, owner: w.side.owner(name, opts...), opts: opts}
	p.key = w.side.key(p.owner, name+"'s session")
	w.fund(p.owner, 500)
	w.mintTokens(w.at.Token, p.owner.Address(), 1_000)
	w.mintTokens(w.at.Token6, p.owner.Address(), 100_000_000)
	w.people = append(w.people, p)
}

func pick[T any](w *wanderer, list ...T) T { return list[w.IntN(len(list))] }

func (w *wanderer) chance(percent int) bool { return w.IntN(100) < percent }

// step makes one step.
func (w *wanderer) step() {
	p := pick(w, w.people...)
	name := func(what string) string { return fmt.Sprintf("%d: %s: %s", w.n, p.name, what) }
	switch n := w.IntN(100); {
	case n < 15:
		w.send(name("owner sends"), p.owner, w.calls(p), w.options()...)
	case n < 30:
		w.grantOne(name("grants"), p)
	case n < 37:
		w.revokeOne(name("revokes"), p)
	case n < 72:
		w.use(name("uses"), p)
	case n < 77:
		w.changeModules(name("modules"), p)
	case n < 81:
		w.handOver(name("hands over"), p)
	case n < 86:
		w.pay(name("pays in tokens"), p.owner, pick(w, w.at.Token6, w.at.ResetToken), w.calls(p), account.ApproveUnlimited()) // what is left of an exact one depends on gas
	case n < 93:
		w.tamper(name("tampers"), p)
	case n < 95 && w.passed < 6:
		w.passed++
		require.NoError(w, w.AdjustTime(90*time.Minute))
	default:
		w.send(name("by address"), w.user(p.owner), w.calls(p), account.WithSigner(pick(w, w.people...).owner.Signer()), sponsored)
	}
}

// calls are one to three calls, some of which fail.
func (w *wanderer) calls(p *person) []account.Call {
	calls := []account.Call{w.call(p)}
	for w.chance(25) && len(calls) < 3 {
		calls = append(calls, w.call(p))
	}
	return calls
}

func (w *wanderer) call(p *person) account.Call {
	to := pick(w, p.owner.Address(), pick(w, w.people...).owner.Address(), thief)
	amount := *uint256.NewInt(uint64(w.IntN(120)))
	switch w.IntN(12) {
	case 0, 1, 2:
		return w.mint(to)
	case 3, 4:
		return account.Call{To: w.at.Token, Data: contracts.Transfer(to, amount)}
	case 5:
		return account.Call{To: w.at.Token, Data: contracts.Approve(to, amount)}
	case 6:
		return account.Call{To: to, Value: amount}
	case 7, 8:
		return account.Call{To: w.at.Target, Value: *uint256.NewInt(uint64(w.IntN(4))), Data: w.pack("store(uint256)", 95+w.IntN(10))}
	case 9:
		return pick(w, failures(w.side)...).call
	case 10:
		return account.Call{To: w.at.EntryPoint, Value: amount, Data: contracts.DepositTo(to)}
	}
	return account.Call{To: w.at.NFT, Value: amount, Data: w.mint(to).Data}
}

// options are who pays, in which lane, and with which limits.
func (w *wanderer) options() []account.Option {
	var opts []account.Option
	if w.chance(75) {
		opts = append(opts, sponsored)
	}
	if w.chance(30) {
		opts = append(opts, account.WithLane(uint256.NewInt(uint64(w.IntN(3)))))
	} else if w.chance(5) {
		opts = append(opts, account.WithNonce(uint256.NewInt(uint64(w.IntN(4)))))
	}
	if w.chance(50) {
		opts = append(opts, account.WithGas(plenty()))
	}
	return opts
}

// window ends between two of the times that the clock can be moved to.
func (w *wanderer) window() policy.Window {
	at := func(n int) time.Time { return w.begin.Add(time.Duration(n)*90*time.Minute + 45*time.Minute) }
	switch w.IntN(6) {
	case 0:
		return policy.Forever()
	case 1:
		return policy.Between(at(w.passed), at(w.passed+2))
	}
	return policy.Until(at(w.passed + w.IntN(3)))
}

func (w *wanderer) grantOne(step string, p *person) {
	var policies []policy.Policy
	for len(policies) == 0 || w.chance(30) {
		p.grants++
		id := fmt.Sprintf("%s %d", p.name, p.grants)
		policies = append(policies, session.Named(id, w.policy(p)))
	}
	opts := []account.Option{sponsored}
	if w.chance(50) {
		opts = append(opts, account.ForBatches())
	}
	w.side.grant(step, p.owner, policies, opts...)
}

func (w *wanderer) policy(p *person) policy.Policy {
	key := p.key
	if w.chance(10) {
		key = pick(w, w.people...).key
	}
	condition := policy.Condition(w.IntN(6))
	switch w.IntN(4) {
	case 0:
		return policy.ABI{Key: key, Contract: w.at.NFT, Function: "safeMint(address to)", Window: w.window(),
			Rules: []policy.Rule{policy.Arg("to", policy.Equal, p.owner.Address())}}
	case 1:
		return policy.ABI{Key: key, Contract: w.at.Target, Function: "store(uint256 n)", Window: w.window(),
			Rules: []policy.Rule{policy.Arg("n", condition, 100)}, ValueLimit: *uint256.NewInt(uint64(w.IntN(4)))}
	case 2:
		return policy.ABI{Key: key, Contract: w.at.Token, Function: "transfer(address to, uint256 amount)", Window: w.window(),
			Rules: []policy.Rule{policy.Arg("amount", condition, 60)}}
	}
	return policy.ERC20{Key: key, Token: w.at.Token, Recipient: thief, MaxAmount: *uint256.NewInt(60), Window: w.window()}
}

// sessions are the account's, nil for none.
func (w *wanderer) sessions(p *person) *session.Sessions {
	sess, err := session.Open(w.Context(), w.store, p.owner.Ref())
	if err != nil || sess.Len() == 0 {
		return nil
	}
	return sess
}

func (w *wanderer) revokeOne(step string, p *person) {
	sess := w.sessions(p)
	if sess == nil {
		return
	}
	if w.chance(20) {
		tx, err := p.owner.RevokeAll(w.Context(), sess, sponsored)
		w.settle(step+" all", sess, tx, err)
		return
	}
	tx, err := p.owner.Revoke(w.Context(), sess, pick(w, sess.Leaves()...).ID, sponsored)
	w.settle(step, sess, tx, err)
}

// use acts with a session, mostly within what it allows as far as its kind goes.
func (w *wanderer) use(step string, p *person) {
	sess := w.sessions(p)
	if sess == nil {
		return
	}
	calls := w.calls(p)
	opts := append(w.options(), pick(w, account.WithLeafOf(sess), nil, nil))
	if opts[len(opts)-1] == nil {
		var leaves []session.LeafRef
		for i := range calls {
			leaf := w.IntN(sess.Len())
			leaves = append(leaves, sess.Leaf(leaf))
			if w.chance(80) {
				calls[i] = w.fitting(p, sess.Leaves()[leaf])
			}
		}
		opts[len(opts)-1] = account.WithSession(leaves...)
	}
	if w.chance(40) {
		opts = append(opts, unchecked)
	}
	if w.chance(10) {
		opts = append(opts, account.AsBatch())
	}
	w.send(step, w.user(p.owner), calls, opts...)
}

// fitting is a call of the kind that the leaf allows.
func (w *wanderer) fitting(p *person, leaf session.Leaf) account.Call {
	amount := *uint256.NewInt(uint64(w.IntN(80)))
	switch {
	case leaf.Targets(policy.Modules{}, w.at.NFT, [4]byte(w.mint(thief).Data)):
		return w.mint(p.owner.Address())
	case leaf.Targets(policy.Modules{}, w.at.Target, [4]byte(w.pack("store(uint256)", 0))):
		return account.Call{To: w.at.Target, Value: *uint256.NewInt(uint64(w.IntN(3))), Data: w.pack("store(uint256)", 99+w.IntN(3))}
	}
	return account.Call{To: w.at.Token, Data: pick(w, contracts.Transfer, contracts.Approve)(thief, amount)}
}

func (w *wanderer) changeModules(step string, p *person) {
	module := pick(w, w.at.SessionKeyManager, w.at.BatchedSessionRouter, w.at.MultichainModule, w.at.Target)
	var tx *userop.Pending
	var err error
	switch w.IntN(3) {
	case 0:
		tx, err = p.owner.EnableModule(w.Context(), module, sponsored)
	case 1:
		tx, err = p.owner.DisableModule(w.Context(), module, sponsored)
	default:
		tx, err = p.owner.SetupAndEnableModule(w.Context(), w.at.MultichainModule, contracts.InitForSmartAccount(p.owner.Owner().Address()), sponsored)
	}
	w.wait(step, tx, err)
}

// handOver gives the account to somebody else who is nobody so far.
func (w *wanderer) handOver(step string, p *person) {
	heir := accounttest.Key(fmt.Sprintf("%s's heir %d", p.name, w.n))
	tx, err := p.owner.TransferOwnership(w.Context(), account.KeyOwner(heir).Address(), sponsored)
	w.wait(step, tx, err)
	if state, failed := p.owner.State(w.Context()); err != nil || failed != nil || !state.Deployed {
		return
	}
	w.send(step+", and tries again", p.owner, w.calls(p), sponsored, unchecked)
	opts := []account.OwnedOption{account.AtAddress(p.owner.Address())}
	p.owner = w.client.OwnedAccount(account.KeyOwner(heir), append(opts, p.opts...)...)
}

// tamper sends an operation that was changed after it was signed.
func (w *wanderer) tamper(step string, p *person) {
	op, err := p.owner.Build(w.Context(), w.calls(p), sponsored, account.WithGas(plenty()))
	if err != nil {
		w.tell(step, nil, err)
		return
	}
	switch w.IntN(7) {
	case 0:
		op.CallGasLimit.SubUint64(&op.CallGasLimit, 1)
	case 1:
		op.Signature[pick(w, w.IntN(96), 160)] ^= 1 << w.IntN(8) // with another r there may be no such point, by chance
	case 2:
		op.CallData[w.IntN(len(op.CallData))] ^= 1 << w.IntN(8)
	case 3:
		op.Nonce.AddUint64(&op.Nonce, uint64(w.IntN(3)))
	case 4:
		op.PaymasterAndData[w.IntN(180)] ^= 1 << w.IntN(8) // what comes before the signature
	case 5:
		op.Sender = pick(w, w.people...).owner.Address()
	default:
		w.resend(step+" not at all", op)
	}
	w.resend(step, op)
}
