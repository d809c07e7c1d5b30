package account

import (
	"errors"
	"time"

	"github.com/go-sesame/sesame/userop"
)

// rereadRefused has an operation made anew, once, that a service refuses for what was remembered, perhaps:
// its nonce, which another process may have used since, or its fees. What else is remembered is forgotten
// where a refusal may come of it, so that the next operation tells; a root that moved is for
// [Client.renewal].
func (c *Client) rereadRefused(draft *userop.Draft, s *settings, remembered ...moduleKey) {
	began := time.Now()
	draft.Forget = func(nonce userop.Reservation, refusal error, nonceStays bool) bool {
		switch aa := aaCode(refusal); {
		case aa == "AA20", aa == "AA23", aa == "AA24":
			c.forgetAccount(draft.Sender, remembered...)
			return false
		case aa == "AA25":
			remembers, ok := nonce.(interface{ forget() bool })
			return !nonceStays && ok && remembers.forget()
		case aa == "" && refusedFees(refusal):
			return s.fees == (userop.Fees{}) && c.fees.forgetBefore(began)
		}
		return false
	}
}

// aaCode is the code of an EntryPoint's refusal, empty for another one.
func aaCode(refusal error) string {
	aa, ok := errors.AsType[*userop.AAError](refusal)
	if !ok {
		aa, ok = userop.ParseAA(refusal.Error())
	}
	if !ok {
		return ""
	}
	return aa.Code
}

// refusedFees reports whether a service refused an operation for its fees, perhaps: its errors say so by a
// method FeesTooLow.
func refusedFees(refusal error) bool {
	var told interface{ FeesTooLow() bool }
	return errors.As(refusal, &told) && told.FeesTooLow()
}
