package tsstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sesame/sesame/session"
)

// inspectSessions inspects a file of sessions.
func (in *inspection) inspectSessions(content []byte) {
	if len(content) == 0 {
		return
	}
	top, raws, bad := salvage(content)
	switch {
	case bad == nil:
	case bad.Entry != "":
		in.addBad(FindingMalformed, bad, "restore the file from a backup")
	default:
		in.addBad(FindingBroken, bad, fmt.Sprintf("or restore the file from a backup; whole leaf nodes that can be read: %d", len(raws)))
	}
	in.file.top = top
	own := in.inspectExtension()
	leafNodes := in.parseLeafNodes(raws)
	in.file.nodes = slices.Clone(leafNodes)
	in.file.arrange(own.Granted)
	for i, a := range own.Apart {
		if n := in.parseNode(apartPlace(i), a.Leaf); n != nil {
			in.file.insert(n, a.Position)
		}
	}
	in.file.header.Pending = own.Pending

	in.inspectParsed()
	in.inspectRoot(leafNodes, bad == nil && len(raws) == len(leafNodes))
	in.inspectLeaves()
}

// inspectExtension reads what this package added to the file.
func (in *inspection) inspectExtension() extension {
	own, err := in.file.parseExtension(in.report.Ref)
	bad, ok := errors.AsType[*FormatError](err)
	switch {
	case !ok:
		return own
	case bad.Entry == "":
		in.addBad(FindingOtherChain, bad, "open this one for the chain that it is of")
		return own
	}
	in.addBad(FindingMalformed, bad, "restore the file from a backup, or remove the field if no change waits for the chain")
	return extension{}
}

// parsed is a leaf node with what is wrong with it.
type parsed struct {
	node *node
	bad  []*FormatError
}

func (in *inspection) parseLeafNodes(raws []json.RawMessage) (nodes []*node) {
	for i, raw := range raws {
		var fields object
		if bad := parseObject(raw, &fields); bad != nil {
			in.parsed = append(in.parsed, parsed{bad: []*FormatError{bad.in(leafNodePlace(i) + ".")}})
		} else if n := in.parseNode(leafNodePlace(i), fields); n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// parseNode reads a leaf node, or returns nil if it does not say what the leaf is on chain.
func (in *inspection) parseNode(place string, raw object) *node {
	n, bad := parseNode(place, raw, in.now)
	in.parsed = append(in.parsed, parsed{n, bad})
	for _, b := range bad {
		switch strings.TrimPrefix(b.Entry, place+".") {
		case "validUntil", "validAfter", "sessionValidationModule", "sessionPublicKey", "sessionKeyData":
			return nil
		}
	}
	if n.leaf.Status == 0 {
		n.leaf.Status = session.StatusRevoked // what is not known does not sign
	}
	return n
}

// inspectParsed says what is wrong with single leaf nodes, and with two of one ID.
func (in *inspection) inspectParsed() {
	position := in.positions()
	for _, p := range in.parsed {
		in.at = NoLeaf
		if at, ok := position[p.node]; ok {
			in.at = at
		}
		for _, bad := range p.bad {
			in.addBad(FindingMalformed, bad, "correct it, or remove the leaf node if its root was never set")
		}
	}
	seen := make(map[string]int, len(in.file.nodes))
	for at, n := range in.file.nodes {
		in.at = at
		first, twice := seen[n.leaf.ID]
		if !twice {
			seen[n.leaf.ID] = at
			continue
		}
		bad := &FormatError{Entry: n.place + ".sessionID", Problem: fmt.Sprintf("%s has the same ID, and the SDK finds that one only", in.file.nodes[first].place)}
		in.addBad(FindingSameID, bad, "rename this one")
	}
	in.at = NoLeaf
}

func (in *inspection) positions() map[*node]int {
	position := make(map[*node]int, len(in.file.nodes))
	for at, n := range in.file.nodes {
		position[n] = at
	}
	return position
}
