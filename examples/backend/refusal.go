package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// refusal is an answer that is none: what the user may know of an error.
type refusal struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (r *refusal) Error() string { return r.Message }

func refusef(status int, code, format string, args ...any) error {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

// refuse answers with an error. What is no fault of the user's is logged, and not told.
func (s *service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	no := refusalOf(err)
	if no.status >= http.StatusInternalServerError {
		s.log.Warn("failed", "path", r.URL.Path, "error", err)
		w.Header().Set("Retry-After", "2")
	}
	write(w, no.status, no)
}

// refusalOf finds the answer to an error: what the library says matches one of a few values.
func refusalOf(err error) *refusal {
	if no, ok := errors.AsType[*refusal](err); ok {
		return no
	}
	if violation, ok := errors.AsType[*policy.Violation](err); ok {
		return &refusal{http.StatusForbidden, "not_allowed", violation.Error()}
	}
	if reverted, ok := errors.AsType[*userop.RevertError](err); ok {
		return &refusal{http.StatusConflict, "reverted", reverted.Error()}
	}
	for _, known := range []struct {
		err    error
		status int
		code   string
	}{
		{account.ErrWrongOwner, http.StatusForbidden, "wrong_wallet"},
		{account.ErrBadSignature, http.StatusBadRequest, "signature"},
		{account.ErrKeyReused, http.StatusUnprocessableEntity, "key_reused"},
		{userop.ErrExpired, http.StatusGone, "too_late"},
		{userop.ErrReplaced, http.StatusConflict, "replaced"},
		{session.ErrRevoked, http.StatusForbidden, "stopped"},
		{session.ErrExpired, http.StatusForbidden, "over"},
		{session.ErrNotYetValid, http.StatusForbidden, "too_early"},
		{session.ErrPending, http.StatusConflict, "pending"},
		{session.ErrRootMismatch, http.StatusConflict, "root_mismatch"},
		{session.ErrConflict, http.StatusConflict, "changed"},
		{session.ErrNotFound, http.StatusNotFound, "not_found"},
		{session.ErrNoLeaf, http.StatusNotFound, "not_found"},
		{account.ErrFundsAtRisk, http.StatusConflict, "funds_at_risk"},
		{account.ErrNotDeployed, http.StatusConflict, "not_deployed"},
		{account.ErrModuleNotEnabled, http.StatusForbidden, "not_allowed"},
		{userop.ErrNotSponsored, http.StatusForbidden, "not_sponsored"},
		{policy.ErrInvalid, http.StatusBadRequest, "invalid"},
	} {
		if errors.Is(err, known.err) {
			return &refusal{known.status, known.code, err.Error()}
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &refusal{http.StatusServiceUnavailable, "try_again", "it took too long; try again, which does nothing twice"}
	}
	return &refusal{http.StatusServiceUnavailable, "try_again", "a service is out of reach or refused; try again, which does nothing twice"}
}
