package tsstore

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session"
)

const dataField = "sessionKeyData"

// anew is the way out of data that is on chain already.
const anew = "revoke it and grant it anew"

// inspectData inspects what a leaf's validation module judges calls by.
func (in *inspection) inspectData(n *node, known map[common.Address]bool) {
	switch n.leaf.Module {
	case in.modules.ABI:
		in.inspectPermission(n.leaf.Data, known)
	case in.modules.ERC20:
		in.inspectAllowance(n.leaf.Data)
	}
}

func (in *inspection) inspectPermission(data []byte, known map[common.Address]bool) {
	p, ok := parsePermission(data)
	if !ok {
		in.addLeaf(FindingData, session.SeverityWarning, dataField, "it has %d bytes, fewer than the %d before the rules, so that no call passes; %s", len(data), rulesAt, anew)
		return
	}
	in.inspectKey(p.key)
	if p.excess() != 0 {
		in.inspectLayout(data, &p)
		return
	}
	if text, ok := spells(data[limitAt:countAt]); ok {
		in.addLeaf(FindingNumberText, session.SeverityDanger, dataField, "the value limit of %s wei spells %q: the SDK writes a text by its characters; %s with a bigint", p.limit.Dec(), text, anew)
	}
	f := in.function(p.selector)
	for i := range p.count {
		raw := p.rules[i*ruleSize:][:ruleSize]
		in.inspectRule(fmt.Sprintf("%s.rules[%d]", dataField, i), raw, f, known)
	}
}

// inspectLayout says what is too long or too short in a permission.
func (in *inspection) inspectLayout(data []byte, p *permission) {
	if size, rules, ok := wideLimit(data); ok && p.count+rules > 0 {
		in.addLeaf(FindingData, session.SeverityDanger, dataField, "the value limit takes %d bytes and the module reads %d, so that it takes part of the limit for rules; %s with a limit below 2^128", size, limitSize, anew)
		return
	}
	if i, ok := p.misfit(); ok {
		in.addLeaf(FindingData, session.SeverityDanger, fmt.Sprintf("%s.rules[%d]", dataField, i),
			"its reference value has length %d, since the SDK pads no raw one, and the module reads other rules than were meant, or fails; %s with 32 bytes", abi.WordSize+p.excess(), anew)
		return
	}
	in.addLeaf(FindingData, session.SeverityDanger, dataField, "its %d rules take %d bytes and it has %d, so that the module reads other rules than were meant, or fails; %s", p.count, p.count*ruleSize, len(p.rules), anew)
}

// inspectAllowance inspects the data of the ERC-20 module: three addresses and an amount, in words.
func (in *inspection) inspectAllowance(data []byte) {
	if len(data) != 4*abi.WordSize {
		in.addLeaf(FindingData, session.SeverityWarning, dataField, "it has %d bytes, and three addresses and an amount have %d; %s", len(data), 4*abi.WordSize, anew)
		return
	}
	for i, name := range []string{"session key", "token", "recipient"} {
		word := common.Hash(data[i*abi.WordSize:])
		switch {
		case fitsLeft(word, common.AddressLength):
			if i == 0 {
				in.inspectKey(common.BytesToAddress(word[:]))
			}
		case fitsRight(word, common.AddressLength):
			in.addLeaf(FindingPaddedRight, session.SeverityWarning, dataField, "the %s %s is padded on the right, and the module fails on it; %s, padded on the left", name, common.Address(word[:common.AddressLength]), anew)
		default:
			in.addLeaf(FindingData, session.SeverityWarning, dataField, "the %s %s is no address, and the module fails on it; %s", name, word, anew)
		}
	}
}

// function returns the function of a selector: the leaf's own or one of [WithFunctions]; nil for none.
func (in *inspection) function(selector [abi.SelectorSize]byte) *abi.Function {
	return functionOf(in.file.nodes[in.at].leaf.Function, selector, in.functions)
}

// functionOf returns the function of a selector: the one of the signature, or one of those known; nil
// if it is none of them.
func functionOf(signature string, selector [abi.SelectorSize]byte, known []*abi.Function) *abi.Function {
	if f, err := abi.ParseFunction(signature); err == nil && f.Selector() == selector {
		return f
	}
	for _, f := range known {
		if f.Selector() == selector {
			return f
		}
	}
	return nil
}
