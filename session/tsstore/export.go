package tsstore

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

// Export returns the sessions of an account's tree as a document, to take them over into another store with
// [session.Import], and what [Store.Inspect] found. Leaves outside the tree are not in it.
//
// Fatal findings are a [*RefusedError], and the document is nil; [RepeatLeaves] and [RootOfLeaves] take over
// what can be taken over all the same. A tree without leaves is an error matching [session.ErrNoLeaf], a
// change that waits for the chain one matching [session.ErrPending]. The report is nil only if the files
// could not be read at all.
func (s *Store) Export(ctx context.Context, ref session.Ref, opts ...ExportOption) (*session.Document, *Report, error) {
	var set settings
	for _, opt := range opts {
		opt.export(&set)
	}
	if set.repeatLeaves && set.rootOfLeaves {
		return nil, nil, fmt.Errorf("%w: export of %s with both RepeatLeaves and RootOfLeaves; choose one", policy.ErrInvalid, ref)
	}
	in, err := s.inspect(ctx, ref, set)
	if err != nil {
		return nil, nil, err
	}
	document, err := in.document(ctx)
	if err != nil {
		return nil, in.report, err
	}
	if set.aead != nil {
		if document.Keys, err = s.sealKeys(ctx, document, set.aead); err != nil {
			return nil, in.report, fmt.Errorf("export of %s: %w", ref, err)
		}
	}
	return document, in.report, nil
}

// document puts the leaves to take over into a document, by way of a store in memory.
func (in *inspection) document(ctx context.Context) (*session.Document, error) {
	ref := in.report.Ref
	if err := in.report.Err(); err != nil {
		return nil, err
	}
	if in.file.header.Pending != nil {
		return nil, fmt.Errorf("%w: export of %s; open its sessions with a chain and call Reconcile first", session.ErrPending, ref)
	}
	leaves := in.leaves()
	if len(leaves) == 0 {
		return nil, fmt.Errorf("%w: there is nothing to take over of %s, no leaf is in its tree", session.ErrNoLeaf, ref)
	}
	hashes := make([]common.Hash, len(leaves))
	for i := range leaves {
		hashes[i] = leaves[i].Hash()
	}
	store := memstore.New()
	change := session.Change{Header: session.Header{Root: merkle.New(hashes).Root()}, Put: leaves}
	if _, err := store.Apply(ctx, ref, 0, &change); err != nil {
		return nil, fmt.Errorf("export of %s: %w", ref, err)
	}
	sess, err := session.Open(ctx, store, ref)
	if err != nil {
		return nil, fmt.Errorf("export of %s: %w", ref, err)
	}
	return sess.Export()
}

// leaves returns the leaves to take over in the order of their tree. One that the tree has again becomes a
// tombstone.
func (in *inspection) leaves() []session.Leaf {
	taken := make(map[string]bool, len(in.report.Leaves))
	for i := range in.report.Leaves {
		taken[in.report.Leaves[i].ID] = true
	}
	there := make(map[int]bool)
	var leaves []session.Leaf
	for _, at := range in.tree() {
		leaf := in.report.Leaves[at].Clone()
		in.nameFunction(&leaf)
		leaf.InTree = true
		if there[at] {
			leaf.Status = session.StatusRevoked
			for taken[leaf.ID] {
				leaf.ID += "'"
			}
			taken[leaf.ID] = true
		}
		there[at] = true
		leaves = append(leaves, leaf)
	}
	return leaves
}

// tree returns the positions of the tree to take over.
func (in *inspection) tree() []int {
	if in.rootOfLeaves && (in.report.Tree == nil || in.repeated) {
		return in.leafNodes
	}
	return in.report.Tree
}

// nameFunction gives the leaf the name of the function that its data allows, if that is known.
func (in *inspection) nameFunction(leaf *session.Leaf) {
	p, ok := contracts.ParseABIPermission(leaf.Data)
	if !ok || leaf.Module != in.modules.ABI || leaf.Function != "" {
		return
	}
	if f := p.Function("", in.functions...); f != nil {
		leaf.Function = f.String()
	}
}

// sealKeys seals the keys of a document's leaves that are not revoked. A key that is not there is another
// service's.
func (s *Store) sealKeys(ctx context.Context, d *session.Document, aead seal.AEAD) (keys []session.SealedKey, err error) {
	ref, done := d.Ref(), make(map[common.Address]bool)
	err = s.readSigners(ctx, ref, func(file *signers, names map[common.Address]string) error {
		for i := range d.Leaves {
			address := d.Leaves[i].Key
			name, held := names[address]
			if !held || done[address] || d.Leaves[i].Status == session.StatusRevoked {
				continue
			}
			done[address] = true
			key, bad := file.key(name, address)
			if bad != nil {
				return bad
			}
			sealed, err := key.Seal(aead, seal.AssociatedData(ref.ChainID, ref.Account, address))
			key.Wipe()
			if err != nil {
				return err
			}
			keys = append(keys, session.SealedKey{Address: address, Sealed: sealed})
		}
		return nil
	})
	return keys, err
}
