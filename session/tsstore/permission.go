package tsstore

import (
	"encoding/binary"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
)

// sensible reports whether the first bytes can be a rule's offset and condition.
func sensible(b []byte) bool {
	return len(b) >= contracts.ABIRuleWordAt && binary.BigEndian.Uint16(b)%abi.WordSize == 0 && b[contracts.ABIRuleConditionAt] <= byte(policy.NotEqual)
}

// misfit returns which rule's reference value has not 32 bytes, if that explains the excess and no other rule
// does.
func misfit(p *contracts.ABIPermission) (index int, ok bool) {
	index = -1
	for i := range p.Count {
		if !fits(p, i) {
			continue
		}
		if index >= 0 {
			return 0, false
		}
		index = i
	}
	return index, index >= 0
}

// fits reports whether all rules make sense if the excess is in rule i.
func fits(p *contracts.ABIPermission, i int) bool {
	if contracts.ABIRuleSize+p.Excess() < contracts.ABIRuleWordAt {
		return false
	}
	rest := p.Rules
	for n := range p.Count {
		if !sensible(rest) {
			return false
		}
		size := contracts.ABIRuleSize
		if n == i {
			size += p.Excess()
		}
		if len(rest) < size {
			return false
		}
		rest = rest[size:]
	}
	return len(rest) == 0
}

// wideLimit returns how many bytes the value limit has, and how many rules come after it, if more than its 16
// bytes explain the data's length.
func wideLimit(data []byte) (size, rules int, ok bool) {
	for size = contracts.ABILimitSize + 1; size <= abi.WordSize; size++ {
		at := contracts.ABILimitAt + size
		if len(data) < at+contracts.ABICountSize {
			break
		}
		count, rest := int(binary.BigEndian.Uint16(data[at:])), data[at+contracts.ABICountSize:]
		if len(rest) != count*contracts.ABIRuleSize {
			continue
		}
		for len(rest) > 0 && sensible(rest) {
			rest = rest[contracts.ABIRuleSize:]
		}
		if len(rest) == 0 {
			return size, count, true
		}
	}
	return 0, 0, false
}
