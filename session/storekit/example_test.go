package storekit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// shelf is a store with the least that one has: a map, and one lock for all. Holding keeps all changes
// waiting.
type shelf struct {
	held   sync.RWMutex
	mu     sync.Mutex
	states map[session.Ref]*session.State
}

func (s *shelf) Load(_ context.Context, ref session.Ref) (*session.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := s.states[ref]; state != nil {
		return state.Clone(), nil
	}
	return nil, storekit.NotFoundError(ref)
}

func (s *shelf) Version(_ context.Context, ref session.Ref) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := s.states[ref]; state != nil {
		return state.Version, nil
	}
	return 0, nil
}

func (s *shelf) Hold(ctx context.Context, ref session.Ref, fn func(version uint64) error) error {
	s.held.RLock()
	release := func() error { s.held.RUnlock(); return nil }
	return storekit.Hold(ctx, ref, release, func() error {
		version, err := s.Version(ctx, ref)
		if err != nil {
			return err
		}
		return fn(version)
	})
}

func (s *shelf) Apply(_ context.Context, ref session.Ref, version uint64, change *session.Change) (uint64, error) {
	if err := storekit.CheckChange(change); err != nil {
		return 0, err
	}
	s.held.Lock()
	defer s.held.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.states[ref]
	if state == nil {
		state = new(session.State)
	}
	if state.Version != version {
		return 0, storekit.ConflictError(ref, version, state.Version)
	}
	next, err := storekit.Apply(state, change)
	if err != nil {
		return 0, err
	}
	s.states[ref] = next
	return next.Version, nil
}

// The least that a store is. Beside this one needs to be durable, and to pass the suite of package storetest.
func Example() {
	ctx, ref := context.Background(), session.Ref{ChainID: 80002, Account: common.HexToAddress("0xa1")}
	var store session.Store = &shelf{states: make(map[session.Ref]*session.State)}
	version, err := store.Apply(ctx, ref, 0, &session.Change{})
	fmt.Println("version", version, err)
	_, err = store.Apply(ctx, ref, 0, &session.Change{}) // decided on what is not there any more
	fmt.Println("conflict:", errors.Is(err, session.ErrConflict))
	err = store.Hold(ctx, ref, func(version uint64) error {
		fmt.Println("held at version", version) // here a key signs
		return nil
	})
	fmt.Println(err)
	// Output:
	// version 1 <nil>
	// conflict: true
	// held at version 1
	// <nil>
}
