package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
)

const reconcileAbout = `Settles changes of sessions that a crash or an unfinished wait left open, by what the chain shows: what landed
becomes final, what never can is undone, and what still may is sent again as it was signed, and waited for. No
owner is needed. It is what a program does with Client.ReconcileAll when it starts. With -account it looks at that
account alone, and finds what the chain took back, too.

  sesame reconcile -store $DB -node @node.url -bundler @bundler.url

Without -bundler nothing is sent: what may still land stays open. Exit code 3 says that something is open still.
`

// reconcileAtOnce is how many accounts are on their way at once, as Client.ReconcileAll has it.
const reconcileAtOnce = 8

type reconciliation struct {
	*storeFlags
	node, bundler string
}

func reconcileCommand() command {
	return command{
		name: "reconcile", summary: "settle by the chain what a crash left open", about: reconcileAbout,
		define: func(f *flags) action {
			r := &reconciliation{storeFlags: f.store().of(f)}
			f.StringVar(&r.node, "node", "", nodeUsage)
			f.StringVar(&r.bundler, "bundler", "", bundlerUsage)
			f.lasts(10 * time.Minute)
			return r.run
		},
	}
}

// settledJSON is how the change of an account ended.
type settledJSON struct {
	ChainID   uint64         `json:"chainID"`
	Account   common.Address `json:"account"`
	Operation *common.Hash   `json:"operation,omitempty"`
	// Result is final, undone, agrees, open or failed.
	Result string `json:"result"`
	Error  string `json:"error,omitempty"`
}

// The results of a reconciliation.
const (
	resultFinal  = "final"  // the change landed
	resultUndone = "undone" // it never will
	resultAgrees = "agrees" // there was none, and the roots agree
	resultOpen   = "open"   // it may still land, or the roots disagree: needs action
	resultFailed = "failed" // it could not be told
)

func (r *reconciliation) run(ctx context.Context, c *call) error {
	bundlerURL, err := c.service(r.bundler, "SESAME_BUNDLER")
	if err != nil {
		return err
	}
	net, err := c.connect(ctx, r.node, bundlerURL, r.chain)
	if err != nil {
		return err
	}
	if net == nil {
		return usagef("missing -node, and SESAME_NODE is not set: which chain decides?")
	}
	defer net.close()
	o, err := r.open(ctx, c, toChange)
	if err != nil {
		return err
	}
	defer o.close()
	refs := []session.Ref{{ChainID: net.client.ChainID(), Account: *r.account}}
	if *r.account == (common.Address{}) {
		if refs, err = pending(ctx, o, net.client.ChainID()); err != nil {
			return err
		}
	}
	return report(c, o, reconcile(ctx, c, o, net, refs))
}

// reconcile settles the accounts, several at once.
func reconcile(ctx context.Context, c *call, o *opened, net *network, refs []session.Ref) []settledJSON {
	said := make([]settledJSON, len(refs))
	done := make(chan int)
	go func() {
		defer close(done)
		var group errgroup.Group
		group.SetLimit(reconcileAtOnce)
		for i, ref := range refs {
			group.Go(func() error {
				said[i] = settle(ctx, o, net, ref)
				done <- i
				return nil
			})
		}
		_ = group.Wait() // each account has its own error
	}()
	count := 0
	for i := range done {
		count++
		c.note.line("%d of %d: %s: %s", count, len(refs), refs[i], said[i].Result)
	}
	return said
}

func settle(ctx context.Context, o *opened, net *network, ref session.Ref) settledJSON {
	said := settledJSON{ChainID: ref.ChainID, Account: ref.Account, Result: resultAgrees}
	before, err := o.store.Load(ctx, ref)
	if err == nil && before.Pending != nil {
		said.Operation = &before.Pending.OpHash
	}
	if err == nil {
		err = net.reconcile(ctx, o.store, ref)
	}
	switch {
	case errors.Is(err, session.ErrPending) || errors.Is(err, session.ErrRootMismatch):
		said.Result, said.Error = resultOpen, err.Error()
	case err != nil:
		said.Result, said.Error = resultFailed, err.Error()
	case before.Pending != nil:
		said.Result = resultUndone
		if after, err := o.store.Load(ctx, ref); err != nil {
			said.Result, said.Error = resultFailed, err.Error()
		} else if after.Root == before.Pending.Root {
			said.Result = resultFinal
		}
	}
	return said
}

// reconcile settles one account; without a bundler by what the chain shows alone.
func (n *network) reconcile(ctx context.Context, store session.Store, ref session.Ref) error {
	if n.sends {
		return n.client.Account(ref.Account).Reconcile(ctx, store)
	}
	sess, err := session.Open(ctx, store, ref)
	if err != nil {
		return err
	}
	return sess.On(n.client).Reconcile(ctx)
}

// report says how the changes ended.
func report(c *call, o *opened, said []settledJSON) error {
	open, failed := 0, 0
	for _, one := range said {
		switch one.Result {
		case resultOpen:
			open++
		case resultFailed:
			failed++
		}
	}
	if c.json {
		if err := c.out.value(map[string]any{"store": o.what, "accounts": said}); err != nil {
			return err
		}
	} else {
		printSettled(c.out, o, said)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d accounts could not be settled", failed, len(said))
	}
	return needsAction(open)
}

func printSettled(p *printer, o *opened, said []settledJSON) {
	if len(said) == 0 {
		p.line("%s: nothing waits for the chain.", o.what)
		return
	}
	p.line("%s: %s", o.what, counted(len(said), "account"))
	t := &table{head: []string{"CHAIN", "ACCOUNT", "OPERATION", "RESULT", "WHY"}}
	for _, one := range said {
		operation := ""
		if one.Operation != nil {
			operation = one.Operation.Hex()
		}
		result := cell{one.Result, good}
		switch one.Result {
		case resultOpen:
			result.style = caution
		case resultFailed:
			result.style = alarm
		}
		t.row(one.ChainID, one.Account, operation, result, one.Error)
	}
	p.table(2, t)
}
