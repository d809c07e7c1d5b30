package memstore

import (
	"context"
	"crypto/ecdsa"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

// NewKey implements [session.Keyring].
func (s *Store) NewKey(ctx context.Context, ref session.Ref) (common.Address, error) {
	return storekit.NewKey(ctx, ref, s.putKey)
}

// ImportKey implements [session.Keyring].
func (s *Store) ImportKey(ctx context.Context, ref session.Ref, key *ecdsa.PrivateKey) (common.Address, error) {
	return storekit.ImportKey(ctx, ref, key, s.putKey)
}

func (s *Store) putKey(ctx context.Context, ref session.Ref, key *seal.Key) error {
	if err := errors.Join(s.check(ctx), ref.Validate()); err != nil {
		return err
	}
	own, err := copyOf(key)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = make(map[session.Ref]map[common.Address]*seal.Key)
	}
	if s.keys[ref] == nil {
		s.keys[ref] = make(map[common.Address]*seal.Key)
	}
	_, ok := s.keys[ref][own.Address()]
	if ok || s.closed {
		own.Wipe()
	} else {
		s.keys[ref][own.Address()] = own
	}
	if s.closed {
		return session.ErrClosed
	}
	return nil
}

// copyOf returns a copy of the key that stays when it is wiped.
func copyOf(key *seal.Key) (own *seal.Key, err error) {
	err = key.Expose(func(secret []byte) error {
		own, err = seal.ParseKey(secret)
		return err
	})
	return own, err
}

// Keys implements [session.Keyring].
func (s *Store) Keys(ctx context.Context, ref session.Ref) ([]common.Address, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	addresses := make([]common.Address, 0, len(s.keys[ref]))
	for address := range s.keys[ref] {
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// SignDigest implements [session.Keyring].
func (s *Store) SignDigest(ctx context.Context, req session.SignRequest) (sig []byte, err error) {
	key, err := s.key(ctx, req.Ref, req.Key)
	if err != nil {
		return nil, err
	}
	return key.Sign(req.Digest)
}

// SignsLocally implements [session.LocalKeyring].
func (s *Store) SignsLocally() {}

// SealKey implements [session.KeySealer].
func (s *Store) SealKey(ctx context.Context, ref session.Ref, key common.Address, aead seal.AEAD) ([]byte, error) {
	return storekit.SealKey(ctx, ref, key, aead, s.useKey)
}

// useKey calls use with one of ref's keys, which stays the store's.
func (s *Store) useKey(ctx context.Context, ref session.Ref, address common.Address, use func(*seal.Key) error) error {
	key, err := s.key(ctx, ref, address)
	if err != nil {
		return err
	}
	return use(key)
}

// key returns one of ref's keys, which stays the store's.
func (s *Store) key(ctx context.Context, ref session.Ref, address common.Address) (*seal.Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, session.ErrClosed
	}
	key, ok := s.keys[ref][address]
	if !ok {
		return nil, storekit.NoKeyError(ref, address)
	}
	return key, nil
}

// RemoveKey implements [session.Keyring].
func (s *Store) RemoveKey(ctx context.Context, ref session.Ref, key common.Address) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.keys[ref][key]
	if !ok {
		return storekit.NoKeyError(ref, key)
	}
	delete(s.keys[ref], key)
	held.Wipe()
	return nil
}
