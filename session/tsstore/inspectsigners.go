package tsstore

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// inspectSigners inspects a file of session keys, against the leaves that were read before.
func (in *inspection) inspectSigners(content []byte) {
	var file signers
	if len(content) > 0 {
		if bad := parseObject(content, &file.entries); bad != nil {
			in.addBad(FindingBroken, bad, "or restore the file from a backup")
			return
		}
		defer file.wipe()
		in.add(finding(FindingClearKeys, policy.SeverityWarning,
			fmt.Sprintf("session keys in clear: %d; move them with Transfer to a store that seals them, and delete the file", len(file.entries))))
	}
	in.inspectUse(in.inspectEntries(&file))
}

// inspectEntries returns the names of the entries by their addresses, of the broken ones too.
func (in *inspection) inspectEntries(file *signers) map[common.Address]string {
	names := make(map[common.Address]string, len(file.entries))
	for _, name := range slices.Sorted(maps.Keys(file.entries)) {
		address, bad := entryAddress(name)
		if bad == nil {
			if other, twice := names[address]; twice {
				bad = sameEntry(name, other)
			}
		}
		if bad == nil {
			names[address] = name
			if err := file.check(name, address); err != nil {
				bad = err
			}
		}
		if bad != nil {
			in.addBad(FindingBadSigner, bad, "correct the entry, or remove it if no leaf needs it")
		}
	}
	return names
}

// inspectUse compares the keys with those that the leaves belong to.
func (in *inspection) inspectUse(names map[common.Address]string) {
	used := make(map[common.Address]bool, len(in.file.nodes))
	for at, n := range in.file.nodes {
		used[n.leaf.Key] = true
		status := n.leaf.StatusAt(in.now)
		if _, held := names[n.leaf.Key]; held || status == session.StatusRevoked || status == session.StatusExpired {
			continue
		}
		in.at = at
		f := finding(FindingNoSigner, policy.SeverityWarning, "there is no such entry, so that the leaf cannot sign from here; the SDK's createSession puts keys into another storage than its own: import the key from there, unless it is another service's")
		f.Entry = strings.ToLower(n.leaf.Key.Hex())
		in.add(f)
	}
	in.at = NoLeaf
	for _, name := range slices.Sorted(maps.Values(names)) {
		if address, _ := entryAddress(name); !used[address] {
			f := finding(FindingUnusedSigner, policy.SeverityNote, "the key belongs to no leaf, as one that the SDK's createSession makes and throws away, and is not taken over; remove the entry, or import it by hand if a grant is to come")
			f.Entry = name
			in.add(f)
		}
	}
}
