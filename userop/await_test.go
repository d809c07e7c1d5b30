package userop_test

import (
	"context"

	"github.com/go-sesame/sesame/userop"
)

func await(ctx context.Context, p *userop.Pending, then func(*userop.Receipt, error)) {
	p.Then(ctx, then)
}
