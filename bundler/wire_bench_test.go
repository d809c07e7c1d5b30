package bundler_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
)

// wireServer in the environment makes this program the bundler of BenchmarkWire.
const wireServer = "SESAME_WIRE_SERVER"

// serveWire answers every request with one hash, under its ID, until the standard input ends.
func serveWire() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answer := []byte(`,"result":"` + opHash.Hex() + `"}`)
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, rest, _ := bytes.Cut(body, []byte(`"id":`))
		id, _, _ := bytes.Cut(rest, []byte(`,`))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(append([]byte(`{"jsonrpc":"2.0","id":`), id...), answer...))
	})}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println("http://" + listener.Addr().String())
	_ = server.Serve(listener)
}

// startWire runs serveWire in a process of its own.
func startWire(b *testing.B) string {
	b.Helper()
	program, err := os.Executable()
	require.NoError(b, err)
	server := exec.Command(program)
	server.Env = append(os.Environ(), wireServer+"=1")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	require.NoError(b, err)
	stdout, err := server.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, server.Start())
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = server.Wait()
	})
	url, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(url) + "/api/v2/80002/k-123456"
}

// plainOperation is an operation as a user of a bare JSON-RPC client writes it.
type plainOperation struct {
	Sender               common.Address `json:"sender"`
	Nonce                *hexutil.Big   `json:"nonce"`
	InitCode             hexutil.Bytes  `json:"initCode"`
	CallData             hexutil.Bytes  `json:"callData"`
	CallGasLimit         *hexutil.Big   `json:"callGasLimit"`
	VerificationGasLimit *hexutil.Big   `json:"verificationGasLimit"`
	PreVerificationGas   *hexutil.Big   `json:"preVerificationGas"`
	MaxFeePerGas         *hexutil.Big   `json:"maxFeePerGas"`
	MaxPriorityFeePerGas *hexutil.Big   `json:"maxPriorityFeePerGas"`
	PaymasterAndData     hexutil.Bytes  `json:"paymasterAndData"`
	Signature            hexutil.Bytes  `json:"signature"`
}

// BenchmarkWire sends an operation to a bundler in another process, in turns with this client and with
// go-ethereum's on a tuned transport. ns/op is of both together; of each and their ratio are the medians.
func BenchmarkWire(b *testing.B) {
	url := startWire(b)
	op := operation()
	op.CallData, op.PaymasterAndData, op.Signature = make([]byte, 324), make([]byte, 212), make([]byte, 800)
	ours := bundler.New(url)
	defer ours.Close()
	pool := &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256, DisableCompression: true}
	defer pool.CloseIdleConnections()
	conn, err := rpc.DialOptions(context.Background(), url, rpc.WithHTTPClient(&http.Client{Transport: pool}))
	require.NoError(b, err)
	defer conn.Close()
	plain := plainOperation{
		op.Sender, (*hexutil.Big)(op.Nonce.ToBig()), op.InitCode, op.CallData, (*hexutil.Big)(op.CallGasLimit.ToBig()),
		(*hexutil.Big)(op.VerificationGasLimit.ToBig()), (*hexutil.Big)(op.PreVerificationGas.ToBig()),
		(*hexutil.Big)(op.MaxFeePerGas.ToBig()), (*hexutil.Big)(op.MaxPriorityFeePerGas.ToBig()), op.PaymasterAndData, op.Signature,
	}
	sides := [2]func(context.Context) (common.Hash, error){
		func(ctx context.Context) (common.Hash, error) { return ours.SendUserOperation(ctx, op, entryPoint) },
		func(ctx context.Context) (hash common.Hash, err error) {
			return hash, conn.CallContext(ctx, &hash, "eth_sendUserOperation", &plain, entryPoint)
		},
	}
	for _, workers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("goroutines=%d", workers), func(b *testing.B) {
			const each = 512 // sends of a round
			var times [2][]float64
			for _, send := range sides { // connections are made
				timeOf(b, workers, each, send)
			}
			for b.Loop() {
				for i, send := range sides {
					times[i] = append(times[i], float64(timeOf(b, workers, each, send))/each)
				}
			}
			b.ReportMetric(median(times[0]), "ours-ns/send")
			b.ReportMetric(median(times[1]), "geth-ns/send")
			b.ReportMetric(median(times[0])/median(times[1]), "ratio")
		})
	}
}

// timeOf is how long it takes some workers to send so often together.
func timeOf(b *testing.B, workers, sends int, send func(context.Context) (common.Hash, error)) time.Duration {
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	var left atomic.Int64
	left.Store(int64(sends))
	var running sync.WaitGroup
	start := time.Now()
	for range workers {
		running.Go(func() {
			for left.Add(-1) >= 0 {
				if hash, err := send(ctx); err != nil || hash != opHash {
					b.Errorf("sent %s, %v", hash, err)
				}
			}
		})
	}
	running.Wait()
	return time.Since(start)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// BenchmarkSend is what this client needs of a send to a bundler in another process.
func BenchmarkSend(b *testing.B) {
	ours := bundler.New(startWire(b))
	defer ours.Close()
	op := operation()
	op.CallData, op.PaymasterAndData, op.Signature = make([]byte, 324), make([]byte, 212), make([]byte, 800)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ours.SendUserOperation(b.Context(), op, entryPoint); err != nil {
			b.Fatal(err)
		}
	}
}
