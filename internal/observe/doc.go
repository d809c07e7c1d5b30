// Package observe is the one place from which the library tells what it does: a call of it is a span of
// OpenTelemetry, or an event on one, what is counted and measured, a line of a log, and what hooks are
// called with. Nobody else writes to a tracer, a meter or a logger.
//
// An [Observer] tells of operations: of stages, which begin and end, and of moments. An [RPC] tells of
// requests to services, by OpenTelemetry's semantic conventions for RPC clients. Where nothing is set both
// are nil, which tell nobody, and cost neither time nor memory.
//
// Of metrics no attribute is an account, an operation or a key: there would be as many series. Of all that
// is told, nothing is a signature, call data or a key: what a service says may quote them, and is cut short.
package observe
