package main

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
)

// startDatabase makes a schema, on a server of our own unless another one is named.
func startDatabase(ctx context.Context) (url string, stop func() error, err error) {
	root, stopServer, err := pgtest.Start()
	if err != nil {
		return "", nil, err
	}
	schema := "sesame_backendkill_" + strings.ToLower(rand.Text())
	if err := execute(ctx, root, "create schema "+schema); err != nil {
		return "", nil, errors.Join(err, stopServer())
	}
	return pgtest.With(root, "search_path", schema), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return errors.Join(execute(ctx, root, "drop schema "+schema+" cascade"), stopServer())
	}, nil
}

func execute(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
