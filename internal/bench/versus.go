package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// versus is the reference SDK beside what it is measured with.
type versus struct {
	dir      string
	services *child // its own, where it has some
	sdk      *child
}

// newVersus starts the SDK and services for it, in a directory of their own.
func newVersus(ctx context.Context, root common.Hash) (*versus, error) {
	services, url, err := startServices(ctx, servicesQuestion{Root: root})
	if err != nil {
		return nil, err
	}
	v, err := newVersusAt(ctx, url)
	if err != nil {
		return nil, errors.Join(err, services.close())
	}
	v.services = services
	return v, nil
}

// newVersusAt starts the SDK for services that run.
func newVersusAt(ctx context.Context, url string) (*versus, error) {
	dir, err := os.MkdirTemp("", "sesame-bench-")
	if err != nil {
		return nil, err
	}
	v := &versus{dir: dir}
	if v.sdk, err = startSDK(ctx, url); err != nil {
		return nil, errors.Join(err, v.close())
	}
	return v, nil
}

func (v *versus) close() (err error) {
	for _, c := range []*child{v.sdk, v.services} {
		if c != nil {
			err = errors.Join(err, c.close())
		}
	}
	return errors.Join(err, os.RemoveAll(v.dir))
}

// startServices starts a child with services, and returns where they are.
func startServices(ctx context.Context, q servicesQuestion) (*child, string, error) {
	c, err := startSelf(ctx, "services")
	if err != nil {
		return nil, "", err
	}
	q.Do = "start"
	var at servicesAnswer
	if err := c.ask(q, &at); err != nil {
		return nil, "", errors.Join(err, c.close())
	}
	return c, at.URL, nil
}

// buildWithoutC builds this program with CGO_ENABLED=0.
func buildWithoutC(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "bench-without-c")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/go-sesame/sesame/internal/bench")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build with CGO_ENABLED=0: %w\n%s", err, out)
	}
	return program, nil
}

// target is what the SDK's time has to be, in times ours, for some number of leaves.
type versusTarget struct {
	leaves                      int
	least, want                 float64
	leastWithoutC, wantWithoutC float64
	bare                        bool // whether what no signature can do without is beside the SDK, too
}

// versusTime is how long each side signs in a round: with what its garbage costs, ours as the SDK's.
const versusTime = 200 * time.Millisecond

var versusTargets = []versusTarget{
	{100, 18, 22, 10, 14, false},
	{1_000, 33, 42, 20, 28, false},
	{10_000, 270, 320, 140, 190, true},
}

// measureVersus is of a session signature beside the reference SDK's, whose sessions are in its
// SessionLocalStorage, in memory: the operation's hash, the proof, the key's signature and the encoding. Both
// make the same bytes.
func measureVersus(ctx context.Context, b *bench) (err error) {
	v, err := newVersus(ctx, common.Hash{1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	ours, err := startSelf(ctx, "signer")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.close()) }()
	sides := []*child{ours}
	if !b.short {
		program, err := buildWithoutC(ctx, v.dir)
		if err != nil {
			return err
		}
		pure, err := startChild(ctx, "without C", program, "-role", "signer")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, pure.close()) }()
		sides = append(sides, pure)
	}
	for _, target := range versusTargets {
		if err := v.measure(ctx, b, target, sides); err != nil {
			return err
		}
	}
	return nil
}

// measure measures with so many leaves.
func (v *versus) measure(ctx context.Context, b *bench, target versusTarget, signers []*child) error {
	n := target.leaves
	theirs, err := v.prepareSign(n)
	if err != nil {
		return err
	}
	sides := make([]side, 0, 5)
	for _, signer := range signers {
		var got struct{ Signature string }
		if err := signer.ask(signerQuestion{Do: "prepare", Leaves: n}, &got); err != nil {
			return err
		}
		if got.Signature != theirs {
			return fmt.Errorf("signatures differ: ours %s, the SDK's %s", got.Signature, theirs)
		}
		s, err := signer.each("sign", versusTime)
		if err != nil {
			return err
		}
		sides = append(sides, s)
	}
	if target.bare {
		for _, signer := range signers {
			s, err := signer.each("bare", versusTime)
			if err != nil {
				return err
			}
			sides = append(sides, s)
		}
	}
	if _, err := v.sdk.duration("sign", max(20, 100_000/n)); err != nil { // until it is compiled
		return err
	}
	s, err := v.sdk.each("sign", versusTime)
	if err != nil {
		return err
	}
	values, err := interleave(ctx, b.rounds(30), append(sides, s)...)
	if err != nil {
		return err
	}
	rows := []row{
		{name: fmt.Sprintf("session signature of %d leaves ÷ TypeScript SDK", n), ours: "cgo", least: target.least, want: target.want},
		{name: fmt.Sprintf("the same, %d leaves, CGO_ENABLED=0", n), ours: "no cgo", least: target.leastWithoutC, want: target.wantWithoutC},
	}[:len(signers)]
	if target.bare {
		rows = append(rows, []row{
			{name: fmt.Sprintf("bare signature ÷ TypeScript SDK of %d leaves", n), ours: "cgo", free: true},
			{name: "the same, CGO_ENABLED=0", ours: "no cgo", free: true},
		}[:len(signers)]...)
	}
	other := values[len(values)-1]
	for i, r := range rows {
		r.other, r.unit, r.more = "SDK", nanoseconds, true
		b.add(r, paired(values[i], other))
	}
	return nil
}

// prepareSign gets the SDK ready to sign what [newSigning] does, and returns its signature, in hex.
func (v *versus) prepareSign(n int) (string, error) {
	all, root, err := leaves(n)
	if err != nil {
		return "", err
	}
	file, err := writeSDKFile(v.dir, user, all, root)
	if err != nil {
		return "", err
	}
	op, err := sponsored(n / 2)
	if err != nil {
		return "", err
	}
	var theirs struct{ Signature string }
	err = v.sdk.ask(map[string]any{"do": "prepareSign", "account": user, "file": file, "sessionID": all[n/2].ID, "op": op}, &theirs)
	return string(common.Bytes2Hex(common.FromHex(theirs.Signature))), err
}
