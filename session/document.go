package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

// documentVersion is the form of a [Document] that this package writes and reads.
const documentVersion = 1

// maxDocument bounds what [ParseDocument] reads, in bytes: some ten thousand leaves.
const maxDocument = 64 << 20

// Document is an account's sessions on one chain as one JSON text, to hand them from the service that
// granted them to the one that acts: the leaves of the account's tree in the tree's order, and keys, if
// at all, sealed.
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

// KeySealer is a [Keyring] that can hand a key out, sealed and bound by [seal.AssociatedData]. One that
// never lets a key go, such as a KMS, is not.
type KeySealer interface {
	SealKey(ctx context.Context, ref Ref, key common.Address, aead seal.AEAD) ([]byte, error)
}

// Ref returns whose sessions the document has.
func (d *Document) Ref() Ref { return Ref{ChainID: d.ChainID, Account: d.Account} }

// Export returns the sessions of the account's tree as a document, without keys. A change that waits
// for the chain is an error matching [ErrPending]: settle it first.
func (s *Sessions) Export() (*Document, error) {
	state := s.view.Load().state
	if state.Pending != nil {
		return nil, fmt.Errorf("%w: export of %s; call Activate or Reconcile first", ErrPending, s.ref)
	}
	d := &Document{Version: documentVersion, ChainID: s.ref.ChainID, Account: s.ref.Account, Root: state.Root}
	for _, i := range state.treeOrder() {
		d.Leaves = append(d.Leaves, state.Leaves[i].Clone())
	}
	d.Revoked = state.revoked(s.now())
	return d, nil
}

// revoked returns the hashes of the leaves that were revoked, left the tree, and could otherwise be granted again.
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

// ExportWithKeys is [Sessions.Export] with the keys of the leaves in force, sealed by aead. The keyring
// has to be a [KeySealer].
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
// root. The error matches [policy.ErrInvalid] or [ErrRootMismatch].
func ParseDocument(text []byte) (*Document, error) {
	if len(text) > maxDocument {
		return nil, fmt.Errorf("%w: session document of %d bytes, at most %d are read", policy.ErrInvalid, len(text), maxDocument)
	}
	var d Document
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("%w: session document: %w", policy.ErrInvalid, err)
	}
	if decoder.More() {
		return nil, fmt.Errorf("%w: session document: more than one JSON value", policy.ErrInvalid)
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

// ImportOption changes how [Import] takes a document in.
type ImportOption func(*importing)

type importing struct {
	opts []Option
	aead seal.AEAD
}

// WithSealedKeys opens the document's keys and hands them to the keyring of the sessions.
func WithSealedKeys(aead seal.AEAD) ImportOption { return func(i *importing) { i.aead = aead } }

// WithOptions are the options that the imported sessions are opened with.
func WithOptions(opts ...Option) ImportOption {
	return func(i *importing) { i.opts = append(i.opts, opts...) }
}

// Import stores a document's sessions for an account that the store knows nothing of, or the same of.
// Leaves are pending until the account's root on chain was seen to be the document's: they can be used
// with a client at once, and [Sessions.Reconcile] makes them active. A store that has other sessions of the
// account is an error matching [ErrConflict]; see [Sessions.Adopt].
func Import(ctx context.Context, store Store, d *Document, opts ...ImportOption) (*Sessions, error) {
	var in importing
	for _, opt := range opts {
		opt(&in)
	}
	if err := d.validate(); err != nil {
		return nil, fmt.Errorf("import session document: %w", err)
	}
	sess, err := OpenOrNew(ctx, store, d.Ref(), in.opts...)
	if err != nil {
		return nil, err
	}
	state := sess.view.Load().state
	if len(state.Leaves) > 0 && (state.Root != d.Root || state.Pending != nil) {
		return nil, fmt.Errorf("%w: the store has %d other sessions of %s; adopt the document if the chain shows its root", ErrConflict, len(state.Leaves), d.Ref())
	}
	// Keys first: a crash in between leaves a key without a leaf, never the other way round.
	if err := sess.importKeys(ctx, d, in.aead); err != nil {
		return nil, fmt.Errorf("import session document: %w", err)
	}
	if len(state.Leaves) > 0 {
		return sess, nil
	}
	if err := sess.apply(ctx, d.change(state, StatusPending)); err != nil {
		return nil, fmt.Errorf("import session document: %w", err)
	}
	return sess, nil
}

func (s *Sessions) importKeys(ctx context.Context, d *Document, aead seal.AEAD) error {
	if aead == nil || len(d.Keys) == 0 {
		return nil
	}
	if s.keys == nil {
		return fmt.Errorf("%w: the store of %s keeps no keys; import with WithKeyring", ErrNoKey, s.ref)
	}
	for _, sealed := range d.Keys {
		key, err := seal.OpenKey(aead, sealed.Sealed, seal.AssociatedData(d.ChainID, d.Account, sealed.Address), sealed.Address)
		if err != nil {
			return err
		}
		_, err = importKey(ctx, s.keys, s.ref, key)
		key.Wipe()
		if err != nil {
			return err
		}
	}
	return nil
}

// change is what makes the document's tree the state's. Leaves that the state has already, by what they
// are on chain, keep their place, ID and tombstone; the others are appended with that status. Leaves that are not
// in the document leave the tree, and get a tombstone if the document has them as revoked.
func (d *Document) change(state *State, status Status) *Change {
	c := &Change{Header: Header{Root: d.Root}}
	known, taken := state.known()
	stays := make(map[int]bool)
	for i := range d.Leaves {
		leaf := d.Leaves[i].Clone()
		if same := known[leaf.Hash()]; len(same) > 0 {
			at := same[0]
			known[leaf.Hash()] = same[1:]
			stays[at] = true
			leaf = state.Leaves[at].Clone()
		} else {
			for taken[leaf.ID] {
				leaf.ID += "'"
			}
			taken[leaf.ID] = true
			if leaf.Status != StatusRevoked {
				leaf.Status = status
			}
		}
		leaf.InTree = true
		c.Put = append(c.Put, leaf)
		c.Header.Order = append(c.Header.Order, leaf.ID)
	}
	c.Put = append(c.Put, d.leftOut(state, stays)...)
	if len(state.Leaves) == 0 || slices.Equal(c.Header.Order, inOrder(state, c)) {
		c.Header.Order = nil
	}
	return c
}

// leftOut returns the leaves, of those that do not stay, for which that is a change.
func (d *Document) leftOut(state *State, stays map[int]bool) (leaves []Leaf) {
	revoked := set(d.Revoked)
	for _, i := range state.positions(func(l *Leaf) bool { return l.InTree || l.Status != StatusRevoked }) {
		leaf := state.Leaves[i].Clone()
		ends := revoked[leaf.Hash()]
		if stays[i] || !leaf.InTree && !ends {
			continue
		}
		leaf.InTree = false
		if ends {
			leaf.Status = StatusRevoked
		}
		leaves = append(leaves, leaf)
	}
	return leaves
}

// known returns where the leaves of each hash stand, those in the tree first, and the IDs that are taken.
func (s *State) known() (at map[common.Hash][]int, taken map[string]bool) {
	at, taken = make(map[common.Hash][]int, len(s.Leaves)), make(map[string]bool, len(s.Leaves))
	positions := slices.Concat(s.positions(func(l *Leaf) bool { return l.InTree }), s.positions(func(l *Leaf) bool { return !l.InTree }))
	for _, i := range positions {
		leaf := &s.Leaves[i]
		hash := leaf.Hash()
		at[hash] = append(at[hash], i)
		taken[leaf.ID] = true
	}
	return at, taken
}

// inOrder returns the IDs of the tree after c, which deletes nothing, in the order of the store.
func inOrder(state *State, c *Change) (ids []string) {
	put := make(map[string]*Leaf, len(c.Put))
	for i := range c.Put {
		put[c.Put[i].ID] = &c.Put[i]
	}
	next := state.with(c.Put)
	for i := range next.Leaves {
		leaf := &next.Leaves[i]
		if changed, ok := put[leaf.ID]; ok {
			leaf = changed
		}
		if leaf.InTree {
			ids = append(ids, leaf.ID)
		}
	}
	return ids
}
