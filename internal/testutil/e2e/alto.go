package e2e

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/testutil"
)

// priceMemory is how long Alto takes what it proposed as a price.
const priceMemory = time.Second

// executors is how many bundles Alto can have under way.
const executors = 8

// Alto is a bundler on a node. It keeps everything in memory: what it knew is lost when it is killed.
type Alto struct {
	URL string

	tools   Tools
	anvil   *Anvil
	dir     string
	name    string
	port    int
	rpc     *rpc.Client
	pool    *http.Transport
	process *process
}

// StartAlto starts a bundler that works in dir; the caller closes it, before the node. Each of a node has a
// name, and its own keys.
func StartAlto(ctx context.Context, tools Tools, anvil *Anvil, dir, name string) (*Alto, error) {
	port, err := testutil.FreePort()
	if err != nil {
		return nil, err
	}
	b := &Alto{URL: fmt.Sprintf("http://127.0.0.1:%d", port), tools: tools, anvil: anvil, dir: dir, name: name, port: port}
	b.pool = http.DefaultTransport.(*http.Transport).Clone()
	if b.rpc, err = rpc.DialOptions(ctx, b.URL, rpc.WithHTTPClient(&http.Client{Transport: b.pool})); err != nil {
		return nil, err
	}
	for i := range executors {
		if err := anvil.SetBalance(ctx, accounttest.Address(b.executor(i)), ether(100)); err != nil {
			return nil, err
		}
	}
	if err := anvil.SetBalance(ctx, accounttest.Address(b.utility()), ether(1000)); err != nil {
		return nil, err
	}
	return b, b.Start(ctx)
}

// utility is the key that deploys what Alto simulates with, and has the fees.
func (b *Alto) utility() string { return b.name + " utility" }

func (b *Alto) executor(i int) string { return b.name + " executor " + strconv.Itoa(i) }

// Start starts it again after [Alto.Kill], at the same address.
func (b *Alto) Start(ctx context.Context) error {
	keys := make([]string, executors)
	for i := range keys {
		keys[i] = privateKey(b.executor(i))
	}
	var err error
	b.process, err = startProcess(filepath.Join(b.dir, b.name+".log"),
		[]string{"HOME=" + b.dir, "NODE_OPTIONS=--require=" + b.tools.loopback},
		b.tools.node, b.tools.alto,
		"--entrypoints", accounttest.WellKnownContracts().EntryPoint.Hex(),
		"--rpc-url", b.anvil.URL, "--port", strconv.Itoa(b.port),
		"--executor-private-keys", strings.Join(keys, ","), "--utility-private-key", privateKey(b.utility()),
		"--default-api-version", "v2", // which looks at the price of an operation
		"--gas-price-expiry", strconv.Itoa(int(priceMemory/time.Second)), "--safe-mode", "false", "--min-executor-balance", "0", "--refilling-wallets", "false",
		"--static-max-priority-fee-per-gas", "1", // gwei: of its own bundles' tips it would propose higher ones each time
		"--resubmit-stuck-timeout", "2000", // milliseconds, and a block: then a bundle that is in none is sent again
		"--enable-debug-endpoints", "true", "--log-level", "info", "--json", "true")
	if err != nil {
		return err
	}
	err = b.process.untilReady(ctx, func(ctx context.Context) error { return b.call(ctx, "eth_supportedEntryPoints") })
	if err != nil {
		return errors.Join(fmt.Errorf("Alto did not start: %w", err), b.Kill())
	}
	return nil
}

func privateKey(name string) string {
	return "0x" + hex.EncodeToString(crypto.FromECDSA(accounttest.Key(name)))
}

// Kill ends it at once, in the middle of whatever it does.
func (b *Alto) Kill() error { return b.process.kill() }

// Close ends it.
func (b *Alto) Close() error {
	b.rpc.Close()
	b.pool.CloseIdleConnections()
	return b.Kill()
}

func (b *Alto) call(ctx context.Context, method string, args ...any) error {
	if err := b.rpc.CallContext(ctx, nil, method, args...); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// Hold keeps operations in its pool, where it would put them into bundles by itself.
func (b *Alto) Hold(ctx context.Context, hold bool) error {
	mode := "auto"
	if hold {
		mode = "manual"
	}
	return b.call(ctx, "debug_bundler_setBundlingMode", mode)
}
