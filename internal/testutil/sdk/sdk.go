// Package sdk runs the reference SDK, @biconomy/account, from pinned npm packages: for tests that work beside
// it.
//
// Tests skip where it is not installed, or fail if SESAME_REQUIRE_SDK=1; `go run
// ./internal/testutil/sdk/install` installs it into the user's cache directory, which needs node and npm.
package sdk

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/npm"
)

//go:embed source/package.json source/package-lock.json source/.npmrc source/sdk.mjs
var source embed.FS

// ErrNotInstalled means that the SDK is not there. It says how to get it.
var ErrNotInstalled = errors.New("reference SDK not installed: run `go run ./internal/testutil/sdk/install` (needs node and npm)")

// requireEnv makes a missing SDK a failure where it would be a skipped test.
const requireEnv = "SESAME_REQUIRE_SDK"

// build says what to install, and where.
func build(stderr io.Writer) (*npm.Build, error) {
	files, err := fs.Sub(source, "source")
	if err != nil {
		return nil, err
	}
	dir, err := npm.Place("sdk", files)
	if err != nil {
		return nil, err
	}
	return &npm.Build{
		Name: "sdk", Purpose: "run the reference SDK", Dir: dir, Source: files, Stderr: stderr,
		Complete: func(dir string) bool {
			_, err := os.Stat(filepath.Join(dir, "node_modules/@biconomy/account/package.json"))
			return err == nil
		},
	}, nil
}

// Install installs the SDK, if it is not there.
func Install(ctx context.Context, stderr io.Writer) error {
	b, err := build(stderr)
	if err != nil {
		return err
	}
	return b.Run(ctx)
}

// Remove removes whatever was installed.
func Remove() error {
	b, err := build(io.Discard)
	if err != nil {
		return err
	}
	return b.Remove()
}

// TB is the part of testing.TB that a test's SDK needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Job is what the SDK is to do.
type Job struct {
	// Do is "grant", by the owner, or "act", with the sessions of the files in Dir.
	Do        string `json:"do"`
	RPC       string `json:"rpc"`
	Bundler   string `json:"bundler"`
	Paymaster string `json:"paymaster"`
	Dir       string `json:"dir"`
	// OwnerKey grants; it is hex.
	OwnerKey string         `json:"ownerKey,omitempty"`
	Account  common.Address `json:"account"`
	// NFT is minted and, where it is given, Token in the same operation.
	NFT   common.Address  `json:"nft"`
	Token *common.Address `json:"token,omitempty"`
}

// Result is what came of it.
type Result struct {
	// Success is the SDK's word.
	Success string
	// Account and Key are of a grant.
	Account, Key common.Address
}

// Run does a job. Without the SDK the test is skipped, or fails if SESAME_REQUIRE_SDK=1.
func Run(ctx context.Context, t TB, job *Job) (*Result, error) {
	t.Helper()
	b, err := build(io.Discard)
	if err != nil {
		t.Fatalf("%v", err)
	}
	node, err := exec.LookPath("node")
	if err != nil || !b.Complete(b.Dir) {
		if os.Getenv(requireEnv) == "1" {
			t.Fatalf("%v", ErrNotInstalled)
		}
		t.Skipf("%v", ErrNotInstalled)
	}
	in, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, node, filepath.Join(b.Dir, "sdk.mjs"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the SDK's %s: %w\n%s", job.Do, err, said.String())
	}
	result := new(Result)
	if err := json.Unmarshal(out, result); err != nil {
		return nil, fmt.Errorf("the SDK's %s: %w\n%s\n%s", job.Do, err, out, said.String())
	}
	return result, nil
}
