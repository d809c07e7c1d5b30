package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/userop"
)

// storedLeaves is how many leaves the account has whose store is measured.
const storedLeaves = 10_000

// stored is an account in a filestore, as the process sees it that writes, and as another one does.
type stored struct {
	dir    string
	sealer seal.AEAD
	writer *filestore.Store
	reader *filestore.Store
	hashes []common.Hash // of the leaves
	seen   *session.Sessions
	own    *session.Sessions
}

func newStored(ctx context.Context) (s *stored, err error) {
	s = new(stored)
	if s.dir, err = os.MkdirTemp("", "sesame-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.sealer, err = seal.NewKeyAEAD(make([]byte, seal.KeySize)); err != nil {
		return s, err
	}
	if s.writer, err = s.open(); err != nil {
		return s, err
	}
	if err = fill(ctx, s.writer, userRef, storedLeaves); err != nil {
		return s, err
	}
	if s.own, err = session.Open(ctx, s.writer, userRef); err != nil {
		return s, err
	}
	all := s.own.Leaves()
	for i := range all {
		s.hashes = append(s.hashes, all[i].Hash())
	}
	if s.reader, err = filestore.OpenReadOnly(s.data(), filestore.Config{Sealer: s.sealer}); err != nil {
		return s, err
	}
	s.seen, err = session.Open(ctx, s.reader, userRef)
	return s, err
}

func (s *stored) data() string { return filepath.Join(s.dir, "store") }

func (s *stored) open() (*filestore.Store, error) {
	return filestore.Open(s.data(), filestore.Config{Sealer: s.sealer})
}

func (s *stored) close() (err error) {
	for _, store := range []*filestore.Store{s.reader, s.writer} {
		if store != nil {
			err = errors.Join(err, store.Close())
		}
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// next is the change that adds one more leaf, with the root it makes.
func (s *stored) next() (*session.Change, error) {
	leaf, err := leafOf(len(s.hashes))
	if err != nil {
		return nil, err
	}
	s.hashes = append(s.hashes, leaf.Hash())
	return &session.Change{Header: session.Header{Root: merkle.New(s.hashes).Root()}, Put: []session.Leaf{leaf}}, nil
}

// add adds one more leaf. What it returns is the time until it is durable, and until the sessions of the
// process that added it have the new tree, whose root was compared.
func (s *stored) add(ctx context.Context) (float64, error) {
	change, err := s.next()
	if err != nil {
		return 0, err
	}
	version, err := s.writer.Version(ctx, userRef)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if _, err = s.writer.Apply(ctx, userRef, version, change); err == nil {
		err = s.own.Refresh(ctx)
	}
	took := time.Since(start)
	if err == nil && s.own.Root() != change.Header.Root {
		err = errors.New("the root is not current")
	}
	return float64(took), err
}

// grant is the time until a planned grant of one more leaf is written down with its operation, which sets the
// root. What settles it afterwards is not counted.
func (s *stored) grant(ctx context.Context) (float64, error) {
	n := len(s.hashes)
	start := time.Now()
	change, err := s.own.PlanGrant(policy.Modules{}, session.Named(fmt.Sprintf("session-%d", n), minting(n)))
	planned := time.Since(start)
	if err != nil {
		return 0, err
	}
	manager := policy.Modules{}.WithDefaults().Manager
	op := &userop.Operation{Sender: user, CallData: contracts.Execute(manager, uint256.Int{}, contracts.SetMerkleRoot(change.Root()))}
	hash := op.Hash(entryPoint, chainID)
	start = time.Now()
	err = change.Begin(ctx, op, hash)
	took := planned + time.Since(start)
	if err != nil {
		return 0, err
	}
	added := change.Added()
	s.hashes = append(s.hashes, added[0].Hash())
	return float64(took), s.own.On(shows{change.Root()}).Reconcile(ctx)
}

// shows is a chain that shows a root, set by the operation that was to set it.
type shows struct{ root common.Hash }

func (c shows) SessionRoot(context.Context, common.Address) (common.Hash, error) { return c.root, nil }

func (c shows) SessionRootAndNonce(context.Context, common.Address, *uint256.Int) (session.OnChain, error) {
	return session.OnChain{Root: c.root, NonceUsed: true, BlockTime: uint64(time.Now().Unix())}, nil
}

func (c shows) SessionContracts() (common.Address, common.Address) {
	return entryPoint, policy.Modules{}.WithDefaults().Manager
}

// refresh is the time it takes another process to see that a leaf was added.
func (s *stored) refresh(ctx context.Context) (float64, error) {
	if _, err := s.add(ctx); err != nil {
		return 0, err
	}
	start := time.Now()
	err := s.seen.Refresh(ctx)
	took := time.Since(start)
	if err == nil && s.seen.Root() != s.own.Root() {
		err = errors.New("the grant was not seen")
	}
	return float64(took), err
}

// opening is the time it takes to open the sessions of the store.
func (s *stored) opening(ctx context.Context) (float64, error) {
	start := time.Now()
	sess, err := session.Open(ctx, s.writer, userRef)
	took := time.Since(start)
	if err == nil && sess.Len() != len(s.hashes) {
		err = fmt.Errorf("%d leaves were opened", sess.Len())
	}
	return float64(took), err
}

// openingsOfOne are in a round, with what their garbage costs; as the other side, it opens before, uncounted.
const openingsOfOne = 8

// openings is the time it takes to open the sessions, of several times.
func (s *stored) openings(ctx context.Context) (sum float64, err error) {
	for n := range openingsOfOne/warmPart + openingsOfOne {
		took, err := s.opening(ctx)
		if err != nil {
			return 0, err
		}
		if n >= openingsOfOne/warmPart {
			sum += took
		}
	}
	return sum / openingsOfOne, nil
}

// measureStore is of an account of 10,000 leaves in a filestore.
func measureStore(ctx context.Context, b *bench) (err error) {
	s, err := newStored(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.measureOpening(ctx, b); err != nil {
		return err
	}
	values, err := interleave(ctx, b.rounds(40), s.refresh, s.opening)
	if err != nil {
		return err
	}
	b.add(row{
		name: "another process's grant seen at 10,000 leaves ÷ opening", other: "opening", unit: nanoseconds,
		least: 1.0 / 20, want: 1.0 / 100,
	}, paired(values[0], values[1]))
	bare, err := s.openBare()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.db.Close()) }()
	if values, err = interleave(ctx, b.rounds(60), s.add, bare.put); err != nil {
		return err
	}
	b.add(row{
		name: "one more leaf at 10,000, durable, root current ÷ bare commit", other: "bbolt", unit: nanoseconds, absolute: true,
		least: 2, want: 1.3,
	}, paired(values[0], values[1]))
	if b.short {
		return nil
	}
	if values, err = interleave(ctx, b.rounds(30), s.grant, bare.put); err != nil {
		return err
	}
	b.add(row{name: "the same, planned and begun as a grant", other: "bbolt", unit: nanoseconds, free: true}, paired(values[0], values[1]))
	return nil
}

// measureOpening is beside the reference SDK's SessionKeyManagerModule over files with the same sessions.
func (s *stored) measureOpening(ctx context.Context, b *bench) (err error) {
	all := s.own.Leaves()
	v, err := newVersus(ctx, s.own.Root())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	if _, err := writeSDKFile(v.dir, user, all, s.own.Root()); err != nil {
		return err
	}
	if err := v.sdk.ask(map[string]any{"do": "prepareOpen", "account": user, "dir": v.dir, "root": s.own.Root()}, new(struct{})); err != nil {
		return err
	}
	theirs := func(context.Context) (float64, error) { return v.sdk.duration("open", 1) }
	for range 5 { // until it is compiled
		if _, err := theirs(ctx); err != nil {
			return err
		}
	}
	values, err := interleave(ctx, b.rounds(20), s.openings, theirs)
	if err != nil {
		return err
	}
	b.add(row{
		name: "opening 10,000 leaves from filestore ÷ TypeScript SDK's store", other: "SDK", unit: nanoseconds,
		least: 40, want: 70, more: true,
	}, paired(values[0], values[1]))
	return nil
}

// bareFile is a copy of the store's file, to commit something small to.
type bareFile struct {
	db *bbolt.DB
	n  int
}

func (s *stored) openBare() (*bareFile, error) {
	data, err := os.ReadFile(filepath.Join(s.data(), "sessions.db"))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(s.dir, "copy.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoStatistics: true})
	if err != nil {
		return nil, err
	}
	return &bareFile{db: db}, nil
}

func (f *bareFile) put(context.Context) (float64, error) {
	f.n++
	key := numbered(f.n)
	start := time.Now()
	err := f.db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists([]byte("bench"))
		if err != nil {
			return err
		}
		return bucket.Put(key[:], make([]byte, 100))
	})
	return float64(time.Since(start)), err
}
