package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/node"
	"github.com/go-sesame/sesame/session"
)

// The services of a client, as a [CheckFailure] names them.
const (
	CheckedNode      = "node"
	CheckedContracts = "contracts"
	CheckedBundler   = "bundler"
	CheckedPaymaster = "paymaster"
	CheckedOutbox    = "outbox"
)

// longestCheck bounds what is asked of one service.
const longestCheck = 10 * time.Second

// errUnchecked is why a check ended that is not the caller's.
var errUnchecked = fmt.Errorf("no answer within %s: %w", longestCheck, context.DeadlineExceeded)

// CheckError is what [Client.Check] found. It matches each of the causes.
type CheckError struct {
	// Failed are the services that failed, one entry each, in the order node, contracts, bundler, paymaster,
	// outbox.
	Failed []CheckFailure
}

// CheckFailure is one service that would fail a send, and why.
type CheckFailure struct {
	// Service is [CheckedNode], [CheckedContracts], [CheckedBundler], [CheckedPaymaster] or [CheckedOutbox].
	Service string
	Err     error
}

// Error has a line for each service.
func (e *CheckError) Error() string {
	var b strings.Builder
	b.WriteString("not ready:")
	for _, failed := range e.Failed {
		b.WriteString("\n" + failed.Service + ": " + strings.Join(strings.Fields(failed.Err.Error()), " "))
	}
	return b.String()
}

// Unwrap returns the causes.
func (e *CheckError) Unwrap() []error {
	causes := make([]error, len(e.Failed))
	for i, failed := range e.Failed {
		causes[i] = failed.Err
	}
	return causes
}

// LogValue implements [slog.LogValuer]: the cause of each service that failed, by its name.
func (e *CheckError) LogValue() slog.Value {
	services := make([]any, len(e.Failed))
	for i, failed := range e.Failed {
		services[i] = slog.Any(failed.Service, failed.Err)
	}
	return slog.GroupValue(slog.String("msg", e.Error()), slog.Group("services", services...))
}

// Check asks all that a send needs whether it is there: the node, which has to serve [Config].ChainID; the
// contracts, those that no account works without and those that Config names; the bundler, for that chain and
// the EntryPoint; the paymaster, where it can be asked ([userop.Checker]); and the outbox, where it can
// ([session.Pinger]). It signs, sends and sponsors nothing.
//
// All are asked side by side, each for 10 seconds at most, and each that fails is told, with the way out, in
// a [*CheckError]; nil means that all is well. What needs a node that fails is not told apart.
//
// It asks anew each time: some seven requests. Who is asked often keeps the answer for a few seconds.
func (c *Client) Check(ctx context.Context) error {
	services := [][]serviceCheck{ // what depends on another one comes after it
		{{CheckedNode, c.checkNode}, {CheckedContracts, c.checkContracts}},
		{{CheckedBundler, c.sender.CheckBundler}},
		{{CheckedPaymaster, c.sender.CheckPaymaster}},
		{{CheckedOutbox, c.pingOutbox}},
	}
	found := make([]*CheckFailure, len(services))
	var asking sync.WaitGroup
	for i, checks := range services {
		asking.Go(func() { found[i] = firstFailure(ctx, checks) })
	}
	asking.Wait()
	var failed []CheckFailure
	for _, failure := range found {
		if failure != nil {
			failed = append(failed, *failure)
		}
	}
	if failed == nil {
		return nil
	}
	return &CheckError{failed}
}

// serviceCheck is what is asked of a service.
type serviceCheck struct {
	service string
	ask     func(ctx context.Context) error
}

// firstFailure makes checks one after the other, until one fails.
func firstFailure(ctx context.Context, checks []serviceCheck) *CheckFailure {
	ctx, cancel := context.WithTimeoutCause(ctx, longestCheck, errUnchecked)
	defer cancel()
	for _, check := range checks {
		if err := check.ask(ctx); err != nil {
			return &CheckFailure{check.service, err}
		}
	}
	return nil
}

// checkNode returns an error unless the node answers, and serves the chain.
func (c *Client) checkNode(ctx context.Context) error {
	var id *big.Int
	var err error
	for t := node.Ask(ctx); t.Next(&err); {
		id, err = c.chain.ChainID(t.Context)
	}
	return c.judgeChainID(id, err)
}

// checkContracts returns an error unless the contracts are there that no account works without, and those
// that somebody put in the place of well-known ones.
func (c *Client) checkContracts(ctx context.Context) error {
	list, err := c.contracts.Deployed(ctx, c.chain)
	if err != nil {
		return err
	}
	var missing []string
	for i, known := range DefaultContracts(c.chainID).list() {
		if at := list[i]; !at.Deployed && (at.Required || at.Address != known.Address) {
			missing = append(missing, fmt.Sprintf("%s %s", at.Name, at.Address))
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("%w: %s on chain %d; name this chain's deployment in Config.Contracts, or use a chain that has one",
		ErrNoContract, strings.Join(missing, ", "), c.chainID)
}

// pingOutbox asks the outbox, where there is one that can be asked.
func (c *Client) pingOutbox(ctx context.Context) error {
	store, ok := ability.Find[session.Pinger](c.writes.store)
	if !ok {
		return nil
	}
	err := store.Ping(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errUnchecked) && !errors.Is(err, errUnchecked) {
		err = fmt.Errorf("%w: %w", errUnchecked, err)
	}
	return err
}
