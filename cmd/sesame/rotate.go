package main

import (
	"context"
	"time"

	"github.com/go-sesame/sesame/session/seal"
)

const rotateAbout = `Seals the session keys of a store anew: under a new data key, which another secret seals. The session keys
themselves, and what they may do, stay. From then on the store is opened with the new secret.

  sesame rotate -store $DB -seal old-passphrase -new-seal new-passphrase

With a database, processes that run go on signing if they open both secrets meanwhile (seal.Any): give them both
first, rotate, then take the old one away. What was interrupted is finished by running it again. The same file for
both changes the data key alone.

A session key itself is replaced by its account's owner: grant the same session to a new key, then revoke the old
one. No secret here can do that.
`

// rotator is a store whose keys are sealed anew.
type rotator interface {
	Rotate(ctx context.Context, sealer seal.AEAD) error
}

func rotateCommand() command {
	return command{
		name: "rotate", summary: "seal a store's session keys anew, with another secret", about: rotateAbout,
		define: func(f *flags) action {
			store := f.store().keys(f)
			next := f.String("new-seal", "", "`file` of the new secret, as -seal has it")
			f.lasts(10 * time.Minute)
			f.asks()
			return func(ctx context.Context, c *call) error { return rotate(ctx, c, store, *next) }
		},
	}
}

func rotate(ctx context.Context, c *call, flags *storeFlags, next string) error {
	old, err := c.sealer(flags.sealer, "SESAME_SEAL")
	if err != nil {
		return err
	}
	if old == nil || next == "" {
		return usagef("missing -seal or -new-seal: the secret that seals now, and the one that shall")
	}
	sealer, err := c.sealer(next, "")
	if err != nil {
		return err
	}
	name, err := flags.name(c)
	if err != nil {
		return err
	}
	// Both: a rotation that was interrupted has left keys of either.
	o, err := c.open(ctx, name, flags.chain, seal.Any{old, sealer}, toChange)
	if err != nil {
		return err
	}
	defer o.close()
	store, ok := o.store.(rotator)
	if !ok {
		return usagef("%s keep keys in clear; nothing seals them", o.what)
	}
	c.note.line("This seals all session keys of the %s anew. Who opens it with the old secret alone is refused from then on.", o.what)
	if err := c.confirm(ctx); err != nil {
		return err
	}
	c.note.line("Sealing …")
	if err := store.Rotate(ctx, sealer); err != nil {
		return err
	}
	if c.json {
		return c.out.value(map[string]any{"store": o.what, "rotated": true})
	}
	c.out.line("Rotated: the %s opens with the new secret.", o.what)
	return nil
}
