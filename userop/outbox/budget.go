package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Budgeter is an [Outbox] that counts what an account's sends may cost and did cost, so that a budget of a
// day holds whatever process sends.
//
// What a send may cost at most is reserved before it is signed ([Budgeter.Reserve]), becomes its entry's when
// that is recorded or gets another operation ([Attempt].Reserved), and ends with it in one transaction:
// settled, what was true takes its place, on the day of the settling; ended or freed, it is given back.
// Whatever is reserved counts against the budget of each day until then, as it may land on any. So the sends
// that the chain includes on one day never come to more than one day's budget.
//
// A reservation that became no entry's within its time, since its process ended, is given back by the next
// one of the account.
type Budgeter interface {
	// Reserve reserves what a send of the account is about to cost at most, all charges or none: over a limit
	// it is an [*OverBudgetError]. For a further operation of an entry, named by its ID, only what is more
	// than the entry has already is reserved, since one of its operations lands at most; 0 is a new send.
	Reserve(ctx context.Context, chainID uint64, account common.Address, entry uint64, charges []Charge, ttl time.Duration) (reservation uint64, err error)
	// Return gives a reservation back that is no entry's. One that is, or is gone, stays as it is.
	Return(ctx context.Context, chainID uint64, account common.Address, reservation uint64) error
	// Usage returns what the account's counters say now, by the store's clock, ordered by key and unit.
	Usage(ctx context.Context, chainID uint64, account common.Address) ([]Usage, error)
}

// Unit is what a budget counts.
type Unit string

// The units beside those of [TokenUnit].
const (
	// Operations counts the operations that are included, reverted ones among them.
	Operations Unit = "operations"
	// Gas is what operations cost in wei, whoever pays the EntryPoint: the account or its paymaster.
	Gas Unit = "gas"
	// Value is what calls send in wei.
	Value Unit = "value"
)

// TokenUnit is the unit of a token's amounts, in its smallest unit.
func TokenUnit(token common.Address) Unit { return Unit(token.Hex()) }

// Counter names one count of an account.
type Counter struct {
	// Key is the session key that it is about, zero for the account with all its keys.
	Key  common.Address `json:"key,omitzero"`
	Unit Unit           `json:"unit"`
}

// String says whose count it is of what.
func (c Counter) String() string {
	of := "account"
	if c.Key != (common.Address{}) {
		of = "key " + c.Key.Hex()
	}
	switch c.Unit {
	case Operations:
		return "operations of the " + of
	case Gas:
		return "wei of gas of the " + of
	case Value:
		return "wei of value of the " + of
	}
	return fmt.Sprintf("amount of token %s of the %s", c.Unit, of)
}

// Charge is what a send may cost at most by one count, and the count's limit for a day.
type Charge struct {
	Counter
	Amount, Limit uint256.Int
}

// Usage is what one count of an account says.
type Usage struct {
	Counter
	// Day is the day in UTC, at midnight, that Spent was settled on.
	Day time.Time
	// Spent is what sends that were settled on the day cost, Open what is reserved for those that may land
	// yet, and Total what all that ever were settled cost.
	Spent, Open, Total uint256.Int
}

// Left returns how much is left of a limit for the day.
func (u *Usage) Left(limit *uint256.Int) (left uint256.Int) {
	used := addCapped(&u.Spent, &u.Open)
	if used.Lt(limit) {
		left.Sub(limit, &used)
	}
	return left
}

// Day returns the UTC day of a moment.
func Day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

var (
	// ErrOverBudget means that a send may cost more than is left of a budget; see [*OverBudgetError].
	ErrOverBudget = errors.New("over budget")
	// ErrReservation means that what was reserved for a send was given back before the send was recorded,
	// which took longer than the reservation lasts: nothing was written down, send again.
	ErrReservation = errors.New("reservation of a budget is over")
)

// OverBudgetError is a send that may cost more than is left. It matches [ErrOverBudget]; nothing was
// reserved.
type OverBudgetError struct {
	ChainID uint64
	Account common.Address
	// Charge is the first one that is over its limit, of what Usage says.
	Charge Charge
	Usage  Usage
}

// FreesUp returns when there is enough left by itself, the next midnight in UTC; zero where that takes the
// end of sends that are under way, or is never.
func (e *OverBudgetError) FreesUp() time.Time {
	if needs := addCapped(&e.Usage.Open, &e.Charge.Amount); needs.Gt(&e.Charge.Limit) {
		return time.Time{}
	}
	return e.Usage.Day.Add(24 * time.Hour)
}

// Error says which budget, what is left of it, and when it frees up.
func (e *OverBudgetError) Error() string {
	c := &e.Charge
	left := e.Usage.Left(&c.Limit)
	when := "once sends that are under way have ended, which hold " + e.Usage.Open.Dec()
	switch at := e.FreesUp(); {
	case c.Amount.Gt(&c.Limit):
		when = "never, as it is more than that of a whole day: send less, or raise the budget"
	case !at.IsZero():
		when = "at " + at.Format(time.RFC3339)
		if !e.Usage.Open.IsZero() {
			when += ", or before where sends that are under way cost less"
		}
	}
	return fmt.Sprintf("%v: %s on chain %d, %s a day: the send may take %s, and %s is left; it frees up %s",
		ErrOverBudget, c.Counter.of(e.Account), e.ChainID, c.Limit.Dec(), c.Amount.Dec(), left.Dec(), when)
}

func (c Counter) of(account common.Address) string {
	if c.Key == (common.Address{}) {
		return c.String() + " " + account.Hex()
	}
	return c.String() + " of account " + account.Hex()
}

// Is makes an OverBudgetError match [ErrOverBudget].
func (e *OverBudgetError) Is(target error) bool { return target == ErrOverBudget }

// MaxCharges bounds the charges of one reservation, MaxUnit the bytes of a unit.
const (
	MaxCharges = 64
	MaxUnit    = 64
)

// CheckReservation returns an error matching [ErrInvalid] for what cannot be reserved.
func CheckReservation(chainID uint64, account common.Address, charges []Charge, ttl time.Duration) error {
	switch {
	case chainID == 0 || chainID > 1<<63-1:
		return invalid("reserve on chain %d", chainID)
	case account == noAccount:
		return invalid("reserve for no account")
	case len(charges) == 0 || len(charges) > MaxCharges:
		return invalid("reserve %d charges; 1 to %d are taken", len(charges), MaxCharges)
	case ttl <= 0 || ttl > MaxTTL:
		return invalid("reserve for %s; it is more than nothing and %s at most", ttl, MaxTTL)
	}
	for i := range charges {
		if err := checkName("unit", string(charges[i].Unit), MaxUnit); err != nil {
			return err
		}
		if slices.ContainsFunc(charges[:i], func(c Charge) bool { return c.Counter == charges[i].Counter }) {
			return invalid("two charges of the %s", charges[i].Counter)
		}
	}
	return nil
}

// Spent is what an entry that was settled cost by one count, of which it had reserved so much. A call that
// reverted moved nothing.
func (o *Outcome) Spent(unit Unit, reserved *uint256.Int) (cost uint256.Int) {
	switch {
	case !o.State.Included():
	case unit == Gas:
		return o.Cost
	case unit == Operations, o.State == StateLanded:
		return *reserved
	}
	return cost
}

// addCapped adds, and stays at the highest number there is.
func addCapped(a, b *uint256.Int) (sum uint256.Int) {
	if _, over := sum.AddOverflow(a, b); over {
		return *new(uint256.Int).SetAllOne()
	}
	return sum
}

// subCapped subtracts, and stays at zero.
func subCapped(a, b *uint256.Int) (left uint256.Int) {
	if b.Lt(a) {
		left.Sub(a, b)
	}
	return left
}

// Ledger is what one account's sends may cost and did cost, as a store in one process keeps it: [Budgeter]'s
// rules, beside those of [Row]. The zero value has counted nothing. A step that fails changes nothing but
// what is over. It is written as JSON.
type Ledger struct {
	// Last is the reservation given last.
	Last   uint64  `json:"last"`
	Counts []Count `json:"counts,omitempty"`
	Holds  []Held  `json:"holds,omitempty"`
}

// Count is one count of a [Ledger]. Its numbers are decimal in JSON.
type Count struct {
	Counter
	Day   time.Time    `json:"day"`
	Spent *uint256.Int `json:"spent"`
	Open  *uint256.Int `json:"open"`
	Total *uint256.Int `json:"total"`
}

// Held is what is reserved: for an entry or, while Entry is 0, until a moment.
type Held struct {
	ID      uint64       `json:"id"`
	Entry   uint64       `json:"entry,omitempty"`
	Until   time.Time    `json:"until,omitzero"`
	Charges []HeldCharge `json:"charges"`
}

// HeldCharge is how much of one count is reserved.
type HeldCharge struct {
	Counter
	Amount *uint256.Int `json:"amount"`
}

// Reserve does what [Budgeter.Reserve] says.
func (l *Ledger) Reserve(chainID uint64, account common.Address, entry uint64, charges []Charge, ttl time.Duration, now time.Time) (uint64, error) {
	if err := CheckReservation(chainID, account, charges, ttl); err != nil {
		return 0, err
	}
	l.end(func(h *Held) bool { return h.Entry == 0 && !h.Until.After(now) }, giveBack)
	fresh := Held{ID: l.Last + 1, Until: stamp(now.Add(ttl))}
	for i := range charges {
		c := charges[i]
		for j := range l.Holds {
			if h := &l.Holds[j]; entry != 0 && h.Entry == entry {
				for k := range h.Charges {
					if h.Charges[k].Counter == c.Counter {
						c.Amount = subCapped(&c.Amount, h.Charges[k].Amount)
					}
				}
			}
		}
		usage := l.count(c.Counter).usage(now)
		if used := addCapped(&usage.Spent, &usage.Open); c.Amount.Sign() != 0 && exceeds(&used, &c.Amount, &c.Limit) {
			return 0, &OverBudgetError{ChainID: chainID, Account: account, Charge: c, Usage: usage}
		}
		fresh.Charges = append(fresh.Charges, HeldCharge{c.Counter, c.Amount.Clone()})
	}
	for _, c := range fresh.Charges {
		count := l.count(c.Counter)
		open := addCapped(count.Open, c.Amount)
		count.Open = &open
	}
	l.Last = fresh.ID
	l.Holds = append(l.Holds, fresh)
	return fresh.ID, nil
}

func exceeds(used, amount, limit *uint256.Int) bool {
	sum := addCapped(used, amount)
	return sum.Gt(limit)
}

// count returns a count, which begins with nothing.
func (l *Ledger) count(c Counter) *Count {
	for i := range l.Counts {
		if l.Counts[i].Counter == c {
			return &l.Counts[i]
		}
	}
	l.Counts = append(l.Counts, Count{Counter: c, Spent: new(uint256.Int), Open: new(uint256.Int), Total: new(uint256.Int)})
	return &l.Counts[len(l.Counts)-1]
}

// usage is what the count says on a day.
func (c *Count) usage(now time.Time) Usage {
	u := Usage{Counter: c.Counter, Day: Day(now), Open: *c.Open, Total: *c.Total}
	if !c.Day.Before(u.Day) { // a day that a clock came back from is not over
		u.Day, u.Spent = c.Day, *c.Spent
	}
	return u
}

// end ends what is reserved and fits, each at what it cost.
func (l *Ledger) end(fits func(*Held) bool, cost func(c *Count, held *uint256.Int)) {
	sums := make(map[Counter]uint256.Int)
	l.Holds = slices.DeleteFunc(l.Holds, func(h Held) bool {
		if !fits(&h) {
			return false
		}
		for _, c := range h.Charges {
			before := sums[c.Counter]
			sums[c.Counter] = addCapped(&before, c.Amount)
		}
		return true
	})
	for counter, held := range sums {
		count := l.count(counter)
		open := subCapped(count.Open, &held)
		count.Open = &open
		cost(count, &held)
	}
}

// giveBack is a cost of nothing.
func giveBack(*Count, *uint256.Int) {}

// Keep makes a reservation an entry's.
func (l *Ledger) Keep(reservation, entry uint64) error {
	for i := range l.Holds {
		if h := &l.Holds[i]; h.ID == reservation && h.Entry == 0 {
			h.Entry, h.Until = entry, time.Time{}
			return nil
		}
	}
	return ReservationError(reservation)
}

// check returns an error unless the reservation, if there is one, can become an entry's.
func (l *Ledger) check(reservation uint64) error {
	if reservation == 0 || slices.ContainsFunc(l.Holds, func(h Held) bool { return h.ID == reservation && h.Entry == 0 }) {
		return nil
	}
	return ReservationError(reservation)
}

// ReservationError returns the error of a reservation that is gone, matching [ErrReservation].
func ReservationError(reservation uint64) error {
	return fmt.Errorf("%w: reservation %d was given back before its send was recorded; nothing was written down, send again", ErrReservation, reservation)
}

// Return does what [Budgeter.Return] says.
func (l *Ledger) Return(reservation uint64) {
	l.end(func(h *Held) bool { return h.Entry == 0 && h.ID == reservation }, giveBack)
}

// Free gives back what an entry has reserved.
func (l *Ledger) Free(entry uint64) {
	l.end(func(h *Held) bool { return h.Entry == entry }, giveBack)
}

// Settle has what an entry cost take the place of what it had reserved.
func (l *Ledger) Settle(entry uint64, outcome *Outcome, now time.Time) {
	l.end(func(h *Held) bool { return h.Entry == entry }, func(c *Count, held *uint256.Int) {
		cost := outcome.Spent(c.Unit, held)
		u := c.usage(now)
		spent, total := addCapped(&u.Spent, &cost), addCapped(&u.Total, &cost)
		c.Day, c.Spent, c.Total = u.Day, &spent, &total
	})
}

// Usage returns what the counts say, in order.
func (l *Ledger) Usage(now time.Time) []Usage {
	var list []Usage
	for i := range l.Counts {
		list = append(list, l.Counts[i].usage(now))
	}
	SortUsage(list)
	return list
}

// SortUsage orders counts as [Budgeter.Usage] does.
func SortUsage(list []Usage) {
	slices.SortFunc(list, func(a, b Usage) int {
		return cmp.Or(a.Key.Cmp(b.Key), cmp.Compare(a.Unit, b.Unit))
	})
}
