package memstore_test

import (
	"testing"

	"github.com/go-sesame/sesame/internal/testutil/oncecost"
	"github.com/go-sesame/sesame/session/memstore"
)

func BenchmarkOnce(b *testing.B) {
	oncecost.Bench(b, func(*testing.B) oncecost.Store { return memstore.New() })
}
