package bundler

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// What bundlers say of the fees that would have been enough. Rundler names those of the operation in the way,
// and in prechecks the least ones, as Biconomy's does; the reference bundler names the old fee; Alto, Stackup
// and Silius say a percentage.
var (
	currentTip    = regexp.MustCompile(`(?i)\bcurrent priority fee:? (0x[0-9a-f]+|\d+)`)
	currentFee    = regexp.MustCompile(`(?i)\bcurrent fee:? (0x[0-9a-f]+|\d+)`)
	oldFee        = regexp.MustCompile(`(?i)\bhigher (maxFeePerGas|maxPriorityFeePerGas) \(old=(0x[0-9a-f]+|\d+)`)
	leastFee      = regexp.MustCompile(`(?i)\b(maxFeePerGas|maxPriorityFeePerGas)\b[^.;]{0,40}?\b(?:at least|>=|minimum(?: is)?) ?(0x[0-9a-f]+|\d+)\b`)
	leastPercent  = regexp.MustCompile(`(?i)(?:\bat least|\bminimum|\bmin|>=|\bby) ?(\d{1,3}) ?%`)
	onReplacement = regexp.MustCompile(`(?i)replac|bump the gas|underpriced`)
)

// replacePercent is what bundlers ask for above an operation that they name the fees of.
const replacePercent = 10

// FeeDemand returns what the bundler says of the fees that would have been enough; false where it says
// nothing of them. It is a claim, and no bound.
func (e *Error) FeeDemand() (userop.FeeDemand, bool) {
	var demand userop.FeeDemand
	var inTheWay userop.Fees
	e.readCurrent(&inTheWay)
	if found := leastPercent.FindStringSubmatch(e.Message); found != nil && onReplacement.MatchString(e.Message) {
		percent, _ := strconv.ParseUint(found[1], 10, 8) // too large a one is none
		demand.Percent = uint(percent)
	}
	for _, found := range leastFee.FindAllStringSubmatch(e.Message, -1) {
		readFee(feeNamed(&demand.AtLeast, found[1]), found[2])
	}
	percent := max(demand.Percent, replacePercent)
	for _, field := range []struct{ least, inTheWay *uint256.Int }{
		{&demand.AtLeast.MaxFeePerGas, &inTheWay.MaxFeePerGas},
		{&demand.AtLeast.MaxPriorityFeePerGas, &inTheWay.MaxPriorityFeePerGas},
	} {
		if !field.inTheWay.IsZero() {
			*field.least = outbidding(field.inTheWay, percent)
		}
	}
	return demand, demand != userop.FeeDemand{}
}

// readCurrent reads the fees of the operation that is in the way.
func (e *Error) readCurrent(inTheWay *userop.Fees) {
	var data struct {
		CurrentPriority json.RawMessage `json:"currentPriority"`
		CurrentFee      json.RawMessage `json:"currentFee"`
	}
	if json.Unmarshal(e.Data, &data) == nil { // what is no such object says nothing
		readFee(&inTheWay.MaxPriorityFeePerGas, string(data.CurrentPriority))
		readFee(&inTheWay.MaxFeePerGas, string(data.CurrentFee))
	}
	if found := currentTip.FindStringSubmatch(e.Message); found != nil {
		readFee(&inTheWay.MaxPriorityFeePerGas, found[1])
	}
	if found := currentFee.FindStringSubmatch(e.Message); found != nil {
		readFee(&inTheWay.MaxFeePerGas, found[1])
	}
	for _, found := range oldFee.FindAllStringSubmatch(e.Message, -1) {
		readFee(feeNamed(inTheWay, found[1]), found[2])
	}
}

func feeNamed(fees *userop.Fees, name string) *uint256.Int {
	if strings.EqualFold(name, "maxFeePerGas") {
		return &fees.MaxFeePerGas
	}
	return &fees.MaxPriorityFeePerGas
}

// readFee reads a number in decimal or hex; one that is none, or beyond 128 bits, leaves the fee.
func readFee(fee *uint256.Int, text string) {
	if read, err := quantity.Parse(strings.Trim(text, `"`)); err == nil && read.Int().BitLen() <= 128 {
		*fee = *read.Int()
	}
}

// outbidding is the least fee that is so many percent above, and a wei at least.
func outbidding(fee *uint256.Int, percent uint) uint256.Int {
	more := new(uint256.Int).Mul(fee, uint256.NewInt(uint64(100+percent))) // of 128 bits at most
	more.AddUint64(more, 99)
	return *more.Div(more, uint256.NewInt(100))
}
