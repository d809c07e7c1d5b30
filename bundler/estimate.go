package bundler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/jsonrpc"
	"github.com/go-sesame/sesame/internal/opjson"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// EstimateUserOperationGas returns the gas limits op needs (eth_estimateUserOperationGas). op carries a dummy
// signature. Of the limits that are not known yet, which are zero in op, verificationGasLimit is left out and
// the others go as 0x0; a bundler that refuses this form is asked once more with all of them left out, and
// asked so from then on where it takes that. overrides go out only if there are any: not every bundler takes
// them.
func (c *Client) EstimateUserOperationGas(ctx context.Context, op *userop.Operation, entryPoint common.Address, overrides userop.StateOverride) (userop.Gas, error) {
	form := limitsForm(c.limits.Load())
	var refused error
	for {
		params := []any{opjson.InForm{Operation: (*contracts.UserOperation)(op), Form: opjson.Form{LeaveOut: form.leavesOut()}}, opjson.Address(entryPoint)}
		if len(overrides) != 0 {
			params = append(params, overrides)
		}
		var answer gasAnswer
		switch err := c.read(ctx, &answer, "eth_estimateUserOperationGas", params...); {
		case err == nil && refused != nil:
			c.limits.Store(int32(form))
			fallthrough
		case err == nil:
			return userop.Gas(answer), nil
		case refused != nil && err.Error() == refused.Error():
			return userop.Gas{}, err
		case refused != nil:
			return userop.Gas{}, fmt.Errorf("%w (asked again %s: %w)", refused, form, err)
		case !form.matters(op) || !refusesForm(err):
			return userop.Gas{}, err
		default:
			refused, form = err, form.other()
		}
	}
}

// limitsForm is how the limits that are not known yet go out in an estimation.
type limitsForm int32

const (
	// zeroLimits leaves verificationGasLimit out and sends the others as 0x0. The reference bundler fails
	// deployments with a verificationGasLimit of zero, and misses a callGasLimit that is not there.
	zeroLimits limitsForm = iota
	// noLimits leaves all of them out, as ERC-7769 allows.
	noLimits
)

// leavesOut lists the limits that are left out where they are zero.
func (f limitsForm) leavesOut() []string {
	if f == noLimits {
		return []string{"verificationGasLimit", "callGasLimit", "preVerificationGas"}
	}
	return []string{"verificationGasLimit"}
}

func (f limitsForm) other() limitsForm {
	if f == zeroLimits {
		return noLimits
	}
	return zeroLimits
}

// matters reports whether the operation goes out differently in the other form.
func (f limitsForm) matters(op *userop.Operation) bool {
	return op.CallGasLimit.IsZero() || op.PreVerificationGas.IsZero()
}

func (f limitsForm) String() string {
	if f == noLimits {
		return "without gas limits"
	}
	return "with gas limits of zero"
}

// namesLimit finds in a refusal that it is about a field of the operation.
var namesLimit = regexp.MustCompile(`(?i)call_?gas_?limit|verification_?gas_?limit|pre_?verification_?gas|\b(missing|required) .{0,20}field\b`)

// refusesForm reports whether a failure may be about the form of the limits: the bundler calls the parameters
// wrong, or names a limit, and has not looked at what the operation does.
func refusesForm(err error) bool {
	if transport := (*TransportError)(nil); errors.As(err, &transport) {
		return transport.HTTPStatus == http.StatusBadRequest || transport.HTTPStatus == http.StatusUnprocessableEntity
	}
	answer := (*Error)(nil)
	if !errors.As(err, &answer) || answer.AA != nil || answer.Revert != nil || jsonrpc.Decided(answer.Code) ||
		answer.Temporary() || answer.answer().MethodMissing() {
		return false
	}
	return answer.Code == jsonrpc.CodeInvalidParams || namesLimit.MatchString(answer.Message) || namesLimit.Match(answer.Data)
}

// gasAnswer is an estimation; all three limits have to be there.
type gasAnswer userop.Gas

// UnmarshalJSON reads an estimation. verificationGas is what early bundlers call verificationGasLimit.
func (g *gasAnswer) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	verification := "verificationGasLimit"
	if !obj.Has(verification) && obj.Has("verificationGas") {
		verification = "verificationGas"
	}
	var read gasAnswer
	obj.Require("callGasLimit", (*quantity.Quantity)(&read.CallGasLimit))
	obj.Require(verification, (*quantity.Quantity)(&read.VerificationGasLimit))
	obj.Require("preVerificationGas", (*quantity.Quantity)(&read.PreVerificationGas))
	if err := obj.Err(); err != nil {
		return err
	}
	*g = read
	return nil
}
