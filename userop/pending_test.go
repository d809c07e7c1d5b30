package userop_test

import (
	"context"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// tellingBundler tells when there is something to ask.
type tellingBundler struct {
	userop.Bundler
	settled chan struct{}
	dropped bool
	asked   int
	receipt *userop.Receipt
}

func (b *tellingBundler) Settled(common.Hash) <-chan struct{} { return b.settled }

func (b *tellingBundler) UserOperationReceipt(context.Context, common.Hash) (*userop.Receipt, error) {
	if b.asked++; b.receipt == nil {
		return nil, userop.ErrNotFound
	}
	return b.receipt, nil
}

func (b *tellingBundler) UserOperationDropped(context.Context, common.Hash) (bool, error) {
	return b.dropped, nil
}

// A bundler that tells when it is done is asked at once, and once.
func TestWaitForABundlerThatTells(t *testing.T) {
	wait := func(b *tellingBundler) error {
		b.settled = make(chan struct{})
		close(b.settled)
		sender, err := userop.NewSender(userop.SenderConfig{ChainID: 1, EntryPoint: common.Address{1}, Bundler: b})
		require.NoError(t, err)
		_, err = sender.Watch(common.Hash{7}).Wait(t.Context())
		return err
	}
	start := time.Now()
	included := &tellingBundler{receipt: &userop.Receipt{UserOpHash: common.Hash{7}, Success: true}}
	require.NoError(t, wait(included))
	require.Equal(t, 1, included.asked)
	require.Less(t, time.Since(start), 150*time.Millisecond, "without a pause")
}
