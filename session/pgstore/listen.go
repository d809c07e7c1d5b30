package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// Who listens to a database hears of all its schemas, and takes what is of its own.
	listenDue = `listen sesame_outbox`
	notifyDue = `select pg_notify('sesame_outbox', current_schema())`
	ownSchema = `select current_schema()::text`
)

// listenCheck is how long a listener hears nothing before it asks whether its connection is there still.
const listenCheck = 30 * time.Second

// Listen implements [outbox.Listener]. Through a pooler in transaction mode nothing is heard.
func (b *sends) Listen(ctx context.Context, due func()) error {
	const doing = "listen for sends that are due"
	if err := b.store.checkOpen(ctx); err != nil {
		return err
	}
	conn, schema, err := b.dial(ctx)
	if err != nil {
		return b.store.fail(ctx, doing, err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer cancel()
		_ = conn.Close(closing)
	}()
	for due(); ; {
		heard, err := b.hear(ctx, conn)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", doing, ctx.Err())
		case err != nil:
			return b.store.fail(ctx, doing, err)
		case heard == schema:
			due()
		}
	}
}

// dial makes a connection that listens.
func (b *sends) dial(ctx context.Context) (conn *pgx.Conn, schema string, err error) {
	ctx, cancel := bounded(ctx, b.store.timeout)
	defer cancel()
	if conn, err = pgx.ConnectConfig(ctx, b.store.pool.Config().ConnConfig); err != nil {
		return nil, "", slow(ctx, err)
	}
	if err = conn.QueryRow(ctx, ownSchema).Scan(&schema); err == nil {
		_, err = conn.Exec(ctx, listenDue)
	}
	if err != nil {
		return nil, "", errors.Join(slow(ctx, err), conn.Close(ctx))
	}
	return conn, schema, nil
}

// hear waits for a notification, and sees now and then that the server is there.
func (b *sends) hear(ctx context.Context, conn *pgx.Conn) (schema string, err error) {
	waiting, cancel := context.WithTimeout(ctx, listenCheck)
	notification, err := conn.WaitForNotification(waiting)
	quiet := waiting.Err() != nil
	cancel()
	if err == nil {
		return notification.Payload, nil
	}
	if quiet && ctx.Err() == nil {
		checking, cancel := bounded(ctx, b.store.timeout)
		defer cancel()
		return "", slow(checking, conn.Ping(checking))
	}
	return "", err
}
