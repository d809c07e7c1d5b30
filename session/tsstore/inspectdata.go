package tsstore

import (
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
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
	p, ok := contracts.ParseABIPermission(data)
	if !ok {
		in.addLeaf(FindingData, policy.SeverityWarning, dataField, "it has %d bytes, fewer than the %d before the rules, so that no call passes; %s", len(data), contracts.ABIRulesAt, anew)
		return
	}
	in.inspectKey(p.Key)
	if p.Excess() != 0 {
		in.inspectLayout(data, &p)
		return
	}
	if text, ok := spells(data[contracts.ABILimitAt:contracts.ABICountAt]); ok {
		in.addLeaf(FindingNumberText, policy.SeverityDanger, dataField, "the value limit of %s wei spells %q: the SDK writes a text by its characters; %s with a bigint", p.Limit.Dec(), text, anew)
	}
	f := p.Function(in.file.nodes[in.at].leaf.Function, in.functions...)
	for i := range p.Count {
		raw := p.Rules[i*contracts.ABIRuleSize:][:contracts.ABIRuleSize]
		in.inspectRule(i, raw, f, known)
	}
	in.inspectOffsets()
}

// inspectOffsets looks for rules that were meant for a text, bytes or an array, and are on the word that says
// where it begins.
func (in *inspection) inspectOffsets() {
	config := policy.LintConfig{Modules: in.modules, Functions: in.functions}
	for _, f := range policy.Lint(config, &in.file.nodes[in.at].leaf.Compiled) {
		if f.Code == policy.FindingOffset {
			message := strings.TrimPrefix(f.Message, fmt.Sprintf("rule %d: ", f.Rule))
			in.addRule(f.Code, f.Severity, f.Rule, "%s; %s with rules on its length and its words", message, anew)
		}
	}
}

// inspectLayout says what is too long or too short in a permission.
func (in *inspection) inspectLayout(data []byte, p *contracts.ABIPermission) {
	if size, rules, ok := wideLimit(data); ok && p.Count+rules > 0 {
		in.addLeaf(FindingData, policy.SeverityDanger, dataField, "the value limit takes %d bytes and the module reads %d, so that it takes part of the limit for rules; %s with a limit below 2^128", size, contracts.ABILimitSize, anew)
		return
	}
	if i, ok := misfit(p); ok {
		in.addRule(FindingData, policy.SeverityDanger, i,
			"its reference value has length %d, since the SDK pads no raw one, and the module reads other rules than were meant, or fails; %s with 32 bytes", abi.WordSize+p.Excess(), anew)
		return
	}
	in.addLeaf(FindingData, policy.SeverityDanger, dataField, "its %d rules take %d bytes and it has %d, so that the module reads other rules than were meant, or fails; %s", p.Count, p.Count*contracts.ABIRuleSize, len(p.Rules), anew)
}

// inspectAllowance inspects the data of the ERC-20 module: three addresses and an amount, in words.
func (in *inspection) inspectAllowance(data []byte) {
	if len(data) != 4*abi.WordSize {
		in.addLeaf(FindingData, policy.SeverityWarning, dataField, "it has %d bytes, and three addresses and an amount have %d; %s", len(data), 4*abi.WordSize, anew)
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
			in.addLeaf(FindingPaddedRight, policy.SeverityWarning, dataField, "the %s %s is padded on the right, and the module fails on it; %s, padded on the left", name, common.Address(word[:common.AddressLength]), anew)
		default:
			in.addLeaf(FindingData, policy.SeverityWarning, dataField, "the %s %s is no address, and the module fails on it; %s", name, word, anew)
		}
	}
}
