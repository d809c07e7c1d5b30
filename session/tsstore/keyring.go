package tsstore

import (
	"context"
	"crypto/ecdsa"

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

// putKey makes the key durable. One that is there already stays as it is.
func (s *Store) putKey(ctx context.Context, ref session.Ref, key *seal.Key) error {
	return s.updateSigners(ctx, ref, func(file *signers, names map[common.Address]string) error {
		name, ok := names[key.Address()]
		if !ok {
			return file.put(key)
		}
		if bad := file.check(name, key.Address()); bad != nil {
			return bad
		}
		return nil
	})
}

// RemoveKey implements [session.Keyring].
func (s *Store) RemoveKey(ctx context.Context, ref session.Ref, key common.Address) error {
	return s.updateSigners(ctx, ref, func(file *signers, names map[common.Address]string) error {
		name, ok := names[key]
		if !ok {
			return storekit.NoKeyError(ref, key)
		}
		delete(file.entries, name)
		return nil
	})
}

// Keys implements [session.Keyring]. An entry whose key does not belong to its address is an error.
func (s *Store) Keys(ctx context.Context, ref session.Ref) ([]common.Address, error) {
	var addresses []common.Address
	err := s.readSigners(ctx, ref, func(file *signers, names map[common.Address]string) error {
		for address, name := range names {
			if bad := file.check(name, address); bad != nil {
				return bad
			}
			addresses = append(addresses, address)
		}
		return nil
	})
	return addresses, err
}

// SignDigest implements [session.Keyring].
func (s *Store) SignDigest(ctx context.Context, req session.SignRequest) (sig []byte, err error) {
	err = s.useKey(ctx, req.Ref, req.Key, func(key *seal.Key) (err error) {
		sig, err = key.Sign(req.Digest)
		return err
	})
	return sig, err
}

// SignsLocally implements [session.LocalKeyring]: a key that is not its entry's does not sign.
func (s *Store) SignsLocally() {}

// SealKey implements [session.KeySealer].
func (s *Store) SealKey(ctx context.Context, ref session.Ref, key common.Address, aead seal.AEAD) ([]byte, error) {
	return storekit.SealKey(ctx, ref, key, aead, s.useKey)
}

// useKey calls use with one of ref's keys, which is wiped when use returns.
func (s *Store) useKey(ctx context.Context, ref session.Ref, address common.Address, use func(*seal.Key) error) error {
	return s.readSigners(ctx, ref, func(file *signers, names map[common.Address]string) error {
		name, ok := names[address]
		if !ok {
			return storekit.NoKeyError(ref, address)
		}
		key, bad := file.key(name, address)
		if bad != nil {
			return bad
		}
		defer key.Wipe()
		return use(key)
	})
}

// check returns an error if the entry does not hold the address's key.
func (f *signers) check(name string, address common.Address) *FormatError {
	key, bad := f.key(name, address)
	if bad != nil {
		return bad
	}
	key.Wipe()
	return nil
}

// readSigners reads an account's file of signers for use.
func (s *Store) readSigners(ctx context.Context, ref session.Ref, use func(*signers, map[common.Address]string) error) error {
	if err := s.check(ctx, ref); err != nil {
		return err
	}
	path, content, err := s.readFile(ref.Account, signersKind)
	if err != nil {
		return err
	}
	return useSigners(path, content, use, nil)
}

// updateSigners changes an account's file of signers under its lock.
func (s *Store) updateSigners(ctx context.Context, ref session.Ref, change func(*signers, map[common.Address]string) error) error {
	return s.update(ctx, ref, signersKind, func(path string, content []byte) (next []byte, err error) {
		err = useSigners(path, content, change, &next)
		return next, err
	})
}

// useSigners parses a file of signers, and writes what became of it to next, if asked to. What was read is
// cleared.
func useSigners(path string, content []byte, use func(*signers, map[common.Address]string) error, next *[]byte) error {
	defer clear(content)
	file, err := parseSigners(path, content)
	if err != nil {
		return err
	}
	defer file.wipe()
	names, bad := file.addresses()
	if bad != nil {
		return inFile(path, bad)
	}
	if err := use(file, names); err != nil {
		return inFile(path, err)
	}
	if next != nil {
		*next, err = encode(file.entries)
	}
	return err
}
