package filestore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop/outbox"
)

// ledgersBucket has chain ‖ account → outbox.Ledger in JSON. It is not there before a budget was reserved.
var ledgersBucket = []byte("ledgers")

var _ outbox.Budgeter = (*box)(nil)

// ledgerOf returns an account's ledger, an empty one before it has any.
func ledgerOf(tx *bbolt.Tx, ref session.Ref) (*outbox.Ledger, error) {
	l, b := new(outbox.Ledger), tx.Bucket(ledgersBucket)
	if b == nil {
		return l, nil
	}
	name := refKey(ref)
	stored := b.Get(name)
	if stored == nil {
		return l, nil
	}
	record, err := checked(ledgersBucket, name, stored, "what %s spent", ref)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(record, l); err != nil {
		return nil, damaged("what %s spent: %v", ref, err)
	}
	return l, nil
}

// changeLedger changes an account's ledger; one that has counted nothing stays away.
func changeLedger(tx *bbolt.Tx, ref session.Ref, change func(*outbox.Ledger) error) error {
	l, err := ledgerOf(tx, ref)
	if err != nil {
		return err
	}
	if err := change(l); err != nil || l.Last == 0 {
		return err
	}
	b, err := tx.CreateBucketIfNotExists(ledgersBucket)
	if err != nil {
		return err
	}
	record, err := json.Marshal(l)
	if err != nil {
		return err
	}
	name := refKey(ref)
	return b.Put(name, withSum(ledgersBucket, name, record))
}

// checkLedgers reads all ledgers.
func checkLedgers(tx *bbolt.Tx) error {
	b := tx.Bucket(ledgersBucket)
	if b == nil {
		return nil
	}
	return b.ForEach(func(name, _ []byte) error {
		ref, err := parseRef(name)
		if err == nil {
			_, err = ledgerOf(tx, ref)
		}
		return err
	})
}

// keep makes what was reserved for an operation the entry's.
func (s *sends) keep(e *outbox.Entry, reserved uint64) error {
	if reserved == 0 {
		return nil
	}
	return changeLedger(s.tx, refOf(e), func(l *outbox.Ledger) error { return l.Keep(reserved, e.ID) })
}

func refOf(e *outbox.Entry) session.Ref {
	return session.Ref{ChainID: e.ChainID, Account: e.Account}
}

// settleLedger has what a settled entry cost take the place of what it had reserved.
func (s *sends) settleLedger(e *outbox.Entry, now time.Time) error {
	return changeLedger(s.tx, refOf(e), func(l *outbox.Ledger) error {
		l.Settle(e.ID, &e.Outcome, now)
		return nil
	})
}

// Reserve implements [outbox.Budgeter].
func (b *box) Reserve(ctx context.Context, chainID uint64, account common.Address, entry uint64, charges []outbox.Charge, ttl time.Duration) (id uint64, err error) {
	err = b.update(ctx, func(s *sends) error {
		return changeLedger(s.tx, session.Ref{ChainID: chainID, Account: account}, func(l *outbox.Ledger) error {
			id, err = l.Reserve(chainID, account, entry, charges, ttl, time.Now())
			return err
		})
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

// Return implements [outbox.Budgeter].
func (b *box) Return(ctx context.Context, chainID uint64, account common.Address, reservation uint64) error {
	return b.update(ctx, func(s *sends) error {
		return changeLedger(s.tx, session.Ref{ChainID: chainID, Account: account}, func(l *outbox.Ledger) error {
			l.Return(reservation)
			return nil
		})
	})
}

// Usage implements [outbox.Budgeter].
func (b *box) Usage(ctx context.Context, chainID uint64, account common.Address) (list []outbox.Usage, err error) {
	err = b.view(ctx, func(s *sends) error {
		l, err := ledgerOf(s.tx, session.Ref{ChainID: chainID, Account: account})
		if err == nil {
			list = l.Usage(time.Now())
		}
		return err
	})
	return list, err
}
