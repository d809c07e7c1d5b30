package main

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// measurePolicy is of the check of one call against a policy of four rules.
func measurePolicy(ctx context.Context, b *bench) error {
	buying := policy.ABI{
		Key: keyAddress(), Contract: contract, Function: "buy(address to, uint256 amount, uint256 price, uint256 fee)",
		Rules: []policy.Rule{
			policy.Arg("to", policy.Equal, user), policy.Arg("amount", policy.LessThanOrEqual, uint64(100)),
			policy.Arg("price", policy.LessThan, uint64(1000)), policy.Arg("fee", policy.GreaterThanOrEqual, uint64(1)),
		},
		ValueLimit: *uint256.NewInt(1),
		Window:     policy.Until(time.Unix(4_000_000_000, 0)),
	}
	modules := policy.Modules{}.WithDefaults()
	leaf, err := buying.Compile(modules)
	if err != nil {
		return err
	}
	data, err := abi.Pack("function buy(address to, uint256 amount, uint256 price, uint256 fee)", user, uint64(7), uint64(5), uint64(3))
	if err != nil {
		return err
	}
	c := abi.Call{To: contract, Data: data}
	check := func() error { return policy.CheckCall(modules, &leaf, c) }
	took, err := each(check)
	if err != nil {
		return err
	}
	values, err := interleave(ctx, b.rounds(300), took)
	if err != nil {
		return err
	}
	if !b.short {
		b.add(row{name: "policy check of one call, 4 rules", unit: nanoseconds, least: 250, want: 150, absolute: true}, paired(values[0], nil))
	}
	var pairs []pair
	for range 5 {
		n, err := allocated(10_000, check)
		if err != nil {
			return err
		}
		pairs = append(pairs, pair{ours: float64(int(n))}) // the runtime's own are less than one
	}
	b.add(row{name: "allocations of a policy check", unit: allocations}, pairs)
	return nil
}

// measureMemory is of what is on the heap for each of many accounts that do nothing at the moment: the
// account's handle, and its sessions as they are opened, with one leaf each. The store is not counted.
func measureMemory(ctx context.Context, b *bench) error {
	accounts := 100_000
	if b.short {
		accounts = 20_000
	}
	client := accounttest.NewModel(accounttest.ModelConfig{}).Client()
	leaf, err := leafOf(0)
	if err != nil {
		return err
	}
	store := &oneLeaf{root: leaf.Hash()}
	var pairs []pair
	for range 3 {
		handles, opened := make([]*account.Account, accounts), make([]*session.Sessions, accounts)
		before := heap()
		for i := range accounts {
			handles[i] = client.Account(numbered(i))
			if opened[i], err = session.Open(ctx, store, handles[i].Ref()); err != nil {
				return err
			}
		}
		pairs = append(pairs, pair{ours: (heap() - before) / float64(accounts)})
		runtime.KeepAlive(handles)
		runtime.KeepAlive(opened)
	}
	b.add(row{name: "heap per idle account with one cached session", unit: sizes, least: 1024, want: 600}, pairs)
	return nil
}

// oneLeaf is a store in which every account has one leaf, made when it is read.
type oneLeaf struct{ root common.Hash }

var errReadOnly = errors.New("nothing is changed here")

func (s *oneLeaf) Load(context.Context, session.Ref) (*session.State, error) {
	leaf, err := leafOf(0)
	return &session.State{Version: 1, Header: session.Header{Root: s.root}, Leaves: []session.Leaf{leaf}}, err
}

func (s *oneLeaf) Version(context.Context, session.Ref) (uint64, error) { return 1, nil }

func (s *oneLeaf) Hold(_ context.Context, _ session.Ref, fn func(uint64) error) error { return fn(1) }

func (s *oneLeaf) Apply(context.Context, session.Ref, uint64, *session.Change) (uint64, error) {
	return 0, errReadOnly
}
