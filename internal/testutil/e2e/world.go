package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/params"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/paymaster"
)

// World is a node with a bundler and a paymaster.
type World struct {
	Anvil *Anvil
	Alto  *Alto
	// Second is another bundler on the node, nil where it was not started.
	Second    *Alto
	Paymaster *Paymaster

	tools Tools
	dir   string
}

// Start starts a world that ends with the test.
func Start(t testing.TB) *World {
	t.Helper()
	w := new(World)
	var err error
	if w.tools, err = Find(); err != nil {
		t.Fatal(err)
	}
	if w.dir, err = os.MkdirTemp("", "sesame-e2e-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(!t.Failed()); err != nil {
			t.Error(err)
		}
	})
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *World) start(ctx context.Context) (err error) {
	if w.Anvil, err = StartAnvil(ctx, w.tools, w.dir); err != nil {
		return err
	}
	if w.Paymaster, err = StartPaymaster(ctx, w.Anvil); err != nil {
		return err
	}
	w.Alto, err = StartAlto(ctx, w.tools, w.Anvil, w.dir, "alto")
	return err
}

// StartSecond starts a further bundler.
func (w *World) StartSecond(ctx context.Context) (err error) {
	w.Second, err = StartAlto(ctx, w.tools, w.Anvil, w.dir, "second")
	return err
}

// close ends the services, the last started first, and removes what they left if all went well.
func (w *World) close(well bool) (err error) {
	for _, alto := range []*Alto{w.Second, w.Alto} {
		if alto != nil {
			err = errors.Join(err, w.listening(alto.process), alto.Close())
		}
	}
	if w.Paymaster != nil {
		err = errors.Join(err, w.Paymaster.Close())
	}
	if w.Anvil != nil {
		err = errors.Join(err, w.listening(w.Anvil.process), w.Anvil.Close())
	}
	if !well || err != nil {
		return errors.Join(err, fmt.Errorf("what the services logged is in %s", w.dir))
	}
	return os.RemoveAll(w.dir)
}

// listening checks where a service listens, if it runs.
func (w *World) listening(p *process) error {
	if p == nil || p.stdin == nil {
		return nil
	}
	return checkListening(p.pid)
}

// Client returns a client of the world, as one process has it, and what closes its connections.
func (w *World) Client(change func(*account.Config)) (*account.Client, func(), error) {
	send, sponsor := bundler.New(w.Alto.URL), paymaster.NewERC7677(w.Paymaster.URL, nil)
	cfg := account.Config{ChainID: chainID, Chain: w.Anvil.Node, Bundler: send, Paymaster: sponsor}
	if change != nil {
		change(&cfg)
	}
	client, err := account.NewClient(cfg)
	return client, func() { send.Close(); sponsor.Close() }, err
}

// ether returns n ether in wei.
func ether(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(params.Ether)) }
