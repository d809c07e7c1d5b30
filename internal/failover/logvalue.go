package failover

import (
	"log/slog"

	"github.com/go-sesame/sesame/internal/logvalue"
)

// LogValue implements [slog.LogValuer]: the member, and what its cause says of itself.
func (e *MemberError) LogValue() slog.Value {
	return logvalue.Error(e, slog.String("member", e.Member))
}

// LogValue implements [slog.LogValuer]: a group for each member.
func (e *Error) LogValue() slog.Value {
	members := make([]any, len(e.Members))
	for i, member := range e.Members {
		members[i] = slog.Any(member.Member, member.Err)
	}
	return slog.GroupValue(slog.String("msg", e.Error()), slog.String("service", e.Kind), slog.Group("members", members...))
}
