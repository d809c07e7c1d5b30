package account_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/testutil/telemetry"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// observedStage is a stage on which somebody listens to everything.
type observedStage struct {
	*stage
	spans  *telemetry.Spans
	meters *telemetry.Meters
	log    *lockedBuffer
	hooks  *heard
	sess   *session.Sessions
}

// heard keeps what hooks are told, and how that prints.
type heard struct {
	mu     sync.Mutex
	began  []string
	events []userop.Event
}

func (h *heard) hooks() userop.Hooks {
	keep := func(_ context.Context, e userop.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, e)
	}
	return userop.Hooks{
		Begin: func(_ context.Context, e userop.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.began = append(h.began, e.What)
		},
		End: keep, Moment: keep,
	}
}

func (h *heard) of(what string) (events []userop.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.What == what {
			events = append(events, e)
		}
	}
	return events
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf("%+v %v", h.events, h.began)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newObservedStage has a session granted before anybody listens. change may change the configuration.
func newObservedStage(t *testing.T, change func(*account.Config)) *observedStage {
	t.Helper()
	s := &observedStage{stage: exampleWorld(), spans: new(telemetry.Spans), meters: new(telemetry.Meters), log: new(lockedBuffer), hooks: new(heard)}
	s.sess = s.grantMinting()
	s.config.TracerProvider, s.config.MeterProvider, s.config.Hooks = s.spans, s.meters, s.hooks.hooks()
	s.config.Logger = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if change != nil {
		change(&s.config)
	}
	var err error
	s.client, err = account.NewClient(s.config)
	require.NoError(t, err)
	s.user = s.client.Account(s.owner.Address())
	return s
}

func (s *observedStage) mint(ctx context.Context, opts ...account.Option) (*userop.Pending, error) {
	opts = append(opts, account.WithLeafOf(s.sess), account.Sponsored())
	return s.user.Send(ctx, []account.Call{s.mintCall()}, opts...)
}

// told is all that anybody was told, as text.
func (s *observedStage) told() string {
	return s.spans.String() + s.meters.String() + s.log.String() + s.hooks.String()
}

// requireNoSecrets looks for what nobody is to be told: keys, the operations' signatures and their call data.
func (s *observedStage) requireNoSecrets(t *testing.T, ops ...*userop.Operation) {
	t.Helper()
	told := strings.ToLower(s.told())
	secrets := [][]byte{crypto.FromECDSA(s.ownerKey)}
	for _, op := range ops {
		secrets = append(secrets, lastBytes(op), op.CallData)
	}
	for _, secret := range secrets {
		require.NotContains(t, told, common.Bytes2Hex(secret)[:48])
	}
	for _, name := range s.meters.Attributes() {
		require.NotContains(t, []string{"sesame.account", "sesame.operation.hash", "sesame.detail"}, name, "there would be as many series")
	}
	for _, span := range s.spans.All() {
		require.True(t, span.Ended, span.Name)
	}
}

// lastBytes are those of the signature that the key made.
func lastBytes(op *userop.Operation) []byte { return op.Signature[len(op.Signature)-65:] }

func TestObserveASendThatLands(t *testing.T) {
	s := newObservedStage(t, nil)
	tx, err := s.mint(t.Context())
	require.NoError(t, err)
	receipt, err := tx.Wait(t.Context())
	require.NoError(t, err)
	_, err = tx.Wait(t.Context()) // who waits as well
	require.NoError(t, err)

	sends := s.spans.Named("sesame.send")
	require.Len(t, sends, 1)
	send := sends[0]
	require.Equal(t, []string{
		"sesame.check", "sesame.fees", "sesame.load", "sesame.nonce", "sesame.sign", "sesame.sponsor", "sesame.submit",
	}, s.spans.Within(send))
	require.Equal(t, map[string]string{
		"sesame.chain.id": fmt.Sprint(s.client.ChainID()), "sesame.entry_point": s.client.Contracts().EntryPoint.Hex(),
		"sesame.account": s.owner.Address().Hex(), "sesame.operation.hash": tx.Hash().Hex(), "sesame.outcome": "accepted",
	}, send.Attrs)
	checks := map[string]bool{}
	for _, check := range s.spans.Named("sesame.check") {
		checks[check.Attrs["sesame.detail"]] = true
		if check.Attrs["sesame.detail"] == "session" {
			require.Equal(t, []string{"sesame.load"}, s.spans.Within(check))
		}
	}
	require.Equal(t, map[string]bool{"session": true, "modules": true, "deployed": true, "node": true, "bundler": true}, checks)
	require.Equal(t, "1", s.spans.Named("sesame.submit")[0].Attrs["sesame.attempt"])
	require.Equal(t, tx.Hash().Hex(), s.spans.Named("sesame.sign")[0].Attrs["sesame.operation.hash"])

	waits := s.spans.Named("sesame.wait")
	require.Len(t, waits, 2)
	require.Equal(t, "landed", waits[0].Attrs["sesame.outcome"])
	require.Equal(t, send.SpanContext().SpanID(), waits[0].Links[0].SpanID(), "the wait is linked to the send")
	require.NotEqual(t, send.SpanContext().TraceID(), waits[0].SpanContext().TraceID())

	require.EqualValues(t, 1, s.meters.Sum("sesame.sends", "sesame.outcome=accepted"))
	require.EqualValues(t, 1, s.meters.Sum("sesame.operations.ended", "sesame.outcome=landed"), "once, however many wait")
	require.Equal(t, receipt.ActualGasCost.Float64(), s.meters.Sum("sesame.operation.cost", "sesame.payer=paymaster"))
	require.Equal(t, receipt.ActualGasUsed.Float64(), s.meters.Sum("sesame.operation.gas"))
	require.Zero(t, s.meters.Sum("sesame.operations.waiting"))
	require.Positive(t, s.meters.Sum("sesame.stage.duration", "sesame.stage=sign"))

	ends := s.hooks.of(userop.StageWait)
	require.Len(t, ends, 2)
	require.Equal(t, receipt.ActualGasCost, ends[0].GasCost)
	require.Equal(t, "accepted", s.hooks.of(userop.StageSend)[0].Outcome)
	require.Contains(t, s.hooks.began, userop.StageSponsor)
	require.Contains(t, s.log.String(), `msg="send user operation" chain=`)
	require.Contains(t, s.log.String(), " account="+s.owner.Address().Hex()+" hash="+tx.Hash().Hex()+" outcome=accepted")
	s.requireNoSecrets(t, tx.Operation())
}

func TestObserveARefusal(t *testing.T) {
	s := newObservedStage(t, nil)
	var quoted *userop.Operation
	s.config.Bundler = quoting{s.config.Bundler, &quoted}
	client, err := account.NewClient(s.config)
	require.NoError(t, err)
	s.user = client.Account(s.owner.Address())
	_, err = s.mint(t.Context())
	require.ErrorContains(t, err, "AA24")

	submit := s.spans.Named("sesame.submit")[0]
	require.Equal(t, "AA24", submit.Attrs["sesame.aa_code"])
	require.Equal(t, "AA24", submit.Attrs["error.type"])
	require.Equal(t, "-32507", submit.Attrs["rpc.response.status_code"])
	require.Equal(t, codes.Error, submit.Status)
	require.Equal(t, "unknown", s.spans.Named("sesame.send")[0].Attrs["sesame.outcome"], "the bundler's word alone")
	require.EqualValues(t, 1, s.meters.Sum("sesame.sends", "sesame.outcome=unknown"))
	require.EqualValues(t, 1, s.meters.Sum("sesame.refusals", "sesame.aa_code=AA24", "rpc.response.status_code=-32507", "sesame.stage=submit"))
	end := s.hooks.of(userop.StageSend)[0]
	require.Equal(t, []any{"AA24", -32507, "unknown"}, []any{end.AA, end.RPCCode, end.Outcome})
	require.Contains(t, s.log.String(), "aa=AA24 code=-32507")
	require.Contains(t, err.Error(), hexutil.Encode(lastBytes(quoted)), "the service quotes what it was given")
	s.requireNoSecrets(t, quoted)
}

// What a paymaster refuses nobody may have accepted.
func TestObserveARefusalBeforeSigning(t *testing.T) {
	s := newObservedStage(t, func(cfg *account.Config) { cfg.Paymaster = refusing{cfg.Paymaster} })
	_, err := s.mint(t.Context())
	require.ErrorContains(t, err, "AA33")
	require.Equal(t, "AA33", s.spans.Named("sesame.sponsor")[0].Attrs["sesame.aa_code"])
	require.Equal(t, "refused", s.spans.Named("sesame.send")[0].Attrs["sesame.outcome"])
	require.EqualValues(t, 1, s.meters.Sum("sesame.sends", "sesame.outcome=refused"))
	require.EqualValues(t, 1, s.meters.Sum("sesame.refusals", "sesame.aa_code=AA33", "sesame.stage=sponsor"))
	require.Empty(t, s.spans.Named("sesame.sign"))
	s.requireNoSecrets(t)
}

type refusing struct{ userop.Paymaster }

func (r refusing) Unwrap() userop.Paymaster { return r.Paymaster }

func (refusing) SponsorUserOperation(context.Context, *userop.Operation, userop.SponsorRequest) (userop.Sponsorship, error) {
	return userop.Sponsorship{}, &paymaster.Error{Method: "pm_sponsorUserOperation", Code: -32500, AA: &userop.AAError{Code: "AA33"}, Message: "AA33 reverted"}
}

// quoting is a bundler that refuses an operation, and quotes it whole.
type quoting struct {
	userop.Bundler
	op **userop.Operation
}

func (q quoting) Unwrap() userop.Bundler { return q.Bundler }

func (q quoting) SendUserOperation(_ context.Context, op *userop.Operation, _ common.Address) (common.Hash, error) {
	*q.op = op
	return common.Hash{}, &bundler.Error{
		Method: "eth_sendUserOperation", Code: -32507, AA: &userop.AAError{Code: "AA24", Reason: "signature error"},
		Message: "AA24 signature error: signature " + hexutil.Encode(lastBytes(op)) + " callData " + hexutil.Encode(op.CallData),
	}
}

func TestObserveARetry(t *testing.T) {
	s := newObservedStage(t, nil)
	model := s.config.Bundler.(*accounttest.ModelBundler)
	model.LoseAnswers(1)
	tx, err := s.mint(t.Context())
	require.NoError(t, err)

	submit := s.spans.Named("sesame.submit")
	require.Len(t, submit, 1, "of all tries")
	require.Len(t, submit[0].Events, 1)
	require.Contains(t, submit[0].Events[0], "sesame.retry ")
	require.Contains(t, submit[0].Events[0], "sesame.attempt=2")
	require.EqualValues(t, 1, s.meters.Sum("sesame.retries", "sesame.reason=retry"))
	retry := s.hooks.of(userop.MomentRetry)
	require.Len(t, retry, 1)
	require.Equal(t, 2, retry[0].Attempt)
	require.Equal(t, tx.Hash(), retry[0].Hash)
	require.Contains(t, s.log.String(), `msg="submit user operation once more"`)
	s.requireNoSecrets(t, tx.Operation())
}

func TestObserveARevert(t *testing.T) {
	s := newObservedStage(t, nil)
	// The token moves more than there is, which only the chain finds out: the limits are given.
	_, err := s.owner.Send(t.Context(), []account.Call{s.mintCall()}, account.Sponsored())
	require.NoError(t, err)
	owner := s.client.OwnedAccount(account.KeyOwner(s.ownerKey))
	tx, err := owner.Send(t.Context(), []account.Call{{To: s.chain.Contracts.NFT, Data: []byte{1, 2, 3, 4}}}, account.Sponsored(), someGas())
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.ErrorAs(t, err, new(*userop.RevertError))

	wait := s.spans.Named("sesame.wait")[0]
	require.Equal(t, "reverted", wait.Attrs["sesame.outcome"])
	require.Equal(t, codes.Error, wait.Status)
	require.NotEmpty(t, wait.Attrs["sesame.gas.cost"])
	require.EqualValues(t, 1, s.meters.Sum("sesame.operations.ended", "sesame.outcome=reverted"))
	require.Positive(t, s.meters.Sum("sesame.operation.cost", "sesame.outcome=reverted"))
	require.Equal(t, "reverted", s.hooks.of(userop.StageWait)[0].Outcome)
	s.requireNoSecrets(t, tx.Operation())
}

func TestObserveATakeover(t *testing.T) {
	ended := make(chan account.Report, 1)
	s := newObservedStage(t, func(cfg *account.Config) { cfg.Freshness = -1 })
	s.config.Outbox, s.config.Lease = s.store, time.Second
	s.config.Report = func(_ context.Context, end account.Report) error { ended <- end; return nil }
	client, err := account.NewClient(s.config)
	require.NoError(t, err)
	s.user = client.Account(s.owner.Address())
	model := s.config.Bundler.(*accounttest.ModelBundler)
	model.Pause()
	tx, err := s.mint(t.Context(), account.Once("order 1042"))
	require.NoError(t, err)
	require.Contains(t, s.spans.Within(s.spans.Named("sesame.send")[0]), "sesame.record")
	require.Len(t, s.spans.Named("sesame.send"), 1, "a key makes no second one")

	ctx, stop := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- client.Run(ctx) }()
	require.Eventually(t, func() bool { return len(s.hooks.of(userop.MomentTakeover)) > 0 }, 20*time.Second, 10*time.Millisecond)
	model.Resume()
	require.NoError(t, (<-ended).Err)
	stop()
	require.ErrorIs(t, <-running, context.Canceled)

	require.Equal(t, tx.Hash(), s.hooks.of(userop.MomentTakeover)[0].Hash)
	resend := s.spans.Named("sesame.resend")[0]
	require.Contains(t, resend.Events[0], "sesame.takeover ")
	require.Equal(t, []string{"sesame.submit"}, s.spans.Within(resend))
	require.Positive(t, s.meters.Sum("sesame.outbox.takeovers"))
	require.EqualValues(t, 1, s.meters.Sum("sesame.sends"), "going on is no send of its own")
	require.EqualValues(t, 1, s.meters.Sum("sesame.operations.ended", "sesame.outcome=landed"))
	require.Contains(t, s.log.String(), `msg="go on with a send that was left behind"`)
	s.requireNoSecrets(t, tx.Operation())
}

func TestObserveLanesAndBudgets(t *testing.T) {
	s := newObservedStage(t, nil)
	lanes := s.client.NewLanes(account.LanesConfig{})
	tx, err := s.mint(t.Context(), account.InLane(lanes))
	require.NoError(t, err)
	require.EqualValues(t, 1, s.meters.Sum("sesame.lanes.busy"))
	require.Contains(t, s.spans.Within(s.spans.Named("sesame.send")[0]), "sesame.lane")
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Zero(t, s.meters.Sum("sesame.lanes.busy"))
	require.NoError(t, lanes.Close(t.Context()))

	s.config.Outbox, s.config.Budgets = s.store, &account.Budgets{Key: account.Budget{Operations: 4}}
	client, err := account.NewClient(s.config)
	require.NoError(t, err)
	s.user = client.Account(s.owner.Address())
	_, err = s.mint(t.Context())
	require.NoError(t, err)
	require.InDelta(t, 0.75, s.meters.Sum("sesame.budget.left", "sesame.budget=key operations"), 0.001)
}

func TestObserveAStop(t *testing.T) {
	s := newObservedStage(t, nil)
	_, err := s.store.Stop(t.Context(), session.Stop{Name: "incident 7", Ref: s.user.Ref(), Who: "alice", Why: "a key leaked"})
	require.NoError(t, err)
	_, err = s.mint(t.Context())
	require.ErrorIs(t, err, session.ErrStopped)
	stopped := s.hooks.of(userop.MomentStopped)
	require.Len(t, stopped, 1)
	require.ErrorIs(t, stopped[0].Err, session.ErrStopped)
	require.EqualValues(t, 1, s.meters.Sum("sesame.sends", "sesame.outcome=refused"))
}

// With nothing set, nothing is told and nothing is paid for it.
func TestObserveNobody(t *testing.T) {
	s := exampleWorld()
	sess := s.grantMinting()
	send := func(cfg account.Config) float64 {
		client, err := account.NewClient(cfg)
		require.NoError(t, err)
		user, calls := client.Account(s.owner.Address()), []account.Call{s.mintCall()}
		least := math.Inf(1)
		for range 5 { // the race detector has pools forget at random
			least = min(least, testing.AllocsPerRun(10, func() {
				if _, err := user.Send(t.Context(), calls, account.WithLeafOf(sess), account.Sponsored()); err != nil {
					t.Error(err)
				}
			}))
		}
		return least
	}
	quiet := s.config
	quiet.Logger = slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)) // at info level
	nobody, atInfo := send(s.config), send(quiet)
	// One for each stage would be more than chance makes of it; [observe]'s own test finds none at all.
	require.Less(t, atInfo, nobody+10, "a logger that does not listen costs nothing")
	t.Logf("%.0f allocations for a send", nobody)
}

func someGas() account.Option {
	return account.WithGas(userop.Gas{
		CallGasLimit: *uint256.NewInt(300_000), VerificationGasLimit: *uint256.NewInt(500_000), PreVerificationGas: *uint256.NewInt(100_000),
	})
}
