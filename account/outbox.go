package account

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/lanekey"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// Outbox is a store of sessions that writes sends down beside them, in one transaction where a send changes
// the sessions. The stores of packages pgstore, filestore and memstore are such.
type Outbox interface {
	session.Store
	// Outbox returns where the sends are written down.
	Outbox() outbox.Outbox
	// ApplyRecording is Apply, and Record of the Outbox, in one: both are stored, or neither is.
	ApplyRecording(ctx context.Context, ref session.Ref, version uint64, change *session.Change, recording outbox.Recording) (uint64, *outbox.Entry, error)
}

const (
	defaultLease = 30 * time.Second
	defaultKept  = 30 * 24 * time.Hour
	// bookkeeping bounds what is written down after the caller's context has ended.
	bookkeeping = 10 * time.Second
	// maxOnceTries bounds how often something begins anew because another process was quicker.
	maxOnceTries = 5
)

// writer writes a client's sends down, and what became of them.
type writer struct {
	client *Client
	store  Outbox // nil where nothing is written down
	box    outbox.Outbox
	// lease is the client's, of an entry that it works on.
	lease outbox.Lease
}

// writeDown makes what the configuration says of the outbox.
func (c *Client) writeDown(cfg *Config) error {
	c.reports, c.keep = cfg.Report, cfg.Keep
	if c.keep == 0 {
		c.keep = defaultKept
	}
	if cfg.Outbox == nil {
		if cfg.Report != nil || cfg.Lease != 0 || cfg.Keep != 0 {
			return fmt.Errorf("%w: Report, Lease and Keep are for sends that are written down; set Config.Outbox, too", ErrConfig)
		}
		return nil
	}
	if cfg.Lease == 0 {
		cfg.Lease = defaultLease
	}
	holder := lanekey.New() // as good a random name as any
	c.writes = writer{client: c, store: cfg.Outbox, box: cfg.Outbox.Outbox(), lease: outbox.Lease{Holder: holder.Hex(), TTL: cfg.Lease}}
	if err := c.writes.lease.Validate(); err != nil {
		return fmt.Errorf("%w: Config.Lease: %w", ErrConfig, err)
	}
	return nil
}

// keeps returns an error unless sessions are kept in the store that has the outbox. Who goes on with a send
// asks that store alone whether they were revoked.
func (w *writer) keeps(store session.Store, what string) error {
	if !reflect.TypeOf(store).Comparable() || store != session.Store(w.store) {
		who := "Once"
		if w.client.budgets != nil {
			who = "a client with Budgets"
		}
		return fmt.Errorf("%w: %s %s sessions of another store than Config.Outbox, which has to say later whether they were revoked; keep both in one", ErrConfig, who, what)
	}
	return nil
}

// afterwards is a context for what is written down whatever became of the caller's.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), bookkeeping)
}

// pending is the pending operation of an entry: of the newest one while it is open, of the one that was
// included where one was.
func (w *writer) pending(e *outbox.Entry) *userop.Pending {
	op := e.Latest().Operation
	if included := e.Attempt(e.Outcome.Hash); included != nil {
		op = included.Operation
	}
	if e.State == outbox.StateOpen {
		return w.settling(w.client.sender.WatchOperation(op).Guarded(w.guard(e)), e)
	}
	return w.client.sender.Settled(op, ending(e))
}

// ending is how the chain ended a settled entry.
func ending(e *outbox.Entry) userop.Outcome {
	return userop.Outcome{Receipt: e.Receipt(), Ended: e.Ended()}
}

// settling has what becomes of an entry's operation written down, whichever of them lands.
func (w *writer) settling(tx *userop.Pending, e *outbox.Entry) *userop.Pending {
	w.client.sender.WatchOperation(tx.Operation(), operationsOf(e)...) // which are known from now on
	return tx.Settling(func(ctx context.Context, is userop.Outcome) (userop.Outcome, error) {
		return w.settle(ctx, e, is)
	})
}

// operationsOf are the operations of an entry, the newest first.
func operationsOf(e *outbox.Entry) []*userop.Operation {
	ops := make([]*userop.Operation, 0, len(e.Attempts))
	for i := range e.Attempts {
		ops = append(ops, e.Attempts[len(e.Attempts)-1-i].Operation)
	}
	return ops
}

// settle writes down how the chain ended one of the entry's operations, and returns how it ended the entry:
// the nonce may have been used by another operation of the same entry, which another process may have signed.
// It is an error where that cannot be told; that a fact could not be written down is none, since it stays
// one.
func (w *writer) settle(ctx context.Context, e *outbox.Entry, is userop.Outcome) (userop.Outcome, error) {
	for range maxOnceTries {
		fact, err := outcomeOf(is)
		if err == nil {
			err = w.writeOutcome(ctx, e, fact)
		}
		switch {
		case err == nil:
			w.client.tellEnd(ctx, is)
			return is, nil
		case errors.Is(err, outbox.ErrNotFound): // swept since
			return is, nil
		case !errors.Is(err, outbox.ErrSettled) && is.Receipt != nil:
			w.client.trouble(ctx, e, "write down how a send ended", err)
			return is, nil
		}
		if e, err = w.reread(ctx, e); err != nil {
			return userop.Outcome{}, fmt.Errorf("what else was signed under key %q cannot be told: %w", e.Key, err)
		}
		if e.State != outbox.StateOpen {
			return ending(e), nil
		}
		if is, err = w.followUp(ctx, e, is); err != nil {
			return userop.Outcome{}, err
		}
	}
	return userop.Outcome{}, fmt.Errorf("%w: it changed %d times while writing down what became of key %q", outbox.ErrConflict, maxOnceTries, e.Key)
}

func outcomeOf(is userop.Outcome) (outbox.Outcome, error) {
	if is.Receipt == nil {
		return outbox.Ended(is.Ended), nil
	}
	return outbox.Included(is.Receipt)
}

func (w *writer) writeOutcome(ctx context.Context, e *outbox.Entry, fact outbox.Outcome) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	_, err := w.box.Settle(ctx, e.ID, e.Version, fact, outbox.Lease{})
	return err
}

// reread reads an entry again. With an error it returns the old one.
func (w *writer) reread(ctx context.Context, e *outbox.Entry) (*outbox.Entry, error) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	found, err := w.box.Find(ctx, e.ChainID, e.Account, e.Key)
	switch {
	case err != nil:
		return e, err
	case found.Entry.ID != e.ID:
		return e, fmt.Errorf("%w: its entry is another one by now", outbox.ErrConflict)
	}
	return found.Entry, nil
}

// followUp follows the operation of an open entry by which another one of it ended, or that has time left.
func (w *writer) followUp(ctx context.Context, e *outbox.Entry, is userop.Outcome) (userop.Outcome, error) {
	if is.Ended == nil {
		return is, nil
	}
	next := e.Attempt(is.Ended.By)
	if last := e.Until(); is.Ended.By == (common.Hash{}) && (last == 0 || is.Ended.BlockTime <= last) {
		next = lasting(e)
	}
	if next == nil || next.Hash == is.Ended.Hash {
		return is, nil
	}
	var ended *userop.EndedError
	receipt, err := w.client.sender.WatchOperation(next.Operation).Guarded(w.guard(e)).Wait(ctx)
	switch {
	case receipt != nil:
		return userop.Outcome{Receipt: receipt}, nil
	case errors.As(err, &ended):
		return userop.Outcome{Ended: ended}, nil
	}
	return userop.Outcome{}, err
}

// lasting returns the operation of an entry that can be included longest.
func lasting(e *outbox.Entry) *outbox.Attempt {
	longest := e.Latest()
	for i := range e.Attempts {
		if a := &e.Attempts[i]; longest.Until != 0 && (a.Until == 0 || a.Until > longest.Until) {
			longest = a
		}
	}
	return longest
}

// guard is asked before the entry's operations are handed out again: what a session key signed is for the
// sessions' store to judge, as it is then, and so is what changes the sessions' root. The kill switch holds
// back all but a revocation.
func (w *writer) guard(e *outbox.Entry) userop.Guard {
	ref := session.Ref{ChainID: e.ChainID, Account: e.Account}
	stopped := w.client.unstopped(w.store, e.Account)
	if e.Kind == kindRevoke {
		stopped = nil
	}
	if changesRoot(e.Kind) {
		return each(stopped, func(ctx context.Context, op *userop.Operation) error { return w.checkRootChange(ctx, ref, e, op) })
	}
	if !w.client.contracts.bySession(e.Latest().Operation) {
		return stopped
	}
	return func(ctx context.Context, op *userop.Operation) error {
		sess, err := session.Open(ctx, w.store, ref)
		if err != nil {
			return err
		}
		return sess.CheckSigned(ctx, w.client.contracts.Session, op)
	}
}

// checkRootChange returns an error unless the sessions wait for that very operation: one that they do not
// know would set a root that nobody can prove anything with. Where they wait for an earlier one of the entry,
// somebody crashed who had written this one down: they wait for it from now on.
func (w *writer) checkRootChange(ctx context.Context, ref session.Ref, e *outbox.Entry, op *userop.Operation) error {
	state, err := w.store.Load(ctx, ref)
	if err != nil {
		return err
	}
	switch hash := w.client.hash(op); {
	case state.Pending != nil && state.Pending.OpHash == hash:
		return nil
	case state.Pending != nil && e.Attempt(state.Pending.OpHash) != nil:
		return carryBy(ctx, w.store, w.client, ref, op, hash)
	default:
		return fmt.Errorf("%w: the sessions of %s do not wait for operation %s", session.ErrConflict, ref, hash)
	}
}
