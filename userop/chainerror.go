package userop

import (
	"context"
	"errors"
	"io"
	"net"
	"regexp"
)

// unread reports whether err is a node that could not be read for now, while an operation was prepared: it was
// out of reach, or has too much to do. A chain reader's errors do not tell that by a method, as those of
// the bundler and the paymaster do.
func unread(err error) bool {
	var failed *Error
	if !errors.As(err, &failed) || failed.Step != StepPrepare {
		return false
	}
	var (
		name   *net.DNSError
		broken *net.OpError
		answer interface{ ErrorCode() int }
	)
	switch cause := failed.Err; {
	case errors.Is(cause, context.Canceled), errors.As(cause, &name) && name.IsNotFound:
		return false
	case errors.As(cause, &answer):
		return answer.ErrorCode() == -32005 || answer.ErrorCode() == 429 // limit exceeded (EIP-1474), and what some say instead
	case errors.As(cause, &broken):
		return broken.Op == "dial" || broken.Op == "read" || broken.Op == "write"
	case errors.Is(cause, io.EOF), errors.Is(cause, io.ErrUnexpectedEOF):
		return true
	default:
		return busyStatus.MatchString(innermost(cause).Error())
	}
}

// busyStatus is how an error of go-ethereum's rpc client begins where HTTP itself failed in a way that passes.
var busyStatus = regexp.MustCompile(`^(408|429|5\d\d) `)

func innermost(err error) error {
	for {
		cause := errors.Unwrap(err)
		if cause == nil {
			return err
		}
		err = cause
	}
}
