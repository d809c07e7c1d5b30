package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/tsstore"
)

// storeFlags name a store, and what seals its keys.
type storeFlags struct {
	store, sealer string
	chain         uint64
	account       *common.Address
}

const storeUsage = "`store` of sessions: a directory, the URL of a PostgreSQL database, ts:DIR for files of the TypeScript SDK, or @FILE that names it; SESAME_STORE by default"

// store defines -store and -chain.
func (f *flags) store() *storeFlags {
	s := new(storeFlags)
	f.StringVar(&s.store, "store", "", storeUsage)
	f.Uint64Var(&s.chain, "chain", 0, "`ID` of the chain; files of the TypeScript SDK do not name theirs")
	return s
}

// keys adds -seal.
func (s *storeFlags) keys(f *flags) *storeFlags {
	f.StringVar(&s.sealer, "seal", "", "`file` of the passphrase that seals session keys, or key:FILE of 32 bytes; SESAME_SEAL by default")
	return s
}

// of adds -account.
func (s *storeFlags) of(f *flags) *storeFlags {
	s.account = f.address("account", "`address` of the user's smart account")
	return s
}

// storeMode says what a store is opened for.
type storeMode int

const (
	toRead storeMode = iota
	toChange
	toMake // to change, and it need not be there
)

// opened is a store that was opened.
type opened struct {
	session.Lister
	store session.Store
	ts    *tsstore.Store // the same where it is files of the TypeScript SDK, nil otherwise
	what  string         // what people call it, without secrets
	close func() error
}

// open opens the store that the flags name.
func (s *storeFlags) open(ctx context.Context, c *call, mode storeMode) (*opened, error) {
	sealer, err := c.sealer(s.sealer, "SESAME_SEAL")
	if err != nil {
		return nil, err
	}
	name, err := s.name(c)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, name, s.chain, sealer, mode)
}

// name is the store's, with its secrets.
func (s *storeFlags) name(c *call) (string, error) {
	name, err := c.given(s.store, "SESAME_STORE")
	if err == nil && name == "" {
		err = usagef("missing -store, and SESAME_STORE is not set: which store of sessions?")
	}
	return name, err
}

// open opens a store by its name.
func (p *program) open(ctx context.Context, name string, chain uint64, sealer seal.AEAD, mode storeMode) (*opened, error) {
	switch dir, isTS := strings.CutPrefix(name, "ts:"); {
	case isTS:
		return openTS(dir, chain, "-store")
	case isDatabase(name):
		p.secrets.add(name)
		store, err := pgstore.Open(ctx, name, pgstore.Config{Sealer: sealer})
		if err != nil {
			return nil, err
		}
		return &opened{Lister: store, store: store, what: called(name), close: store.Close}, nil
	case strings.Contains(name, "://"):
		return nil, usagef("-store: %s is neither a directory nor the URL of a PostgreSQL database", shown(name))
	}
	return openDirectory(name, filestore.Config{Sealer: sealer}, mode)
}

// called is what people call a store of that name, without its secrets.
func called(name string) string {
	if dir, isTS := strings.CutPrefix(name, "ts:"); isTS {
		return "files of the TypeScript SDK in " + dir
	}
	if isDatabase(name) {
		return "PostgreSQL database"
	}
	return "directory " + name
}

// isDatabase reports whether a name of a store is a connection string.
func isDatabase(name string) bool {
	key, _, pairs := strings.Cut(name, "=")
	pairs = pairs && !strings.ContainsFunc(key, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' })
	return pairs || strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

func openTS(dir string, chain uint64, flag string) (*opened, error) {
	if chain == 0 {
		return nil, usagef("missing -chain: the files of the TypeScript SDK do not say which chain they are for")
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s: there is no directory %s", flag, dir)
	}
	store, err := tsstore.OpenPlaintext(dir, chain)
	if err != nil {
		return nil, err
	}
	return &opened{Lister: store, store: store, ts: store, what: called("ts:" + dir), close: func() error { return nil }}, nil
}

// openDirectory opens a store of package filestore, and makes none that is not asked for.
func openDirectory(dir string, config filestore.Config, mode storeMode) (*opened, error) {
	store, err := filestore.OpenReadOnly(dir, config)
	if err != nil && mode != toMake {
		if files, _ := filepath.Glob(filepath.Join(dir, "0x*_sessions.json")); len(files) > 0 && errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s has files of the TypeScript SDK: name it ts:%s, and its chain with -chain", dir, dir)
		}
		return nil, err
	}
	if mode != toRead {
		if err == nil {
			_ = store.Close() // it was to see that there is a store
		}
		if store, err = filestore.Open(dir, config); err != nil {
			return nil, err
		}
	}
	return &opened{Lister: store, store: store, what: called(dir), close: store.Close}, nil
}

// sealer returns what the file seals by that a flag or the environment names, nil where neither does.
func (p *program) sealer(value, variable string) (seal.AEAD, error) {
	if value == "" && variable != "" {
		value = p.env(variable)
	}
	if value == "" {
		return nil, nil
	}
	path, isKey := strings.CutPrefix(value, "key:")
	if isKey {
		return keySealer(path)
	}
	secret, err := readSecret(path)
	if err != nil {
		return nil, fmt.Errorf("the passphrase: %w", pathless(err))
	}
	defer clear(secret)
	return seal.NewPassphrase(secret, seal.Cost{})
}

// pathless is an error without the name of the file: whoever gave the secret itself is not to find it in a
// log.
func pathless(err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%w; a file is named, not the secret itself", failed.Err)
	}
	return err
}

// keySealer reads a key of 32 bytes, or of 64 hex digits.
func keySealer(path string) (seal.AEAD, error) {
	key, err := readKey(path)
	if err != nil {
		return nil, fmt.Errorf("the sealing key: %w", pathless(err))
	}
	defer clear(key)
	return seal.NewKeyAEAD(key)
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() == seal.KeySize {
		return os.ReadFile(path) // whose last byte may look like the end of a line
	}
	text, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	digits := bytes.TrimPrefix(text, []byte("0x"))
	key := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(key, digits); err != nil || len(key) != seal.KeySize {
		clear(key)
		return nil, fmt.Errorf("the file holds neither %d bytes nor %d hex digits", seal.KeySize, 2*seal.KeySize)
	}
	return key, nil
}

// refs returns the account's entries in the store: that of -chain, or those of all chains.
func (s *storeFlags) refs(ctx context.Context, o *opened) ([]session.Ref, error) {
	if *s.account == (common.Address{}) {
		return nil, usagef("missing -account: whose sessions?")
	}
	if s.chain != 0 {
		return []session.Ref{{ChainID: s.chain, Account: *s.account}}, nil
	}
	var refs []session.Ref
	err := eachLeaf(ctx, o, session.Query{Account: *s.account}, func(l *session.Listed) {
		if !slices.Contains(refs, l.Ref) {
			refs = append(refs, l.Ref)
		}
	})
	if err == nil && len(refs) == 0 {
		err = fmt.Errorf("%w: the %s has none of account %s on any chain", session.ErrNotFound, o.what, *s.account)
	}
	return refs, err
}

// ref is the only one of refs.
func (s *storeFlags) ref(ctx context.Context, o *opened) (session.Ref, error) {
	refs, err := s.refs(ctx, o)
	if err != nil {
		return session.Ref{}, err
	}
	if len(refs) > 1 {
		var chains []string
		for _, ref := range refs {
			chains = append(chains, fmt.Sprint(ref.ChainID))
		}
		return session.Ref{}, usagef("missing -chain: account %s has sessions on chains %s", *s.account, strings.Join(chains, ", "))
	}
	return refs[0], nil
}

// eachLeaf calls do with each leaf of the store that fits query.
func eachLeaf(ctx context.Context, lister session.Lister, query session.Query, do func(*session.Listed)) error {
	query.Limit = 1000
	for {
		page, err := lister.List(ctx, query)
		if err != nil {
			return err
		}
		for i := range page.Items {
			do(&page.Items[i])
		}
		if page.Next == "" {
			return nil
		}
		query.Cursor = page.Next
	}
}

// pending returns the accounts with a change that waits for the chain, of one chain or, for 0, of all.
func pending(ctx context.Context, lister session.Lister, chain uint64) (refs []session.Ref, err error) {
	const limit = 1000
	for after := (session.Ref{ChainID: chain}); ; {
		page, err := lister.ListPending(ctx, after, limit)
		if err != nil {
			return nil, err
		}
		for _, ref := range page {
			if chain == 0 || ref.ChainID == chain {
				refs = append(refs, ref)
			}
		}
		if len(page) < limit || chain != 0 && page[len(page)-1].ChainID != chain {
			return refs, nil
		}
		after = page[len(page)-1]
	}
}
