package pgstore_test

import (
	"testing"

	"github.com/go-sesame/sesame/internal/testutil/oncecost"
)

func BenchmarkOnce(b *testing.B) {
	oncecost.Bench(b, func(b *testing.B) oncecost.Store { return open(b, server.URL(b)) })
}
