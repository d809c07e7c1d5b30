package tsstore

import (
	"encoding/binary"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/internal/permission"
	"github.com/go-sesame/sesame/session/policy"
)

// sensible reports whether the first bytes can be a rule's offset and condition.
func sensible(b []byte) bool {
	return len(b) >= permission.WordAt && binary.BigEndian.Uint16(b)%abi.WordSize == 0 && b[permission.ConditionAt] <= byte(policy.NotEqual)
}

// misfit returns which rule's reference value has not 32 bytes, if that explains the excess and no other
// rule does.
func misfit(p *permission.Permission) (index int, ok bool) {
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
func fits(p *permission.Permission, i int) bool {
	if permission.RuleSize+p.Excess() < permission.WordAt {
		return false
	}
	rest := p.Rules
	for n := range p.Count {
		if !sensible(rest) {
			return false
		}
		size := permission.RuleSize
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

// wideLimit returns how many bytes the value limit has, and how many rules come after it, if more than
// its 16 bytes explain the data's length.
func wideLimit(data []byte) (size, rules int, ok bool) {
	for size = permission.LimitSize + 1; size <= abi.WordSize; size++ {
		at := permission.LimitAt + size
		if len(data) < at+permission.CountSize {
			break
		}
		count, rest := int(binary.BigEndian.Uint16(data[at:])), data[at+permission.CountSize:]
		if len(rest) != count*permission.RuleSize {
			continue
		}
		for len(rest) > 0 && sensible(rest) {
			rest = rest[permission.RuleSize:]
		}
		if len(rest) == 0 {
			return size, count, true
		}
	}
	return 0, 0, false
}
