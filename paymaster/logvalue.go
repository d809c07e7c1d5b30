package paymaster

import "log/slog"

// LogValue implements [slog.LogValuer]: method, code, status, and what the AA code or the revert says. The
// answer's data is not told, which may hold what was asked.
func (e *Error) LogValue() slog.Value { return e.answer().Logged(e, "paymaster") }
