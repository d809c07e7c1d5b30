package tsstore

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/storekit"
)

// sessions is an account's file of sessions.
type sessions struct {
	top    object
	nodes  []*node // in the order of State.Leaves
	header session.Header
	writes uint64
}

// extensionField holds, in a file and in a leaf node, what the SDK's format has no place for.
const extensionField = "sesame"

// extensionFormat is the form of the extension that this package writes. What changes in a form:
//
//	2  chainID is a number, which programs of form 1 do not read: they stop at a file that was changed since,
//	   instead of losing what a pending change has now, its operation and its end
//	3  it has the last change that landed
const extensionFormat = 3

// extension is what this package adds to the file.
type extension struct {
	// Format is not there in form 1.
	Format  int          `json:"format"`
	ChainID lenientChain `json:"chainID"`
	// Writes counts the changes from here, so that no two versions are alike.
	Writes uint64 `json:"writes"`
	// Digest is of root and leaf nodes as they were written here. A file with another digest was changed by
	// the SDK, and what its root covers has to be found out anew.
	Digest common.Hash `json:"digest"`
	// Pending is the change that waits for the chain.
	Pending *session.PendingRoot `json:"pending,omitempty"`
	// Landed is the last change that landed. It is of no use once the SDK has set another root.
	Landed *session.LandedRoot `json:"landed,omitempty"`
	// Order is the header's, and Granted the order of the leaf nodes' IDs in the state where that is not the
	// tree's: the SDK builds its tree in the order of leafNodes.
	Order   []string `json:"order,omitempty"`
	Granted []string `json:"granted,omitempty"`
	// Apart are the leaves outside the tree, by position.
	Apart []apart `json:"apart,omitempty"`
}

// lenientChain is a chain ID, which form 1 has as a string in 0x-hex.
type lenientChain uint64

// UnmarshalJSON reads either form.
func (c *lenientChain) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return (*hexutil.Uint64)(c).UnmarshalJSON(text)
	}
	return json.Unmarshal(text, (*uint64)(c))
}

type apart struct {
	Position int    `json:"position"`
	Leaf     object `json:"leaf"`
}

// versionOf returns the version of a file: a number that differs for different content.
func versionOf(content []byte) uint64 {
	if len(content) == 0 {
		return 0
	}
	sum := sha256.Sum256(content)
	return max(1, binary.BigEndian.Uint64(sum[:]))
}

// parseSessions reads an account's file. No content is an account without sessions.
func parseSessions(ref session.Ref, path string, content []byte, now time.Time) (*sessions, error) {
	f := &sessions{top: make(object)}
	if len(content) == 0 {
		return f, nil
	}
	if err := f.parse(ref, content, now); err != nil {
		return nil, inFile(path, err)
	}
	return f, nil
}

func (f *sessions) parse(ref session.Ref, content []byte, now time.Time) error {
	if err := parseObject(content, &f.top); err != nil {
		return err
	}
	own, err := f.parseExtension(ref)
	if err != nil {
		return err
	}
	if err := f.parseLeafNodes(now); err != nil {
		return err
	}
	if err := f.placeInTree(&own); err != nil {
		return err
	}
	f.arrange(own.Granted)
	f.writes, f.header.Pending, f.header.Landed = own.Writes, own.Pending, own.Landed
	if err := f.mergeApart(own.Apart, now); err != nil {
		return err
	}
	return f.checkIDs()
}

func (f *sessions) parseExtension(ref session.Ref) (own extension, err error) {
	raw, ok := f.top[extensionField]
	if !ok {
		return own, nil
	}
	err = json.Unmarshal(raw, &own)
	if err != nil && own.Format <= extensionFormat {
		return own, &FormatError{Entry: extensionField, Problem: err.Error()}
	}
	if own.Format > extensionFormat {
		return own, &FormatError{Entry: extensionField, Problem: fmt.Sprintf("has form %d, this program knows up to %d; update the program", own.Format, extensionFormat)}
	}
	if uint64(own.ChainID) != ref.ChainID {
		return own, &FormatError{Problem: fmt.Sprintf("holds sessions on chain %d, the store was opened for chain %d; keep a directory for each chain", own.ChainID, ref.ChainID)}
	}
	return own, nil
}

func (f *sessions) parseLeafNodes(now time.Time) error {
	var raws []object
	if err := json.Unmarshal(f.top[leafNodesField], &raws); err != nil || raws == nil {
		return notAList()
	}
	f.nodes = make([]*node, len(raws))
	for i, raw := range raws {
		n, bad := parseNode(leafNodePlace(i), raw, now)
		if bad != nil {
			return bad[0]
		}
		f.nodes[i] = n
	}
	return nil
}

func leafNodePlace(i int) string { return fmt.Sprintf("%s[%d]", leafNodesField, i) }

// placeInTree finds out which of the leaf nodes are in the tree: all, if the file is as it was written here,
// or those that the root covers.
func (f *sessions) placeInTree(own *extension) error {
	root, known, err := f.merkleRoot()
	if err != nil {
		return err
	}
	if own.Digest == f.digest(f.nodes) {
		f.header.Root, f.header.Order = root, own.Order
		markAll(f.nodes, true)
		return nil
	}
	f.header.Root, err = findTree(root, known, f.nodes)
	return err
}

// arrange puts the leaf nodes into the order in which they were granted, if the tree has another. Nodes that
// the SDK added come last.
func (f *sessions) arrange(granted []string) {
	if len(granted) == 0 {
		return
	}
	tree := idsInTree(f.nodes)
	sortByID(f.nodes, granted, len(granted))
	if f.header.Order == nil && !slices.Equal(tree, idsInTree(f.nodes)) {
		f.header.Order = tree
	}
}

// sortByID sorts nodes into the order of ids; others have that rank.
func sortByID(nodes []*node, ids []string, others int) {
	rank := make(map[string]int, len(ids))
	for i, id := range ids {
		rank[id] = i
	}
	rankOf := func(n *node) int {
		if r, ok := rank[n.leaf.ID]; ok {
			return r
		}
		return others
	}
	slices.SortStableFunc(nodes, func(a, b *node) int { return cmp.Compare(rankOf(a), rankOf(b)) })
}

func idsInTree(nodes []*node) (ids []string) {
	for _, n := range nodes {
		if n.leaf.InTree {
			ids = append(ids, n.leaf.ID)
		}
	}
	return ids
}

// mergeApart puts the leaves outside the tree to their positions among the others.
func (f *sessions) mergeApart(all []apart, now time.Time) error {
	for i, a := range all {
		n, bad := parseNode(apartPlace(i), a.Leaf, now)
		if bad != nil {
			return bad[0]
		}
		f.insert(n, a.Position)
	}
	return nil
}

func apartPlace(i int) string { return fmt.Sprintf("%s.apart[%d].leaf", extensionField, i) }

// insert puts a node to its position; the SDK may have removed leaves before it.
func (f *sessions) insert(n *node, position int) {
	f.nodes = slices.Insert(f.nodes, min(max(position, 0), len(f.nodes)), n)
}

func (f *sessions) checkIDs() error {
	seen := make(map[string]bool, len(f.nodes))
	for _, n := range f.nodes {
		if seen[n.leaf.ID] {
			return &FormatError{Entry: leafNodesField, Problem: fmt.Sprintf("two leaves with sessionID %q; rename one", n.leaf.ID)}
		}
		seen[n.leaf.ID] = true
	}
	return nil
}

// state returns the file's content as every store has it.
func (f *sessions) state(version uint64) *session.State {
	state := &session.State{Version: version, Header: f.header, Leaves: make([]session.Leaf, len(f.nodes))}
	for i, n := range f.nodes {
		state.Leaves[i] = n.leaf
	}
	return state
}

// apply changes the file as change says.
func (f *sessions) apply(change *session.Change) error {
	next, err := storekit.Apply(f.state(0), change)
	if err != nil {
		return err
	}
	old := make(map[string]*node, len(f.nodes))
	for _, n := range f.nodes {
		old[n.leaf.ID] = n
	}
	put := make(map[string]bool, len(change.Put))
	for i := range change.Put {
		leaf := &change.Put[i]
		for what, text := range map[string]string{"ID": leaf.ID, "function": leaf.Function} {
			if !utf8.ValidString(text) {
				return fmt.Errorf("%w: the %s of session %+q is not text, and JSON could not keep it", policy.ErrInvalid, what, leaf.ID)
			}
		}
		put[leaf.ID] = true
	}
	f.header, f.nodes = next.Header, make([]*node, len(next.Leaves))
	for i := range next.Leaves {
		leaf := next.Leaves[i]
		if f.nodes[i] = old[leaf.ID]; put[leaf.ID] {
			f.nodes[i] = old[leaf.ID].update(leaf)
		}
	}
	f.writes++
	return nil
}

// marshal writes the file: the leaves in the tree where the SDK looks for them and in the tree's order, the
// others apart.
func (f *sessions) marshal(ref session.Ref) (_ []byte, err error) {
	own := extension{
		Format: extensionFormat, ChainID: lenientChain(ref.ChainID), Writes: f.writes,
		Pending: f.header.Pending, Landed: f.header.Landed, Order: f.header.Order,
	}
	var inTree []*node
	for i, n := range f.nodes {
		if n.leaf.InTree {
			inTree = append(inTree, n)
		} else {
			own.Apart = append(own.Apart, apart{Position: i, Leaf: n.raw})
		}
	}
	if len(own.Order) == len(inTree) { // what session.State takes for an order
		granted := idsInTree(inTree)
		if sortByID(inTree, own.Order, 0); !slices.Equal(granted, idsInTree(inTree)) {
			own.Granted = granted
		}
	}
	f.setMerkleRoot(len(inTree))
	own.Digest = f.digest(inTree)
	leafNodes := make([]object, len(inTree))
	for i, n := range inTree {
		leafNodes[i] = n.raw
	}
	if f.top[leafNodesField], err = encode(leafNodes); err != nil {
		return nil, err
	}
	if f.top[extensionField], err = encode(own); err != nil {
		return nil, err
	}
	return encode(f.top)
}
