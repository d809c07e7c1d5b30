package tsstore

import (
	"fmt"
	"strings"

	"github.com/go-sesame/sesame/session"
)

// Finding is something about an account's files that the TypeScript SDK, or who used it, spoilt, or that
// should be known before the sessions are used elsewhere.
type Finding struct {
	Code     session.FindingCode
	Severity session.Severity
	// Fatal says that the sessions cannot be taken over as they are: [Store.Export] and [Transfer] refuse.
	Fatal bool
	// Path is the file, and Entry the place in it, such as "leafNodes[2].sessionKeyData.rules[0]"; empty
	// for the whole file.
	Path, Entry string
	// Leaf is the position in [Report].Leaves and LeafID the leaf's ID; [NoLeaf] and empty for what is
	// not about one leaf that could be read.
	Leaf   int
	LeafID string
	// Message is one sentence for people, with the way out.
	Message string
}

// NoLeaf is the Leaf of a [Finding] that is not about one leaf.
const NoLeaf = -1

// String returns the finding in one line.
func (f Finding) String() string {
	var b strings.Builder
	if f.Entry != "" {
		b.WriteString(f.Entry)
	}
	if f.LeafID != "" {
		fmt.Fprintf(&b, " (session %s)", f.LeafID)
	}
	if b.Len() == 0 {
		b.WriteString(f.Path)
	}
	degree := f.Severity.String()
	if f.Fatal {
		degree = "fatal"
	}
	return fmt.Sprintf("%s: %s: %s (%s)", strings.TrimSpace(b.String()), degree, f.Message, f.Code)
}

// What is found about a file as a whole.
const (
	// FindingBroken: the file's JSON is cut off, or followed by something else.
	FindingBroken session.FindingCode = "broken-json"
	// FindingMalformed: a field is missing or of a wrong form.
	FindingMalformed session.FindingCode = "malformed"
	// FindingTwoFiles: the account has two files of a kind, spelt differently.
	FindingTwoFiles session.FindingCode = "two-files"
	// FindingOtherChain: the file says that it is of another chain.
	FindingOtherChain session.FindingCode = "other-chain"
	// FindingOpenMode: other users of the machine may read the keys, or change the sessions.
	FindingOpenMode session.FindingCode = "open-mode"
	// FindingClearKeys: session keys lie in clear.
	FindingClearKeys session.FindingCode = "clear-keys"
)

// What is found about the root and the leaves in its tree.
const (
	// FindingNoRoot: no root is written down; all leaves are taken to be in the tree.
	FindingNoRoot session.FindingCode = "no-root"
	// FindingRootMismatch: no known way leads from the leaves to the root.
	FindingRootMismatch session.FindingCode = "root-mismatch"
	// FindingRepeatedLeaves: the tree has leaves twice, as the SDK's revokeSessions builds it.
	FindingRepeatedLeaves session.FindingCode = "repeated-leaves"
	// FindingChainRoot: the chain shows another root than the file.
	FindingChainRoot session.FindingCode = "chain-root"
	// FindingRevokedInTree: the chain still accepts a leaf that is called revoked.
	FindingRevokedInTree session.FindingCode = "revoked-in-tree"
	// FindingExpiredInTree: the tree carries a leaf whose window is over.
	FindingExpiredInTree session.FindingCode = "expired-in-tree"
	// FindingPendingInTree: nothing says that the operation which grants the leaf ever landed.
	FindingPendingInTree session.FindingCode = "pending-in-tree"
	// FindingOutsideTree: the root does not cover the leaf, so that it cannot be proven.
	FindingOutsideTree session.FindingCode = "outside-tree"
	// FindingDuplicate: two leaves are the same, so that revoking one of them revokes nothing.
	FindingDuplicate session.FindingCode = "duplicate"
	// FindingStaleStatus: the file calls a leaf active or pending after its end.
	FindingStaleStatus session.FindingCode = "stale-status"
	// FindingSameID: two leaves have one ID.
	FindingSameID session.FindingCode = "same-id"
	// FindingWeakID: the ID comes from the SDK's weak random source, or is as short as one.
	FindingWeakID session.FindingCode = "weak-id"
	// FindingTimeText: a time is text, which the SDK hashes by its characters.
	FindingTimeText session.FindingCode = "time-text"
)

// What is found about keys.
const (
	// FindingKey: sessionPublicKey is not the key that the leaf's data lets sign.
	FindingKey session.FindingCode = "key-mismatch"
	// FindingNoSigner: the file of signers lacks the key of a leaf in force.
	FindingNoSigner session.FindingCode = "signer-missing"
	// FindingBadSigner: an entry of the file of signers does not hold the key of its address.
	FindingBadSigner session.FindingCode = "bad-signer"
	// FindingUnusedSigner: a key belongs to no leaf.
	FindingUnusedSigner session.FindingCode = "unused-signer"
)

// What is found about a leaf's session key data.
const (
	// FindingData: the data is not laid out as its module reads it.
	FindingData session.FindingCode = "bad-data"
	// FindingCondition: a rule has a condition that never holds.
	FindingCondition session.FindingCode = "bad-condition"
	// FindingPaddedRight: an address or number was padded on the right, which makes a huge number of it.
	FindingPaddedRight session.FindingCode = "padded-right"
	// FindingPaddedLeft: bytes were padded on the left, which makes others of them.
	FindingPaddedLeft session.FindingCode = "padded-left"
	// FindingDecimalAsHex: the hex digits of a number look like the decimal number that was meant.
	FindingDecimalAsHex session.FindingCode = "decimal-as-hex"
	// FindingNumberText: the bytes of a number are the characters of one.
	FindingNumberText session.FindingCode = "number-as-text"
)
