package storefixture

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

func (a *Account) require(ctx context.Context, store Store) error {
	have, err := store.Load(ctx, a.Ref)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(have.Header, a.State.Header) {
		return fmt.Errorf("header is %+v, want %+v", have.Header, a.State.Header)
	}
	if !reflect.DeepEqual(have.Leaves, a.State.Leaves) {
		return fmt.Errorf("leaves are %+v, want %+v", have.Leaves, a.State.Leaves)
	}
	keys, err := store.Keys(ctx, a.Ref)
	if err != nil {
		return err
	}
	for _, n := range a.Keys {
		if !slices.Contains(keys, address(Key(n))) {
			return fmt.Errorf("key %d is missing", n)
		}
	}
	return a.requireSigns(ctx, store)
}

// requireSigns has all leaves sign that are in force, and no other.
func (a *Account) requireSigns(ctx context.Context, store Store) error {
	sess, err := session.Open(ctx, store, a.Ref)
	if err != nil {
		return err
	}
	want := map[string]error{
		"stopped": session.ErrRevoked, "gone": session.ErrRevoked, "c": session.ErrRevoked,
		"leaves": session.ErrRevoked, "left": session.ErrRevoked, "added": session.ErrRevoked,
		"ended": session.ErrExpired, "next": session.ErrPending, "first": session.ErrPending, "left out": session.ErrNoLeaf,
	}
	for _, leaf := range sess.Leaves() {
		signer, err := session.NewSigner(policy.Modules{}, sess.ByID(leaf.ID))
		if err != nil {
			return err
		}
		op := &userop.Operation{Sender: a.Ref.Account}
		if _, err := signer.Sign(ctx, op, common.Hash{1}); !errors.Is(err, want[leaf.ID]) {
			return fmt.Errorf("%s signs with %v, want %v", leaf.ID, err, want[leaf.ID])
		}
		if _, err := signer.Force().Sign(ctx, op, common.Hash{1}); leaf.Status == session.StatusRevoked && !errors.Is(err, session.ErrRevoked) {
			return fmt.Errorf("%s signs with %v when it is forced", leaf.ID, err)
		}
	}
	return nil
}
