package tsstore

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session"
)

// The layout of the ABI session validation module's data, as it is before the SDK's faults:
// address key ‖ address contract ‖ bytes4 selector ‖ uint128 limit ‖ uint16 count ‖ rules.
const (
	contractAt = common.AddressLength
	selectorAt = contractAt + common.AddressLength
	limitAt    = selectorAt + abi.SelectorSize
	limitSize  = 16
	countAt    = limitAt + limitSize
	rulesAt    = countAt + countSize
	countSize  = 2

	// Of a rule: uint16 offset ‖ uint8 condition ‖ bytes32 reference.
	conditionAt = 2
	referenceAt = 3
	ruleSize    = referenceAt + abi.WordSize
)

// permission is that data.
type permission struct {
	key, contract common.Address
	selector      [abi.SelectorSize]byte
	limit         uint256.Int
	count         int
	rules         []byte
}

// parsePermission returns false for data that is too short for the module.
func parsePermission(data []byte) (p permission, ok bool) {
	if len(data) < rulesAt {
		return permission{}, false
	}
	p.key = common.Address(data[:contractAt])
	p.contract = common.Address(data[contractAt:selectorAt])
	p.selector = [abi.SelectorSize]byte(data[selectorAt:limitAt])
	p.limit.SetBytes(data[limitAt:countAt])
	p.count = int(binary.BigEndian.Uint16(data[countAt:]))
	p.rules = data[rulesAt:]
	return p, true
}

// excess is how many bytes of rules there are more than the count says.
func (p *permission) excess() int { return len(p.rules) - p.count*ruleSize }

// rule is one rule of a permission.
type rule struct {
	offset    uint64
	condition session.Condition
	word      common.Hash
}

func parseRule(b []byte) rule {
	return rule{
		offset:    uint64(binary.BigEndian.Uint16(b)),
		condition: session.Condition(b[conditionAt]),
		word:      common.Hash(b[referenceAt:ruleSize]),
	}
}

// sensible reports whether the first bytes can be a rule's offset and condition.
func sensible(b []byte) bool {
	return len(b) >= referenceAt && binary.BigEndian.Uint16(b)%abi.WordSize == 0 && b[conditionAt] <= byte(session.NotEqual)
}

// misfit returns which rule's reference value has not 32 bytes, if that explains the excess and no other
// rule does.
func (p *permission) misfit() (index int, ok bool) {
	index = -1
	for i := range p.count {
		if !p.fits(i) {
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
func (p *permission) fits(i int) bool {
	if ruleSize+p.excess() < referenceAt {
		return false
	}
	rest := p.rules
	for n := range p.count {
		if !sensible(rest) {
			return false
		}
		size := ruleSize
		if n == i {
			size += p.excess()
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
	for size = limitSize + 1; size <= abi.WordSize; size++ {
		at := limitAt + size
		if len(data) < at+countSize {
			break
		}
		count, rest := int(binary.BigEndian.Uint16(data[at:])), data[at+countSize:]
		if len(rest) != count*ruleSize {
			continue
		}
		for len(rest) > 0 && sensible(rest) {
			rest = rest[ruleSize:]
		}
		if len(rest) == 0 {
			return size, count, true
		}
	}
	return 0, 0, false
}
