package userop

import (
	"context"
	"errors"
)

// deniedPause is between a question that was denied and the next try.
const deniedPause = firstPoll

// twice are the tries of a question whose asking gives nothing away. A gateway says in passing that a key is
// not valid, or that there is nothing at a path: where access was denied, the service is asked once more.
//
//	for t := (twice{ctx: ctx}); t.next(&err); {
//		gas, err = bundler.EstimateUserOperationGas(…)
//	}
type twice struct {
	ctx   context.Context
	tries int
}

// next begins the first try and, where that one was denied, the second.
func (t *twice) next(err *error) bool {
	if t.tries++; t.tries == 1 {
		return true
	}
	return t.tries == 2 && denied(*err) && sleep(t.ctx, jitter(deniedPause)) == nil
}

// denied reports whether a service denied access, rather than that it refused what was asked for.
func denied(err error) bool {
	if err == nil {
		return false
	}
	var judged interface{ AccessDenied() bool }
	return errors.As(err, &judged) && judged.AccessDenied() && !errors.Is(err, ErrNotSponsored)
}
