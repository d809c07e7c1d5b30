package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
)

// rule returns an error for a signature that is not to be made. It is called from many goroutines.
type rule func(req *session.SignRequest) error

// boundTo allows nothing but the hash of the operation that comes along, as the EntryPoint computes it: what
// the other rules read is then what is signed.
func boundTo(entryPoint common.Address) rule {
	return func(req *session.SignRequest) error {
		switch {
		case req.Operation == nil:
			return errors.New("no operation comes with the digest")
		case req.Operation.Sender != req.Ref.Account:
			return fmt.Errorf("the operation is of %s, the key of %s", req.Operation.Sender, req.Ref)
		case req.Operation.Hash(entryPoint, req.Ref.ChainID) != req.UserOpHash:
			return errors.New("userOpHash is not the operation's")
		case session.MessageDigest(req.UserOpHash) != req.Digest:
			return errors.New("the digest is not userOpHash's")
		}
		return nil
	}
}

// atMost lets a key sign for n operations within any time of that length. Asking again for the same operation
// does not count.
func atMost(n int, within time.Duration) rule {
	type key struct {
		session.Ref
		address common.Address
	}
	var mu sync.Mutex
	signed := make(map[key]map[common.Hash]time.Time)
	return func(req *session.SignRequest) error {
		mu.Lock()
		defer mu.Unlock()
		k, now := key{req.Ref, req.Key}, time.Now()
		lately := make(map[common.Hash]time.Time, n)
		for hash, at := range signed[k] {
			if now.Sub(at) < within {
				lately[hash] = at
			}
		}
		signed[k] = lately
		if _, again := lately[req.Digest]; again {
			return nil
		}
		if len(lately) >= n {
			return fmt.Errorf("key %s has signed %d operations within %v, and may not sign more", req.Key, n, within)
		}
		lately[req.Digest] = now
		return nil
	}
}
