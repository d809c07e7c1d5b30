package tsstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-sesame/sesame/session"
)

// node is one leaf as a file has it.
type node struct {
	raw   object
	leaf  session.Leaf // InTree is for the file to decide
	word  string       // the SDK's status
	place string       // where in the file it was read, such as leafNodes[2]
}

// ours are a node's fields that the SDK does not know.
type nodeExtension struct {
	Function string `json:"function,omitempty"`
}

// parseNode reads a leaf node, and what is wrong with it.
func parseNode(place string, raw object, now time.Time) (*node, []*FormatError) {
	r := reader{object: raw}
	n := &node{raw: raw, place: place}
	word, named := r.text("status")
	n.word = word
	n.leaf.ID, _ = r.text("sessionID")
	n.leaf.ValidUntil = r.seconds("validUntil")
	n.leaf.ValidAfter = r.seconds("validAfter")
	n.leaf.Module = r.address("sessionValidationModule")
	n.leaf.Key = r.address("sessionPublicKey")
	n.leaf.Data = r.bytes("sessionKeyData")
	var known bool
	if n.leaf.Status, known = readStatus(n.word, &n.leaf, now); named && !known {
		r.fail("status", fmt.Sprintf("unknown status %.40q", n.word))
	}
	if own, ok := raw[extensionField]; ok {
		var extension nodeExtension
		if err := json.Unmarshal(own, &extension); err != nil {
			r.fail(extensionField, err.Error())
		}
		n.leaf.Function = extension.Function
	}
	if err := n.leaf.ValidateStored(); len(r.bad) == 0 && err != nil {
		r.fail("", err.Error())
	}
	for i, bad := range r.bad {
		r.bad[i] = bad.in(place + ".")
	}
	return n, r.bad
}

// update returns the node with the leaf put in its place; of a nil node, a new one. Fields that mean the same
// stay as the SDK wrote them.
func (n *node) update(leaf session.Leaf) *node {
	next := &node{raw: make(object), leaf: leaf, word: writeStatus(leaf.Status)}
	old := &session.Leaf{}
	if n != nil {
		old = &n.leaf
		for field, value := range n.raw {
			next.raw[field] = value
		}
		// What EXPIRED means depends on both, and on the time: of a tombstone it would not stay one.
		if leaf.Status == n.leaf.Status && leaf.ValidUntil == n.leaf.ValidUntil && (leaf.Status != session.StatusRevoked || n.word != expired) {
			next.word = n.word
		}
	}
	isNew := n == nil
	if isNew || old.ValidUntil != leaf.ValidUntil {
		next.raw.setNumber("validUntil", leaf.ValidUntil)
	}
	if isNew || old.ValidAfter != leaf.ValidAfter {
		next.raw.setNumber("validAfter", leaf.ValidAfter)
	}
	if isNew || old.Module != leaf.Module {
		next.raw.setText("sessionValidationModule", strings.ToLower(leaf.Module.Hex()))
	}
	if isNew || old.Key != leaf.Key {
		next.raw.setText("sessionPublicKey", strings.ToLower(leaf.Key.Hex()))
	}
	if isNew || !bytes.Equal(old.Data, leaf.Data) {
		next.raw.setText("sessionKeyData", lowerHex(leaf.Data))
	}
	if old.Function != leaf.Function {
		next.raw[extensionField], _ = encode(nodeExtension{Function: leaf.Function}) // a string always marshals
	}
	next.raw.setText("sessionID", leaf.ID)
	next.raw.setText("status", next.word)
	return next
}
