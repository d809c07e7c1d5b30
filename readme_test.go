package sesame_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// prelude is what the README's Go code has at hand. Each block is a function of its own.
const prelude = `package readme

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

var (
	_ = errors.New
	_ = time.Now
	_ = abi.Pack
	_ = bundler.New
	_ = ethnode.Dial
	_ = paymaster.New
	_ session.Store
	_ policy.Policy

	ctx                      context.Context
	err                      error
	ethClient                *ethclient.Client
	bundlerURL, paymasterURL string
	otherBundlerURL          string
	nodeURL, otherNodeURL    string
	address, nft, sessionKey common.Address
	wallet, token            common.Address
	limit                    *uint256.Int
	hash                     common.Hash
	text, signature          []byte
	policies                 []policy.Policy
	key                      *ecdsa.PrivateKey
	client                   *account.Client
	user                     *account.Account
	owner                    *account.OwnedAccount
	calls                    []account.Call
	report                   func(context.Context, account.Report) error
	store                    *filestore.Store
	sess                     *session.Sessions
	tx                       *userop.Pending
	id                       string
)
`

// The README's Go code is checked by the compiler's rules. Variables that it shows and does not use are fine.
func TestREADMECompiles(t *testing.T) {
	blocks := goBlocks(t, "README.md")
	require.Greater(t, len(blocks), 2)
	var source strings.Builder
	source.WriteString(prelude)
	for i, block := range blocks {
		fmt.Fprintf(&source, "\nfunc block%d() {\n%s\n}\n", i, block)
	}
	for _, err := range check(t, source.String()) {
		t.Error(err)
	}
}

// A block that does not compile is told.
func TestREADMECheckFindsMistakes(t *testing.T) {
	faults := check(t, "package readme\n\nimport \"github.com/go-sesame/sesame/account\"\n\nvar _ = account.NoSuchThing\n")
	require.Len(t, faults, 1)
	require.ErrorContains(t, faults[0], "NoSuchThing")
}

// goBlocks returns the text's code blocks in Go.
func goBlocks(t *testing.T, path string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, part := range strings.Split(string(text), "```go\n")[1:] {
		block, _, closed := strings.Cut(part, "```")
		require.True(t, closed, "a code block without an end")
		blocks = append(blocks, block)
	}
	return blocks
}

// check returns what the type checker has against a file, unused variables apart.
func check(t *testing.T, source string) (faults []error) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "README.go", source, parser.SkipObjectResolution)
	require.NoError(t, err)
	config := types.Config{
		Importer: importer.ForCompiler(files, "gc", exportData(t, file)),
		Error: func(err error) {
			if fault, ok := err.(types.Error); !ok || !fault.Soft {
				faults = append(faults, err)
			}
		},
	}
	_, _ = config.Check("readme", files, []*ast.File{file}, nil) // its error is the first of faults
	return faults
}

// exportData finds the compiled form of what the file imports, by asking the go command once.
func exportData(t *testing.T, file *ast.File) func(path string) (io.ReadCloser, error) {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	for _, spec := range file.Imports {
		args = append(args, strings.Trim(spec.Path.Value, `"`))
	}
	list, err := exec.CommandContext(t.Context(), "go", args...).Output()
	require.NoError(t, err)
	paths := make(map[string]string)
	for line := range strings.Lines(string(list)) {
		path, export, _ := strings.Cut(strings.TrimSpace(line), " ")
		paths[path] = export
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(paths[path]) }
}
