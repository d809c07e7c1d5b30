package tsstore

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// inspectLeaves inspects the leaves one by one.
func (in *inspection) inspectLeaves() {
	seen := make(map[common.Hash]int, len(in.file.nodes))
	known := in.knownAddresses()
	for at, n := range in.file.nodes {
		in.at = at
		in.inspectID(n)
		in.inspectTimes(n)
		in.inspectStatus(n)
		if n.leaf.Status == session.StatusRevoked && !n.leaf.InTree && in.report.Tree != nil {
			continue // neither signs nor can be proven
		}
		hash := n.leaf.Hash()
		if first, twice := seen[hash]; twice {
			in.addLeaf(policy.FindingDuplicate, policy.SeverityWarning, "", "it is the same as %s, so that revoking one of them alone revokes nothing; revoke them together", in.file.nodes[first].place)
		} else {
			seen[hash] = at
		}
		in.inspectData(n, known)
	}
	in.at = NoLeaf
}

// idDigits are the digits of an ID of 128 bits in hex.
const idDigits = 32

func (in *inspection) inspectID(n *node) {
	for _, c := range n.leaf.ID {
		if !isHexDigit(c) {
			return // a name that somebody chose
		}
	}
	if bits := 4 * len(n.leaf.ID); bits > 0 && len(n.leaf.ID) < idDigits {
		in.addLeaf(FindingWeakID, policy.SeverityNote, "sessionID", "the ID has %d bits, and the SDK draws its own by Math.random; take it for no secret, sessions that are granted from here have IDs of 128 random bits", bits)
	}
}

func isHexDigit(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (in *inspection) inspectTimes(n *node) {
	for _, field := range []string{"validUntil", "validAfter"} {
		if raw := n.raw[field]; len(raw) > 0 && raw[0] == '"' {
			in.addLeaf(FindingTimeText, policy.SeverityWarning, field, "the time is the text %.20s, and the SDK hashes the characters of a text: if it built the tree, the leaf cannot be proven; grant it anew with numbers", raw)
		}
	}
}

// inspectStatus compares what the file calls a leaf with its place in the tree and with the clock.
func (in *inspection) inspectStatus(n *node) {
	status, treeKnown := n.leaf.StatusAt(in.now), in.report.Tree != nil
	if status == session.StatusExpired && (n.word == active || n.word == pending) {
		in.addLeaf(FindingStaleStatus, policy.SeverityNote, "status", "it is called %s, but its window ended at second %d; nothing signs with it, and the next grant or revocation leaves it out", n.word, n.leaf.ValidUntil)
	}
	switch {
	case treeKnown && !n.leaf.InTree:
		if in.file.header.Pending == nil && (status == session.StatusActive || status == session.StatusPending) {
			in.addLeaf(FindingOutsideTree, policy.SeverityWarning, "", "the root does not cover it, so that no call with it can be proven, and it is not taken over; grant it anew")
		}
	case !treeKnown:
	case status == session.StatusRevoked:
		in.addLeaf(FindingRevokedInTree, policy.SeverityDanger, "status", "it is called %s and is in the tree all the same, so that the chain accepts whoever has its key; have the owner grant or revoke from here, which sets a root without it", n.word)
	case status == session.StatusExpired:
		in.addLeaf(FindingExpiredInTree, policy.SeverityNote, "status", "its window is over and it is still in the tree; the next grant or revocation leaves it out")
	case status == session.StatusPending && in.report.Chain == nil:
		in.addLeaf(FindingPendingInTree, policy.SeverityNote, "status", "the SDK wrote it and the root down before the operation was sent, and nothing says that it landed; compare with the chain, by WithChain or with Reconcile after the export")
	}
}

// knownAddresses are those that a rule may have been about.
func (in *inspection) knownAddresses() map[common.Address]bool {
	known := map[common.Address]bool{in.report.Ref.Account: true}
	for _, n := range in.file.nodes {
		known[n.leaf.Key] = true
		if p, ok := contracts.ParseABIPermission(n.leaf.Data); ok && n.leaf.Module == in.modules.ABI {
			known[p.Contract] = true
		}
	}
	return known
}

// inspectKey compares the key that the leaf is said to belong to with the one that its data lets sign.
func (in *inspection) inspectKey(key common.Address) {
	n := in.file.nodes[in.at]
	if key == n.leaf.Key {
		return
	}
	f := finding(policy.FindingKey, policy.SeverityDanger, fmt.Sprintf("it is %s, but the leaf's data lets key %s sign; correct sessionPublicKey, which is not part of the leaf on chain", n.leaf.Key, key))
	f.Fatal, f.Entry = n.leaf.Status != session.StatusRevoked, n.place+".sessionPublicKey"
	in.add(f)
}
