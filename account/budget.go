package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/lanekey"
	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// Budgets bounds what a client's sends come to in a day (UTC), where V2's modules judge each call alone. It
// is counted in [Config].Outbox, for all processes that share it: what a send may cost at most is reserved
// before it is signed, the true cost takes its place when the chain has ended it, and what ended without
// landing, or was never given to a service, is given back; see [outbox.Budgeter]. Over budget, a send is an
// [*outbox.OverBudgetError], and nothing was signed.
//
// Every send of such a client is written down, those without [Once] under keys of the client's own, of which
// Report is not told. Have [Client.Run] run: it settles what nobody waits for. [Account.Build],
// [Account.SendSigned], [SendTogether] and [GrantTogether] are errors, since nothing would be written down of
// them. [SubmitTogether] reserves for each operation what its chain's client has budgets for, and sends none
// where one is over.
//
// Of a send with several operations, as [Account.Replace] makes them, one lands at most: it counts as the one
// of them that may move most, and for each session key that signed one.
//
// A revocation is counted, and never refused. A cancellation ([OwnedAccount.Cancel]) is not counted. Fees in
// tokens ([PayWith]) are in no budget but for the approval that a call gives, and that of gas. What the owner
// signs as a message, such as a permit, is in none, nor is what is signed for [Account.Simulate], which the
// node alone is shown.
type Budgets struct {
	// Key is the budget of each session key, for each account; Account that of each account, with all of its
	// session keys and its owner.
	Key, Account Budget
	// Moves says which calls move a token that has a budget, beside ERC-20's own.
	Moves []Move
}

// Budget is what may be spent in a day. Its zero value limits nothing.
type Budget struct {
	// Operations is how many may be included, 0 for any number.
	Operations uint64
	// Gas is what the EntryPoint takes for them in wei, whoever pays it: sponsored or not, it is what the
	// key makes somebody pay. Value is what their calls send in wei. Nil is any amount.
	Gas, Value *uint256.Int
	// Tokens are the amounts that their calls may move or approve of a token, in its smallest unit: calls of
	// transfer, transferFrom, approve and increaseAllowance, and those of [Budgets].Moves. Other calls of
	// such a token are refused, as what they move is not known.
	Tokens map[common.Address]*uint256.Int
}

// Move is a call that moves an amount of a token, as a contract that takes it has.
type Move struct {
	// Contract is called with Function, such as "deposit(address token, uint256 amount)".
	Contract common.Address
	Function string
	// Token is moved by it, as much as the argument named Amount says; empty for a function that moves none.
	// One that moves several tokens is named once for each.
	Token  common.Address
	Amount string
}

// Allowance is what is left of one budget today.
type Allowance struct {
	outbox.Usage
	// Limit is the budget, and Left what is neither spent nor reserved of it.
	Limit, Left uint256.Int
	// Resets is when Spent begins anew, the next midnight in UTC.
	Resets time.Time
}

// budgets are [Budgets] as they are kept.
type budgets struct {
	counts       outbox.Budgeter
	key, account []limit
	moves        map[common.Address][]move
}

type limit struct {
	unit outbox.Unit
	most uint256.Int
}

// move is a [Move] that was read; amount is the index of the argument, -1 for none.
type move struct {
	function *abi.Function
	token    common.Address
	amount   int
}

// erc20Moves are the functions of a token that move it, or have it moved.
func erc20Moves(token common.Address) []Move {
	return []Move{
		{token, "transfer(address to, uint256 amount)", token, "amount"},
		{token, "transferFrom(address from, address to, uint256 amount)", token, "amount"},
		{token, "approve(address spender, uint256 amount)", token, "amount"},
		{token, "increaseAllowance(address spender, uint256 amount)", token, "amount"},
		{token, "decreaseAllowance(address spender, uint256 amount)", token, ""},
	}
}

// reserveTime is how long a reservation waits for its signature. Who takes longer sends again.
const reserveTime = 2 * time.Minute

// budget makes what the configuration says of budgets.
func (c *Client) budget(cfg *Config) error {
	if cfg.Budgets == nil {
		return nil
	}
	if cfg.Outbox == nil {
		return fmt.Errorf("%w: Budgets are counted where sends are written down; set Config.Outbox, too", ErrConfig)
	}
	counts, ok := cfg.Outbox.Outbox().(outbox.Budgeter)
	if !ok {
		return fmt.Errorf("%w: Config.Outbox counts no budgets; the stores of packages pgstore and filestore do", ErrConfig)
	}
	b := &budgets{
		counts: counts, key: cfg.Budgets.Key.limits(), account: cfg.Budgets.Account.limits(),
		moves: make(map[common.Address][]move),
	}
	if len(b.key)+len(b.account) == 0 {
		return fmt.Errorf("%w: Budgets limits nothing; leave it nil for no budget", ErrConfig)
	}
	if len(b.key)+len(b.account) > outbox.MaxCharges {
		return fmt.Errorf("%w: Budgets has %d limits; %d are taken", ErrConfig, len(b.key)+len(b.account), outbox.MaxCharges)
	}
	for _, l := range slices.Concat(b.key, b.account) {
		if token := common.HexToAddress(string(l.unit)); l.unit == outbox.TokenUnit(token) && b.moves[token] == nil {
			for _, m := range erc20Moves(token) {
				if err := b.add(m); err != nil {
					return err
				}
			}
		}
	}
	for _, m := range cfg.Budgets.Moves {
		if err := b.add(m); err != nil {
			return err
		}
	}
	c.budgets = b
	return nil
}

// limits are the limits of a budget, in order.
func (b *Budget) limits() (limits []limit) {
	if b.Operations != 0 {
		limits = append(limits, limit{outbox.Operations, *uint256.NewInt(b.Operations)})
	}
	if b.Gas != nil {
		limits = append(limits, limit{outbox.Gas, *b.Gas})
	}
	if b.Value != nil {
		limits = append(limits, limit{outbox.Value, *b.Value})
	}
	for token, most := range b.Tokens {
		if most != nil {
			limits = append(limits, limit{outbox.TokenUnit(token), *most})
		}
	}
	slices.SortFunc(limits, func(a, b limit) int { return strings.Compare(string(a.unit), string(b.unit)) })
	return limits
}

func (b *budgets) add(m Move) error {
	function, err := abi.ParseFunction(m.Function)
	if err != nil {
		return fmt.Errorf("%w: Budgets.Moves: %w", ErrConfig, err)
	}
	read := move{function, m.Token, -1}
	if m.Amount != "" {
		if m.Token == (common.Address{}) {
			return fmt.Errorf("%w: Budgets.Moves: %s moves %s of no token: name Token, too", ErrConfig, m.Function, m.Amount)
		}
		read.amount = slices.IndexFunc(function.Inputs(), func(p abi.Param) bool { return p.Name == m.Amount && p.Type == "uint256" })
		if read.amount < 0 {
			return fmt.Errorf("%w: Budgets.Moves: %s has no argument uint256 %s", ErrConfig, m.Function, m.Amount)
		}
	}
	b.moves[m.Contract] = append(b.moves[m.Contract], read)
	return nil
}

// charges are what an operation may cost at most. The key is zero for one that no session key signs;
// unlimited is one that is counted and never refused.
func (b *budgets) charges(op *userop.Operation, key common.Address, unlimited bool) ([]outbox.Charge, error) {
	cost, ok := op.Prefund()
	if !ok {
		return nil, fmt.Errorf("%w: the operation's gas costs more than there can be", userop.ErrCap)
	}
	amounts := map[outbox.Unit]uint256.Int{outbox.Operations: *uint256.NewInt(1), outbox.Gas: *cost}
	if len(op.CallData) > 0 {
		calls, err := contracts.DecodeExecute(op.CallData)
		if err != nil {
			return nil, fmt.Errorf("what the operation spends: %w", err)
		}
		for i := range calls {
			if err := b.spends(&calls[i], amounts); err != nil {
				return nil, fmt.Errorf("what call %d spends: %w", i, err)
			}
		}
	}
	var charges []outbox.Charge
	charge := func(key common.Address, limits []limit) {
		for _, l := range limits {
			if amount := amounts[l.unit]; !amount.IsZero() {
				c := outbox.Charge{Counter: outbox.Counter{Key: key, Unit: l.unit}, Amount: amount, Limit: l.most}
				if unlimited {
					c.Limit.SetAllOne()
				}
				charges = append(charges, c)
			}
		}
	}
	if key != (common.Address{}) {
		charge(key, b.key)
	}
	charge(common.Address{}, b.account)
	return charges, nil
}

// spends adds what a call spends to the amounts.
func (b *budgets) spends(call *Call, amounts map[outbox.Unit]uint256.Int) error {
	if err := add(amounts, outbox.Value, &call.Value); err != nil {
		return err
	}
	moves := b.moves[call.To]
	known := false
	for _, m := range moves { // a function may move several tokens
		if selector := m.function.Selector(); !bytes.HasPrefix(call.Data, selector[:]) {
			continue
		}
		known = true
		if err := m.spends(call, amounts); err != nil {
			return err
		}
	}
	if !known && slices.ContainsFunc(moves, func(m move) bool { return m.token == call.To }) {
		return fmt.Errorf("%w: a call of token %s, which has a budget, by a function that is not known to move so much: name it in Budgets.Moves", ErrConfig, call.To)
	}
	return nil
}

// spends adds what a call of the function moves.
func (m *move) spends(call *Call, amounts map[outbox.Unit]uint256.Int) error {
	arguments, err := m.function.Unpack(call.Data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if m.amount < 0 {
		return nil
	}
	amount, _ := arguments[m.amount].(*big.Int)
	moved, over := uint256.FromBig(amount)
	if over || amount == nil {
		return fmt.Errorf("%w: an amount that is no uint256", ErrConfig)
	}
	return add(amounts, outbox.TokenUnit(m.token), moved)
}

func add(amounts map[outbox.Unit]uint256.Int, unit outbox.Unit, amount *uint256.Int) error {
	sum := amounts[unit]
	if _, over := sum.AddOverflow(&sum, amount); over {
		return fmt.Errorf("%w: the calls of the operation spend more than there can be", ErrConfig)
	}
	amounts[unit] = sum
	return nil
}

// Allowances returns what is left today of the budgets of [Config].Budgets: those of the session key, unless
// it is zero, and those of the account. Another send may take of it at any time.
func (a *Account) Allowances(ctx context.Context, key common.Address) ([]Allowance, error) {
	b := a.client.budgets
	if b == nil {
		return nil, fmt.Errorf("%w: the client has no Config.Budgets", ErrConfig)
	}
	used, err := b.counts.Usage(ctx, a.client.chainID, a.address)
	if err != nil {
		return nil, fmt.Errorf("what %s spent: %w", a.Ref(), err)
	}
	var list []Allowance
	left := func(key common.Address, limits []limit) {
		for _, l := range limits {
			u := outbox.Usage{Counter: outbox.Counter{Key: key, Unit: l.unit}, Day: outbox.Day(time.Now())}
			for _, is := range used {
				if is.Counter == u.Counter {
					u = is
				}
			}
			list = append(list, Allowance{Usage: u, Limit: l.most, Left: u.Left(&l.most), Resets: u.Day.Add(24 * time.Hour)})
		}
	}
	if key != (common.Address{}) {
		left(key, b.key)
	}
	left(common.Address{}, b.account)
	return list, nil
}

// ownKeys begins the keys of sends that are written down without [Once].
const ownKeys = "sesame unnamed "

// named reports whether a key is that of a caller's.
func named(key string) bool { return !strings.HasPrefix(key, ownKeys) }

// writesDown reports whether a send of the settings is written down, under a key of the client's own where
// budgets ask for it.
func (c *Client) writesDown(s *settings) bool {
	if s.key == "" && c.budgets != nil {
		key := lanekey.New() // as good a random name as any
		s.key = ownKeys + key.Hex()
	}
	return s.key != ""
}

// unwritten is the error of what a client with budgets cannot write down, nil without budgets.
func (c *Client) unwritten(what, instead string) error {
	if c.budgets == nil {
		return nil
	}
	return fmt.Errorf("%w: %s under Config.Budgets, as nothing would be written down: %s", ErrConfig, what, instead)
}

// reserving is a signer that reserves what an operation may cost before it signs.
type reserving struct {
	userop.Signer
	send *keyed
}

// Unwrap returns the signer within.
func (r *reserving) Unwrap() userop.Signer { return r.Signer }

// Sign implements [userop.Signer].
func (r *reserving) Sign(ctx context.Context, op *userop.Operation, hash common.Hash) ([]byte, error) {
	if err := r.send.reserve(ctx, op, r.Signer); err != nil {
		return nil, err
	}
	return r.Signer.Sign(ctx, op, hash)
}

// reserve reserves what an operation may cost at most.
func (k *keyed) reserve(ctx context.Context, op *userop.Operation, signer userop.Signer) error {
	k.giveBack(ctx) // of one that was refused since
	if k.ahead != nil && *k.ahead != 0 && k.entry == nil {
		k.reserved, *k.ahead = *k.ahead, 0
		return nil
	}
	var key common.Address
	var err error
	if s, ok := ability.Find[*session.Signer](signer); ok {
		if key, err = s.Key(); err != nil {
			return err
		}
	} else if len(k.client.budgets.key) > 0 && k.client.contracts.bySession(op) {
		return fmt.Errorf("%w: a session key signs, and which one a wrapper around its signer hides, which Budgets.Key counts by: give the wrapper an Unwrap", ErrConfig)
	}
	var entry uint64
	if k.entry != nil {
		entry = k.entry.ID
	}
	k.reserved, err = k.client.reserve(ctx, op, entry, key, k.s.always)
	return err
}

func (k *keyed) giveBack(ctx context.Context) { k.client.giveBack(ctx, k.ref, &k.reserved) }

// reserve reserves what an operation may cost at most, beyond what its entry has reserved, which is 0 for a
// new one. It returns 0 where no budget is about it. The key is that of a session, zero for none.
func (c *Client) reserve(ctx context.Context, op *userop.Operation, entry uint64, key common.Address, unlimited bool) (uint64, error) {
	charges, err := c.budgets.charges(op, key, unlimited)
	if err != nil || len(charges) == 0 {
		return 0, err
	}
	reservation, err := c.budgets.counts.Reserve(ctx, c.chainID, op.Sender, entry, charges, reserveTime)
	if err != nil && !errors.Is(err, outbox.ErrOverBudget) {
		err = fmt.Errorf("reserve what the send may cost: %w", err)
	}
	return reservation, err
}

// giveBack gives back what was reserved, if anything was, and became no entry's. Where that fails, its time
// is over soon.
func (c *Client) giveBack(ctx context.Context, ref session.Ref, reservation *uint64) {
	if *reservation == 0 {
		return
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	if err := c.budgets.counts.Return(ctx, ref.ChainID, ref.Account, *reservation); err != nil {
		c.observer.Tell(ctx, observe.Trouble, observe.Moment{Account: ref.Account, Detail: "give back what was reserved of budgets", Err: err})
	}
	*reservation = 0
}
