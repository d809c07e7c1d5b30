// Package storefixture has the sessions that stand in the files and dumps under the stores' testdata. Each
// was written by [Write] at a time when the store had that format; whoever opens it with the code of today
// has to find what [Require] asks for.
//
// What a store keeps has grown, and its fixtures with it: those of form 1 know changes that wait for the
// chain without their operation, those of form 2 with it, those of form 3 the last change that landed.
package storefixture

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/userop"
)

// Chains of the sessions. A store of one chain is filled with those of the first.
const (
	Chain      = 80002
	OtherChain = 137
)

// Form is the form of what stores keep today.
const Form = 3

// Passphrase opens the keys.
const Passphrase = "a passphrase for fixtures only"

// Sealer returns what seals the keys, at a low cost.
func Sealer() (*seal.Passphrase, error) {
	return seal.NewPassphrase([]byte(Passphrase), seal.Cost{Time: 1, MemoryKiB: 64, Threads: 1})
}

// Key returns one of the session keys.
func Key(n int) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(crypto.Keccak256(fmt.Appendf(nil, "fixture key %d", n)))
	if err != nil {
		panic(err) // of a constant
	}
	return key
}

func address(key *ecdsa.PrivateKey) common.Address { return crypto.PubkeyToAddress(key.PublicKey) }

// Ref returns the n-th account on a chain.
func Ref(chainID uint64, n uint64) session.Ref {
	return session.Ref{ChainID: chainID, Account: common.BigToAddress(uint256.NewInt(0xacc0000 + n).ToBig())}
}

func leaf(id string, key int, status session.Status, inTree bool) session.Leaf {
	return session.Leaf{
		ID: id, Status: status, InTree: inTree, Key: address(Key(key)),
		Compiled: policy.Compiled{
			ValidUntil: 4_000_000_000, Module: common.HexToAddress("0x000006bC2eCdAe38113929293d241Cf252D91861"),
			Data: crypto.Keccak256([]byte(id)), Function: "function " + id + "(address to)",
		},
	}
}

func rootOf(leaves ...session.Leaf) common.Hash {
	hashes := make([]common.Hash, len(leaves))
	for i := range leaves {
		hashes[i] = leaves[i].Hash()
	}
	return merkle.New(hashes).Root()
}

// Account is one account's sessions.
type Account struct {
	Ref   session.Ref
	State session.State
	// Keys are the numbers of the keys that are stored.
	Keys []int
}

// Accounts returns all that a store of that form can keep.
func Accounts(form int) []Account {
	accounts := []Account{changing(), adopted(), beginning()}
	if form >= 2 {
		accounts = append(accounts, resending())
	}
	if form >= 3 {
		accounts = append(accounts, landed())
	}
	return accounts
}

// changing has leaves of all sorts, and a change that waits for the chain.
func changing() Account {
	minting := leaf("minting", 0, session.StatusActive, true)
	stopped := leaf("stopped", 1, session.StatusRevoked, true)
	ended := leaf("ended", 1, session.StatusActive, true)
	ended.ValidUntil, ended.ValidAfter = 1_700_000_000, 1_600_000_000
	gone := leaf("gone", 1, session.StatusRevoked, false)
	next := leaf("next", 0, session.StatusPending, false)
	return Account{Ref: Ref(Chain, 1), Keys: []int{0, 1}, State: session.State{
		Header: session.Header{
			Root: rootOf(minting, stopped, ended),
			Pending: &session.PendingRoot{
				Root:   rootOf(minting, next),
				OpHash: crypto.Keccak256Hash([]byte("operation")),
				Nonce:  *uint256.MustFromHex("0xfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeedfeed0000000000000007"),
				Add:    []string{"next"},
				Remove: []string{"stopped", "ended"},
			},
		},
		Leaves: []session.Leaf{minting, stopped, ended, gone, next},
	}}
}

// adopted has a tree in another order than the store's, and a leaf that was left out of it.
func adopted() Account {
	a, b, c := leaf("a", 2, session.StatusActive, true), leaf("b", 2, session.StatusActive, true), leaf("c", 2, session.StatusRevoked, true)
	return Account{Ref: Ref(OtherChain, 1), Keys: []int{2}, State: session.State{
		Header: session.Header{Root: rootOf(c, a, b), Order: []string{"c", "a", "b"}},
		Leaves: []session.Leaf{a, b, c, leaf("left out", 2, session.StatusActive, false)},
	}}
}

// beginning waits for its first grant.
func beginning() Account {
	first := leaf("first", 3, session.StatusPending, false)
	return Account{Ref: Ref(Chain, 2), Keys: []int{3}, State: session.State{
		Header: session.Header{Pending: &session.PendingRoot{
			Root: rootOf(first), OpHash: crypto.Keccak256Hash([]byte("first operation")), Add: []string{"first"},
		}},
		Leaves: []session.Leaf{first},
	}}
}

// resending waits for a revocation whose operation is kept.
func resending() Account {
	stays, leaves := leaf("stays", 4, session.StatusActive, true), leaf("leaves", 4, session.StatusRevoked, true)
	return Account{Ref: Ref(Chain, 3), Keys: []int{4}, State: session.State{
		Header: session.Header{Root: rootOf(stays, leaves), Pending: pendingOf("revocation", rootOf(stays), nil, []string{"leaves"})},
		Leaves: []session.Leaf{stays, leaves},
	}}
}

// landed has a revocation that waits on top of a grant that landed, which ended the order of an adopted tree.
func landed() Account {
	old, older := leaf("old", 5, session.StatusActive, true), leaf("older", 5, session.StatusActive, true)
	left, added := leaf("left", 5, session.StatusRevoked, false), leaf("added", 5, session.StatusRevoked, true)
	root := rootOf(old, older, added)
	return Account{Ref: Ref(Chain, 4), Keys: []int{5}, State: session.State{
		Header: session.Header{
			Root:    root,
			Pending: pendingOf("revocation", rootOf(old, older), nil, []string{"added"}),
			Landed: &session.LandedRoot{
				Before: rootOf(left, older, old), Order: []string{"left", "older", "old"}, Activated: []string{"added"},
				Change: *pendingOf("grant", root, []string{"added"}, []string{"left"}),
			},
		},
		Leaves: []session.Leaf{old, older, left, added},
	}}
}

// pendingOf is a change with its operation.
func pendingOf(name string, root common.Hash, add, remove []string) *session.PendingRoot {
	n := func(n uint64) uint256.Int { return *uint256.NewInt(n) }
	op := &userop.Operation{
		Sender: Ref(Chain, 3).Account, Nonce: n(12), InitCode: []byte{1}, CallData: crypto.Keccak256([]byte(name)),
		CallGasLimit: n(100_000), VerificationGasLimit: n(200_000), PreVerificationGas: n(50_000), MaxFeePerGas: n(3e9), MaxPriorityFeePerGas: n(1e9),
		PaymasterAndData: []byte{2, 3}, Signature: []byte{4, 5, 6},
	}
	return &session.PendingRoot{
		Root: root, OpHash: crypto.Keccak256Hash([]byte(name)), Nonce: op.Nonce, Operation: op, Until: 3_900_000_000, Add: add, Remove: remove,
	}
}

// Of returns the accounts of a form on one chain; of all for 0.
func Of(form int, chainID uint64) (accounts []Account) {
	for _, a := range Accounts(form) {
		if chainID == 0 || a.Ref.ChainID == chainID {
			accounts = append(accounts, a)
		}
	}
	return accounts
}

// Store is what a store has to be for [Write] and [Require].
type Store interface {
	session.Store
	session.Keyring
}

// Write fills an empty store with the sessions of today's form on one chain; all for 0.
func Write(ctx context.Context, store Store, chainID uint64) error {
	for _, a := range Of(Form, chainID) {
		for _, n := range a.Keys {
			if _, err := store.ImportKey(ctx, a.Ref, Key(n)); err != nil {
				return err
			}
		}
		// In two changes, as leaves are granted one after another.
		half := session.Change{Header: session.Header{Root: a.State.Root}, Put: a.State.Leaves[:1]}
		version, err := store.Apply(ctx, a.Ref, 0, &half)
		if err != nil {
			return err
		}
		if _, err = store.Apply(ctx, a.Ref, version, &session.Change{Header: a.State.Header, Put: a.State.Leaves[1:]}); err != nil {
			return err
		}
	}
	return nil
}

// Require returns what is missing of what [Write] wrote when that was the form: every session, key and change
// that waits or landed last; that those in force sign, and that no tombstone does.
func Require(ctx context.Context, store Store, form int, chainID uint64) error {
	var wrong []error
	for _, a := range Of(form, chainID) {
		if err := a.require(ctx, store); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", a.Ref, err))
		}
	}
	return errors.Join(wrong...)
}
