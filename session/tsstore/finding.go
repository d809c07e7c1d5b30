package tsstore

import (
	"fmt"
	"strings"

	"github.com/go-sesame/sesame/session/internal/line"
	"github.com/go-sesame/sesame/session/policy"
)

// Finding is something about an account's files that the TypeScript SDK, or whoever used it, spoilt, or that
// should be known before the sessions are used elsewhere.
type Finding struct {
	// Finding has the code, the severity and one sentence for people, with the way out. Leaf is the position
	// in [Report].Leaves, Session the leaf's ID and Rule the rule of its policy; [NoLeaf], empty and
	// [policy.NoRule] for what is not about one leaf that could be read, or not about a rule.
	policy.Finding
	// Fatal says that the sessions cannot be taken over as they are: [Store.Export] and [Transfer] refuse.
	Fatal bool
	// Path is the file, and Entry the place in it, such as "leafNodes[2].sessionKeyData.rules[0]"; empty for
	// the whole file.
	Path, Entry string
}

// finding is one that is not about a rule; where it was made is filled in by whoever adds it.
func finding(code policy.FindingCode, severity policy.Severity, message string) Finding {
	return Finding{Finding: policy.Finding{Rule: policy.NoRule, Code: code, Severity: severity, Message: message}}
}

// NoLeaf is the Leaf of a [Finding] that is not about one leaf.
const NoLeaf = policy.NoLeaf

// String returns the finding in one line.
func (f Finding) String() string {
	var b strings.Builder
	if f.Entry != "" {
		b.WriteString(f.Entry)
	}
	if f.Session != "" {
		fmt.Fprintf(&b, " (session %s)", line.Text(f.Session))
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
	FindingBroken policy.FindingCode = "broken-json"
	// FindingMalformed: a field is missing or of a wrong form.
	FindingMalformed policy.FindingCode = "malformed"
	// FindingTwoFiles: the account has two files of a kind, spelt differently.
	FindingTwoFiles policy.FindingCode = "two-files"
	// FindingOtherChain: the file says that it is of another chain.
	FindingOtherChain policy.FindingCode = "other-chain"
	// FindingOpenMode: other users of the machine may read the keys, or change the sessions.
	FindingOpenMode policy.FindingCode = "open-mode"
	// FindingClearKeys: session keys lie in clear.
	FindingClearKeys policy.FindingCode = "clear-keys"
)

// What is found about the root and the leaves in its tree, besides [policy.FindingDuplicate].
const (
	// FindingNoRoot: no root is written down; all leaves are taken to be in the tree.
	FindingNoRoot policy.FindingCode = "no-root"
	// FindingRootMismatch: no known way leads from the leaves to the root.
	FindingRootMismatch policy.FindingCode = "root-mismatch"
	// FindingRepeatedLeaves: the tree has leaves twice, as the SDK's revokeSessions builds it.
	FindingRepeatedLeaves policy.FindingCode = "repeated-leaves"
	// FindingChainRoot: the chain shows another root than the file.
	FindingChainRoot policy.FindingCode = "chain-root"
	// FindingRevokedInTree: the chain still accepts a leaf that is called revoked.
	FindingRevokedInTree policy.FindingCode = "revoked-in-tree"
	// FindingExpiredInTree: the tree carries a leaf whose window is over.
	FindingExpiredInTree policy.FindingCode = "expired-in-tree"
	// FindingPendingInTree: nothing says that the operation which grants the leaf ever landed.
	FindingPendingInTree policy.FindingCode = "pending-in-tree"
	// FindingOutsideTree: the root does not cover the leaf, so that it cannot be proven.
	FindingOutsideTree policy.FindingCode = "outside-tree"
	// FindingStaleStatus: the file calls a leaf active or pending after its end.
	FindingStaleStatus policy.FindingCode = "stale-status"
	// FindingSameID: two leaves have one ID.
	FindingSameID policy.FindingCode = "same-id"
	// FindingWeakID: the ID comes from the SDK's weak random source, or is as short as one.
	FindingWeakID policy.FindingCode = "weak-id"
	// FindingTimeText: a time is text, which the SDK hashes by its characters.
	FindingTimeText policy.FindingCode = "time-text"
)

// What is found about keys, besides [policy.FindingKey]: sessionPublicKey is not the key that the leaf's data
// lets sign.
const (
	// FindingNoSigner: the file of signers lacks the key of a leaf in force.
	FindingNoSigner policy.FindingCode = "signer-missing"
	// FindingBadSigner: an entry of the file of signers does not hold the key of its address.
	FindingBadSigner policy.FindingCode = "bad-signer"
	// FindingUnusedSigner: a key belongs to no leaf.
	FindingUnusedSigner policy.FindingCode = "unused-signer"
)

// What is found about a leaf's session key data.
const (
	// FindingData: the data is not laid out as its module reads it.
	FindingData policy.FindingCode = "bad-data"
	// FindingCondition: a rule has a condition that never holds.
	FindingCondition policy.FindingCode = "bad-condition"
	// FindingPaddedRight: an address or number was padded on the right, which makes a huge number of it.
	FindingPaddedRight policy.FindingCode = "padded-right"
	// FindingPaddedLeft: bytes were padded on the left, which makes others of them.
	FindingPaddedLeft policy.FindingCode = "padded-left"
	// FindingDecimalAsHex: the hex digits of a number look like the decimal number that was meant.
	FindingDecimalAsHex policy.FindingCode = "decimal-as-hex"
	// FindingNumberText: the bytes of a number are the characters of one.
	FindingNumberText policy.FindingCode = "number-as-text"
)
