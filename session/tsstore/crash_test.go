package tsstore_test

import (
	"testing"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storetest"
	"github.com/go-sesame/sesame/session/tsstore"
)

func TestCrash(t *testing.T) {
	storetest.Crash(t, storetest.CrashConfig{
		Open:    func(dir string) (session.Store, error) { return tsstore.OpenPlaintext(dir, ref.ChainID) },
		ChainID: ref.ChainID,
	})
}
