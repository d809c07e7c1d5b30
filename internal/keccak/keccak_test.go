package keccak_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/keccak"
)

func TestSum(t *testing.T) {
	h := keccak.Get()
	defer h.Put()
	for n := range 1200 {
		b := bytes.Repeat([]byte{byte(n)}, n)
		require.Equal(t, crypto.Keccak256Hash(b), h.Sum(b), n)
		require.Equal(t, crypto.Keccak256Hash(b), h.Sum(append(h.Buffer(), b...)), n)
	}
}

func TestHashersAreApart(t *testing.T) {
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			for range 1000 {
				h := keccak.Get()
				b := append(h.Buffer(), byte(n))
				if h.Sum(b) != crypto.Keccak256Hash([]byte{byte(n)}) {
					t.Error("another hash")
				}
				h.Put()
			}
		})
	}
	group.Wait()
}

func TestNothingIsAllocated(t *testing.T) {
	h := keccak.Get()
	defer h.Put()
	require.Zero(t, testing.AllocsPerRun(100, func() { h.Sum(append(h.Buffer(), 1, 2, 3)) }))
}
