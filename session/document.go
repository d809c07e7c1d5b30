package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session/internal/line"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

// documentVersion is the form of a [Document] that this package writes and reads.
const documentVersion = 1

// maxDocument bounds what [ParseDocument] reads, in bytes: some ten thousand leaves.
const maxDocument = 64 << 20

// Document is an account's sessions on one chain as one JSON text, to hand them from the service that granted
// them to the one that acts: the leaves of the account's tree in the tree's order, and keys, if at all,
// sealed.
type Document struct {
	Version int            `json:"sesame"`
	ChainID uint64         `json:"chainID"`
	Account common.Address `json:"account"`
	// Root is the root of Leaves; [ParseDocument] checks it.
	Root   common.Hash `json:"root"`
	Leaves []Leaf      `json:"leaves"`
	// Revoked are the hashes of leaves that were revoked and left the tree: whoever adopts the document does
	// not take them for left out by mistake.
	Revoked []common.Hash `json:"revoked,omitempty"`
	// Keys are session keys sealed by an AEAD that both sides have.
	Keys []SealedKey `json:"keys,omitempty"`
}

// SealedKey is a session key as a [Document] carries it, bound to its chain, account and address.
type SealedKey struct {
	Address common.Address `json:"address"`
	Sealed  hexutil.Bytes  `json:"sealed"`
}

// KeySealer is a [Keyring] that can hand a key out, sealed and bound by [seal.AssociatedData]. One that never
// lets a key go, such as a KMS, is not.
type KeySealer interface {
	SealKey(ctx context.Context, ref Ref, key common.Address, aead seal.AEAD) ([]byte, error)
}

// Ref returns whose sessions the document has.
func (d *Document) Ref() Ref { return Ref{ChainID: d.ChainID, Account: d.Account} }

// Export returns the sessions of the account's tree as a document, without keys. A change that waits for the
// chain is an error matching [ErrPending]: settle it first.
func (s *Sessions) Export() (*Document, error) {
	v := s.view.Load()
	state := v.state()
	if state.Pending != nil {
		return nil, fmt.Errorf("%w: export of %s; call Activate or Reconcile first", ErrPending, s.ref)
	}
	d := &Document{Version: documentVersion, ChainID: s.ref.ChainID, Account: s.ref.Account, Root: state.Root}
	taken := make(map[string]bool)
	for _, i := range v.stored.positions() {
		leaf := state.Leaves[i].Clone()
		leaf.ID = line.Text(leaf.ID) // that of a leaf from before may be one that no document has
		for taken[leaf.ID] {
			leaf.ID += "'"
		}
		taken[leaf.ID] = true
		d.Leaves = append(d.Leaves, leaf)
	}
	d.Revoked = state.revoked(s.now())
	return d, nil
}

// revoked returns the hashes of the leaves that were revoked, left the tree, and could otherwise be granted
// again.
func (s *State) revoked(now time.Time) (hashes []common.Hash) {
	inTree := make(map[common.Hash]bool)
	for i := range s.Leaves {
		if s.Leaves[i].InTree {
			inTree[s.Leaves[i].Hash()] = true
		}
	}
	for i := range s.Leaves {
		leaf := &s.Leaves[i]
		if hash := leaf.Hash(); leaf.Status == StatusRevoked && leaf.checkEnd(now) == nil && !inTree[hash] {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}

// ExportWithKeys is [Sessions.Export] with the keys of the leaves in force, sealed by aead. The keyring has
// to be a [KeySealer].
func (s *Sessions) ExportWithKeys(ctx context.Context, aead seal.AEAD) (*Document, error) {
	d, err := s.Export()
	if err != nil {
		return nil, err
	}
	sealer, ok := s.keys.(KeySealer)
	if !ok {
		return nil, fmt.Errorf("%w: the keyring of %s does not hand out keys", ErrNoKey, s.ref)
	}
	done := make(map[common.Address]bool)
	for i := range d.Leaves {
		key := d.Leaves[i].Key
		if d.Leaves[i].StatusAt(s.now()) == StatusRevoked || done[key] {
			continue
		}
		sealed, err := sealer.SealKey(ctx, s.ref, key, aead)
		if errors.Is(err, ErrNoKey) {
			continue // another service's
		}
		if err != nil {
			return nil, fmt.Errorf("export of %s: %w", s.ref, err)
		}
		done[key] = true
		d.Keys = append(d.Keys, SealedKey{Address: key, Sealed: sealed})
	}
	return d, nil
}

// ParseDocument reads a document and checks it: its version, every leaf, and that the leaves hash to its
// root. It has to be the text alone, with each field once and in its letter case: another reader of the same
// text would take a second one. The error matches [policy.ErrInvalid] or [ErrRootMismatch].
func ParseDocument(text []byte) (*Document, error) {
	if len(text) > maxDocument {
		return nil, fmt.Errorf("%w: session document of %d bytes, at most %d are read", policy.ErrInvalid, len(text), maxDocument)
	}
	var d Document
	if err := jsonobject.Strict(text, &d); err != nil {
		return nil, fmt.Errorf("%w: session document: %w", policy.ErrInvalid, err)
	}
	if err := d.validate(); err != nil {
		return nil, fmt.Errorf("session document: %w", err)
	}
	return &d, nil
}

func (d *Document) validate() error {
	if d.Version != documentVersion {
		return fmt.Errorf("%w: form %d, this library reads form %d", policy.ErrInvalid, d.Version, documentVersion)
	}
	if err := d.Ref().Validate(); err != nil {
		return err
	}
	seen := make(map[string]bool, len(d.Leaves))
	hashes := make([]common.Hash, len(d.Leaves))
	for i := range d.Leaves {
		leaf := &d.Leaves[i]
		if err := leaf.Validate(); err != nil {
			return fmt.Errorf("leaf %d: %w", i, err)
		}
		if seen[leaf.ID] {
			return fmt.Errorf("%w: leaf %d: ID %q twice", policy.ErrInvalid, i, leaf.ID)
		}
		seen[leaf.ID] = true
		hashes[i] = leaf.Hash()
	}
	if root := merkle.New(hashes).Root(); root != d.Root {
		return &RootMismatch{Ref: d.Ref(), Stored: d.Root, Leaves: root}
	}
	return nil
}
