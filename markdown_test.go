package sesame_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// prelude is what fragments of Go code in Markdown have at hand. Each is a function of its own.
const prelude = `package fragments

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/tsstore"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

var (
	_ = errors.New
	_ = fmt.Println
	_ = slog.Info
	_ http.Handler
	_ = os.Getenv
	_ = time.Now
	_ = abi.Pack
	_ = bundler.New
	_ = ethnode.Dial
	_ = outbox.NewMemory
	_ = paymaster.New
	_ = pgstore.Open
	_ policy.Policy
	_ = seal.NewPassphrase
	_ session.Store
	_ = tsstore.Transfer

	ctx                       context.Context
	err                       error
	ethClient                 *ethclient.Client
	bundlerURL, paymasterURL  string
	otherBundlerURL           string
	nodeURL, otherNodeURL     string
	databaseURL, dir          string
	secret, newSecret         []byte
	address, nft, sessionKey  common.Address
	wallet, token             common.Address
	limit                     *uint256.Int
	hash                      common.Hash
	text, signature           []byte
	policies                  []policy.Policy
	key                       *ecdsa.PrivateKey
	client                    *account.Client
	user                      *account.Account
	owner                     *account.OwnedAccount
	calls                     []account.Call
	report                    func(context.Context, account.Report) error
	traces                    trace.TracerProvider
	metrics                   metric.MeterProvider
	logger                    *slog.Logger
	ended                     func(context.Context, userop.Event)
	refusals                  chan userop.Event
	store                     *filestore.Store
	sess                      *session.Sessions
	tx                        *userop.Pending
	id                        string
)
`

// pages are the Markdown files of the repository.
func pages(t *testing.T) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err == nil && entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			paths = append(paths, path)
		}
		return err
	}))
	require.NotEmpty(t, paths)
	return paths
}

// The Go code in Markdown is checked by the compiler's rules: fragments with the prelude, and blocks that
// begin with a package clause as files of their own. Variables that are shown and not used are fine.
func TestGoInMarkdownCompiles(t *testing.T) {
	var fragments strings.Builder
	fragments.WriteString(prelude)
	var files []string
	for _, path := range pages(t) {
		for _, b := range goBlocks(t, path) {
			if strings.HasPrefix(b.text, "package ") {
				files = append(files, fmt.Sprintf("//line %s:%d\n%s", path, b.line, b.text))
				continue
			}
			fmt.Fprintf(&fragments, "\nfunc _() {\n//line %s:%d\n%s\n}\n", path, b.line, b.text)
		}
	}
	require.Greater(t, strings.Count(fragments.String(), "func _()"), 5)
	for _, err := range check(t, append(files, fragments.String())...) {
		t.Error(err)
	}
}

// A block that does not compile is told, with its place.
func TestGoInMarkdownCheckFindsMistakes(t *testing.T) {
	faults := check(t, "//line docs/page.md:7\npackage page\n\nimport \"github.com/go-sesame/sesame/account\"\n\nvar _ = account.NoSuchThing\n")
	require.Len(t, faults, 1)
	require.ErrorContains(t, faults[0], "NoSuchThing")
	require.ErrorContains(t, faults[0], "docs/page.md:11")
}

// block is a block of Go code, and the line that it begins on.
type block struct {
	text string
	line int
}

// goBlocks returns the text's code blocks in Go.
func goBlocks(t *testing.T, path string) (blocks []block) {
	t.Helper()
	const fence = "```go\n"
	text := readFile(t, path)
	for at := 0; ; {
		next := strings.Index(text[at:], fence)
		if next < 0 {
			return blocks
		}
		at += next + len(fence)
		code, _, closed := strings.Cut(text[at:], "```")
		require.True(t, closed, "%s: a code block without an end", path)
		blocks = append(blocks, block{code, 1 + strings.Count(text[:at], "\n")})
		at += len(code)
	}
}

// check returns what the type checker has against files, each a package of its own, unused variables apart.
func check(t *testing.T, sources ...string) (faults []error) {
	t.Helper()
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, source := range sources {
		file, err := parser.ParseFile(files, "markdown.go", source, parser.SkipObjectResolution)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		parsed = append(parsed, file)
	}
	config := types.Config{
		Importer: importer.ForCompiler(files, "gc", exportData(t, parsed)),
		Error: func(err error) {
			if fault, ok := err.(types.Error); !ok || !fault.Soft {
				faults = append(faults, err)
			}
		},
	}
	for _, file := range parsed {
		_, _ = config.Check("markdown", files, []*ast.File{file}, nil) // its error is the first of faults
	}
	return faults
}

// exportData finds the compiled form of what the files import, by asking the go command once.
func exportData(t *testing.T, files []*ast.File) func(path string) (io.ReadCloser, error) {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	for _, file := range files {
		for _, spec := range file.Imports {
			args = append(args, strings.Trim(spec.Path.Value, `"`))
		}
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

// Links between the files of the repository lead somewhere, those to a heading too. Others are not followed.
func TestMarkdownLinks(t *testing.T) {
	for _, path := range pages(t) {
		for _, fault := range brokenLinks(t, path) {
			t.Error(fault)
		}
	}
}

func TestMarkdownLinkCheckFindsMistakes(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(page, []byte("# One `two`, three\n# Again\n# Again\n"+
		"[here](#one-two-three) [again](page.md#again-1) [out](https://example.com/none)\n`[code](none.md)`\n"+
		"[a](none.md) [b](#none) ![c](none.svg)\n<img src=\"none.png\">\n[d][ref]\n\n[ref]: none2.md\n```\n[e](none3.md)\n# No heading\n```\n[f](#no-heading)\n"), 0o600))
	require.Len(t, brokenLinks(t, page), 6)
}

var (
	codeBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	codeSpan  = regexp.MustCompile("`[^`\n]*`")
	linkTo    = regexp.MustCompile(`\]\(([^()\s]+)\)|\b(?:src|href)="([^"]+)"|(?m)^\[[^\]\n]+\]: (\S+)`)
	heading   = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
)

// brokenLinks says which links of a page lead nowhere.
func brokenLinks(t *testing.T, page string) (faults []string) {
	t.Helper()
	text := codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(readFile(t, page), ""), "")
	for _, match := range linkTo.FindAllStringSubmatch(text, -1) {
		link := match[1] + match[2] + match[3]
		target, err := url.Parse(link)
		switch {
		case err != nil:
			faults = append(faults, fmt.Sprintf("%s: link to %s: %v", page, link, err))
			continue
		case target.IsAbs():
			continue
		}
		file := page
		if target.Path != "" {
			file = filepath.Join(filepath.Dir(page), target.Path)
		}
		if _, err := os.Stat(file); err != nil {
			faults = append(faults, fmt.Sprintf("%s: link to %s: there is no %s", page, link, file))
		} else if target.Fragment != "" && !anchors(t, file)[target.Fragment] {
			faults = append(faults, fmt.Sprintf("%s: link to %s: there is no such heading", page, link))
		}
	}
	return faults
}

// anchors are the names that headings have on GitHub and elsewhere: words in lower case with hyphens between
// them, and a number after the same again.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	names, times := make(map[string]bool), make(map[string]int)
	for _, match := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(readFile(t, page), ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, match[1])
		if n := times[name]; n > 0 {
			names[fmt.Sprintf("%s-%d", name, n)] = true
		}
		times[name]++
		names[name] = true
	}
	return names
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
