package outbox_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/session/storetest"
	"github.com/go-sesame/sesame/userop/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.RunOutbox(t, storetest.OutboxConfig{
		Open: func(*testing.T) outbox.Outbox { return outbox.NewMemory() },
	})
}
