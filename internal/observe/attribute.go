package observe

import (
	"log/slog"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"go.opentelemetry.io/otel/attribute"

	"github.com/go-sesame/sesame/internal/logvalue"
)

// The attributes of spans and metrics. Those without our prefix are OpenTelemetry's.
const (
	keyChain      = attribute.Key("sesame.chain.id")
	keyEntryPoint = attribute.Key("sesame.entry_point")
	keyAccount    = attribute.Key("sesame.account")
	keyHash       = attribute.Key("sesame.operation.hash")
	keyAttempt    = attribute.Key("sesame.attempt")
	keyOutcome    = attribute.Key("sesame.outcome")
	keyAA         = attribute.Key("sesame.aa_code")
	keyStage      = attribute.Key("sesame.stage")
	keyReason     = attribute.Key("sesame.reason")
	keyPayer      = attribute.Key("sesame.payer")
	keyBudget     = attribute.Key("sesame.budget")
	keyService    = attribute.Key("sesame.service")
	keyDetail     = attribute.Key("sesame.detail")
	keyGasUsed    = attribute.Key("sesame.gas.used")
	keyGasCost    = attribute.Key("sesame.gas.cost")
	keyRequests   = attribute.Key("sesame.rpc.requests")

	keySystem     = attribute.Key("rpc.system.name")
	keyMethod     = attribute.Key("rpc.method")
	keyStatus     = attribute.Key("rpc.response.status_code")
	keyError      = attribute.Key("error.type")
	keyServer     = attribute.Key("server.address")
	keyPort       = attribute.Key("server.port")
	keyProtocol   = attribute.Key("jsonrpc.protocol.version")
	keyRequestID  = attribute.Key("jsonrpc.request.id")
	keyHTTPStatus = attribute.Key("http.response.status_code")
)

// otherError is OpenTelemetry's word for an error of no class.
const otherError = "_OTHER"

// begun are the attributes of a stage's span from its beginning.
func (e *Event) begun() []attribute.KeyValue {
	all := []attribute.KeyValue{
		keyChain.Int64(int64(e.ChainID)), keyEntryPoint.String(e.EntryPoint.Hex()), keyAccount.String(e.Account.Hex()),
	}
	if e.Attempt != 0 {
		all = append(all, keyAttempt.Int(e.Attempt))
	}
	return all
}

// ended are those that its end shows, or a moment.
func (e *Event) ended() (all []attribute.KeyValue) {
	add := func(key attribute.Key, value string) {
		if value != "" {
			all = append(all, key.String(value))
		}
	}
	if e.Hash != (common.Hash{}) {
		add(keyHash, e.Hash.Hex())
	}
	add(keyOutcome, e.Outcome)
	add(keyAA, e.AA)
	add(keyService, clean(e.Service))
	add(keyDetail, clean(e.Detail))
	if e.RPCCode != 0 {
		add(keyStatus, itoa(e.RPCCode))
	}
	if e.Err != nil {
		add(keyError, e.errorType())
	}
	if !e.GasUsed.IsZero() {
		all = append(all, keyGasUsed.Float64(e.GasUsed.Float64()), keyGasCost.Float64(e.GasCost.Float64()))
	}
	return all
}

// attrs are the attributes of a log's line, called as those of all that says itself what a log has of it.
func (e *Event) attrs() []slog.Attr {
	all := e.said()
	if e.Err != nil {
		all = append(all, errorAttr(e.Err))
	}
	return all
}

// said are the attributes without the error.
func (e *Event) said() []slog.Attr {
	all := append(make([]slog.Attr, 0, 12), logvalue.Chain(e.ChainID))
	add := func(key, value string) {
		if value != "" {
			all = append(all, slog.String(key, value))
		}
	}
	if e.Account != (common.Address{}) {
		all = append(all, logvalue.Account(e.Account))
	}
	if e.Hash != (common.Hash{}) {
		all = append(all, logvalue.Hash(e.Hash))
	}
	if e.Attempt != 0 {
		all = append(all, slog.Int("attempt", e.Attempt))
	}
	add("outcome", e.Outcome)
	add("aa", e.AA)
	if e.RPCCode != 0 {
		all = append(all, slog.Int("code", e.RPCCode))
	}
	if e.Took != 0 {
		all = append(all, slog.Duration("took", e.Took))
	}
	if !e.GasUsed.IsZero() {
		add("gas", e.GasUsed.Dec())
		add("cost", e.GasCost.Dec())
	}
	add("bundler", clean(e.Service))
	add("detail", clean(e.Detail))
	return all
}

func itoa(n int) string { return strconv.Itoa(n) }

// codeClass is a service's code as a class of errors: those of JSON-RPC and of wallets are told apart, and
// what else a service makes up is one, so that there are few.
func codeClass(code int) string {
	if code >= -32999 && code <= -32000 || code > 0 && code < 6000 {
		return itoa(code)
	}
	return otherError
}
