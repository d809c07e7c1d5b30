package filestore

import (
	"testing"

	"github.com/go-sesame/sesame/internal/testutil/oncecost"
)

func BenchmarkOnce(b *testing.B) {
	oncecost.Bench(b, func(b *testing.B) oncecost.Store { return testOpen(b, testDir(b), testSealer(b, 1)) })
}
