package account_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/userop"
)

// panicking is a bundler that panics, as a wrapper with a fault does.
type panicking struct {
	userop.Bundler
}

func (p panicking) Unwrap() userop.Bundler { return p.Bundler }

func (panicking) SendUserOperation(context.Context, *userop.Operation, common.Address) (common.Hash, error) {
	panic("a fault of the wrapper's")
}

// A panic in what the caller gave is told as it is, and leaves no span open and no level raised.
func TestObserveAPanic(t *testing.T) {
	s := newObservedStage(t, func(cfg *account.Config) { cfg.Bundler = panicking{cfg.Bundler} })
	require.PanicsWithValue(t, "a fault of the wrapper's", func() { _, _ = s.mint(t.Context()) })
	for _, span := range s.spans.All() {
		require.True(t, span.Ended, span.Name)
	}
	require.Equal(t, "unknown", s.spans.Named("sesame.send")[0].Attrs["sesame.outcome"])
	require.EqualValues(t, 1, s.meters.Sum("sesame.sends", "sesame.outcome=unknown"))

	s.config.TracerProvider, s.config.MeterProvider, s.config.Logger, s.config.Hooks = nil, nil, nil, userop.Hooks{}
	client, err := account.NewClient(s.config)
	require.NoError(t, err)
	s.user = client.Account(s.owner.Address())
	require.PanicsWithValue(t, "a fault of the wrapper's", func() { _, _ = s.mint(t.Context()) })
}

// A hook that panics as a stage begins leaves no span open and no level raised.
func TestObserveAHookThatPanics(t *testing.T) {
	s := newObservedStage(t, func(cfg *account.Config) {
		cfg.Hooks = userop.Hooks{Begin: func(_ context.Context, e userop.Event) {
			if e.What == userop.StageWait {
				panic("a fault of the hook's")
			}
		}}
	})
	tx, err := s.mint(t.Context())
	require.NoError(t, err)
	require.PanicsWithValue(t, "a fault of the hook's", func() { _, _ = tx.Wait(t.Context()) })
	require.Zero(t, s.meters.Sum("sesame.operations.waiting"))
	for _, span := range s.spans.All() {
		require.True(t, span.Ended, span.Name)
	}
}

// However a hook writes an event, or its error, down, it has no signature and no call data.
func TestObserveWhatHooksWriteDown(t *testing.T) {
	s := newObservedStage(t, nil)
	var quoted *userop.Operation
	s.config.Bundler = quoting{s.config.Bundler, &quoted}
	var told bytes.Buffer
	text, asJSON := slog.New(slog.NewTextHandler(&told, nil)), slog.New(slog.NewJSONHandler(&told, nil))
	var last error
	s.config.Hooks = userop.Hooks{End: func(_ context.Context, e userop.Event) {
		if e.What != userop.StageSend {
			return
		}
		last = e.Err
		fmt.Fprintf(&told, "%v %+v %s %#v\n%v %+v\n", e, e, e, e, e.Err, e.Err)
		for _, logger := range []*slog.Logger{text, asJSON} {
			logger.Info("told", "event", e, "pointer", &e, "error", e.Err)
		}
		encoded, err := json.Marshal(e)
		require.NoError(t, err)
		told.Write(encoded)
	}}
	client, err := account.NewClient(s.config)
	require.NoError(t, err)
	s.user = client.Account(s.owner.Address())
	_, err = s.mint(t.Context())
	require.ErrorContains(t, err, "AA24")
	var failed *userop.Error
	require.ErrorAs(t, last, &failed)
	require.Contains(t, told.String(), "AA24")
	require.NotContains(t, told.String(), common.Bytes2Hex(lastBytes(quoted))[:48])
	require.NotContains(t, told.String(), common.Bytes2Hex(quoted.CallData)[:48])
}

// What a node's client says of its URL is in no sink.
func TestObserveANodeThatIsDown(t *testing.T) {
	node, err := ethclient.Dial("http://alice:s3cret-pass@127.0.0.1:1/v2/s3cret-path?key=s3cret-query")
	require.NoError(t, err)
	s := newObservedStage(t, func(cfg *account.Config) { cfg.Chain = node })
	_, err = s.mint(t.Context())
	require.Error(t, err)
	t.Log(err)
	require.NotContains(t, s.told(), "s3cret")
}

// An end that was written down before is counted by who learned it from the chain, and by nobody again.
func TestObserveAnEndThatIsKnown(t *testing.T) {
	s := newObservedStage(t, nil)
	s.config.Outbox = s.store
	client, err := account.NewClient(s.config)
	require.NoError(t, err)
	s.user = client.Account(s.owner.Address())
	tx, err := s.mint(t.Context(), account.Once("order 7"))
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, s.meters.Sum("sesame.operations.ended"))
	cost := s.meters.Sum("sesame.operation.cost")

	restarted, err := account.NewClient(s.config)
	require.NoError(t, err)
	s.user = restarted.Account(s.owner.Address())
	again, err := s.mint(t.Context(), account.Once("order 7"))
	require.NoError(t, err)
	require.Equal(t, tx.Hash(), again.Hash())
	_, err = again.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, s.meters.Sum("sesame.operations.ended"))
	require.Equal(t, cost, s.meters.Sum("sesame.operation.cost"))
	require.EqualValues(t, 2, s.meters.Sum("sesame.sends"))
	t.Log(s.meters)
}

// Lanes that are closed are nobody's, whatever becomes of their operations.
func TestObserveLanesThatAreClosed(t *testing.T) {
	s := newObservedStage(t, nil)
	s.config.Bundler.(*accounttest.ModelBundler).Pause()
	lanes := s.client.NewLanes(account.LanesConfig{})
	tx, err := s.mint(t.Context(), account.InLane(lanes))
	require.NoError(t, err)
	require.EqualValues(t, 1, s.meters.Sum("sesame.lanes.busy"))
	require.NoError(t, lanes.Close(t.Context()))
	require.Zero(t, s.meters.Sum("sesame.lanes.busy"))
	s.config.Bundler.(*accounttest.ModelBundler).Resume()
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Zero(t, s.meters.Sum("sesame.lanes.busy"))
}

// The log's lines have the names that values have of themselves, and an error is what it says of itself.
func TestObserveLogSpelling(t *testing.T) {
	s := newObservedStage(t, func(cfg *account.Config) { cfg.Paymaster = refusing{cfg.Paymaster} })
	_, err := s.mint(t.Context())
	require.ErrorContains(t, err, "AA33")
	require.Contains(t, s.log.String(), " error.step=sponsor error.account="+s.owner.Address().Hex())
	require.Contains(t, s.log.String(), " error.cause.code=-32500")
}

// Of waits that are given up, or run out of time, none is left.
func TestObserveWaitsThatEnd(t *testing.T) {
	s := newObservedStage(t, nil)
	s.config.Bundler.(*accounttest.ModelBundler).Pause()
	tx, err := s.mint(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	done := make(chan struct{})
	tx.Then(ctx, func(*userop.Receipt, error) { close(done) })
	_, err = tx.Wait(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	<-done
	require.Zero(t, s.meters.Sum("sesame.operations.waiting"))
	for _, wait := range s.spans.Named("sesame.wait") {
		require.True(t, wait.Ended)
		require.Equal(t, "unknown", wait.Attrs["sesame.outcome"])
	}
	require.Zero(t, s.meters.Sum("sesame.operations.ended"))
}

// What the network failed passes by itself, and is refused by nobody.
func TestObserveWhatIsOutOfReach(t *testing.T) {
	s := newObservedStage(t, func(cfg *account.Config) { cfg.Paymaster = outOfReach{cfg.Paymaster} })
	_, err := s.mint(t.Context())
	require.ErrorContains(t, err, "connection refused")
	require.EqualValues(t, 1, s.meters.Sum("sesame.sends", "sesame.outcome=failed"), s.meters.String())
}

// outOfReach is a paymaster whose database is.
type outOfReach struct{ userop.Paymaster }

func (o outOfReach) Unwrap() userop.Paymaster { return o.Paymaster }

func (outOfReach) SponsorUserOperation(context.Context, *userop.Operation, userop.SponsorRequest) (userop.Sponsorship, error) {
	return userop.Sponsorship{}, fmt.Errorf("budget of the key: %w", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")})
}

// A send that its own process waits for, while Run runs, is no takeover, and is counted once.
func TestObserveNoTakeover(t *testing.T) {
	s := newObservedStage(t, nil)
	ended := make(chan account.Report, 1)
	s.config.Outbox = s.store
	s.config.Report = func(_ context.Context, end account.Report) error { ended <- end; return nil }
	client, err := account.NewClient(s.config)
	require.NoError(t, err)
	s.user = client.Account(s.owner.Address())
	ctx, stop := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- client.Run(ctx) }()
	tx, err := s.mint(t.Context(), account.Once("order 8"))
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	<-ended
	stop()
	<-running
	t.Log(s.meters)
	require.Zero(t, s.meters.Sum("sesame.outbox.takeovers"))
	require.EqualValues(t, 1, s.meters.Sum("sesame.operations.ended"))
	require.EqualValues(t, 1, s.meters.Sum("sesame.sends"))
	require.Zero(t, s.meters.Sum("sesame.operations.waiting"))
	for _, span := range s.spans.All() {
		require.True(t, span.Ended, span.Name)
	}
}
