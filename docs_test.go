package sesame_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// docs/errors.md has every error that a user can meet, and none that there is not.
func TestErrorsPage(t *testing.T) {
	page := readFile(t, "docs/errors.md")
	_, dirs := sources(t)
	for _, c := range []struct {
		what  string
		named []string // on the page
		known []string // in the code
	}{
		{"errors of packages", spans(page, `^\*?[a-z0-9]+\.(Err[A-Z]\w*|[A-Z]\w*Error|Error|Violation|RootMismatch|Revert)$`), exportedErrors(dirs)},
		{"AA codes", spans(page, `^AA[0-9]{2}$`), aaCodes()},
		{"errors of contracts", spans(page, `^[A-Z]\w*\(.*\)$`), contractErrors()},
		{"reasons of contracts", spans(page, reasons), textReasons(t, dirs)},
		{"JSON-RPC codes", unique(regexp.MustCompile(`-32[0-9]{3}\b`).FindAllString(page, -1)), rpcCodes(t)},
	} {
		require.NotEmpty(t, c.known, c.what)
		for _, name := range c.known {
			if !slices.Contains(c.named, name) {
				t.Errorf("%s: docs/errors.md does not tell of %s", c.what, name)
			}
		}
		for _, name := range c.named {
			if !slices.Contains(c.known, name) {
				t.Errorf("%s: docs/errors.md tells of %s, which there is not", c.what, name)
			}
		}
	}
}

// Text has as many columns as comments; tables, headings and pictures have what they need.
func TestPagesHaveOneWidth(t *testing.T) {
	for _, page := range pages(t) {
		if path.Dir(page) != "docs" {
			continue
		}
		text := codeBlock.ReplaceAllStringFunc(readFile(t, page), func(block string) string { return strings.Repeat("\n", strings.Count(block, "\n")) })
		for i, line := range strings.Split(text, "\n") {
			if width := utf8.RuneCountInString(line); width > commentWidth && !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "!") {
				t.Errorf("%s:%d: text of %d columns, at most %d", page, i+1, width, commentWidth)
			}
		}
	}
}

// What pages name of the public packages is there: account.Once, session.Query, State.Warnings.
func TestNamesOnPagesExist(t *testing.T) {
	_, dirs := sources(t)
	names, members := publicNames(dirs)
	require.True(t, names["account"]["NewClient"])
	require.True(t, members["OwnedAccount"]["Grant"])
	require.True(t, members["Config"]["ChainID"])
	inPackage, inType := regexp.MustCompile(`\b([a-z][a-z0-9]*)\.([A-Z]\w*)`), regexp.MustCompile(`\b([A-Z]\w*)\.([A-Z]\w*)`)
	for _, page := range pages(t) {
		for _, span := range spans(readFile(t, page), `.`) {
			for _, match := range inPackage.FindAllStringSubmatch(span, -1) {
				if known := names[match[1]]; known != nil && !known[match[2]] {
					t.Errorf("%s: `%s` names %s, which there is not", page, span, match[0])
				}
			}
			for _, match := range inType.FindAllStringSubmatch(span, -1) {
				if known := members[match[1]]; known != nil && !known[match[2]] {
					t.Errorf("%s: `%s` names %s, which there is not", page, span, match[0])
				}
			}
		}
	}
}

// publicNames are what the public packages export, by package, and the methods and fields of types, by the
// type's name.
func publicNames(dirs map[string][]*ast.File) (names, members map[string]map[string]bool) {
	names, members = make(map[string]map[string]bool), make(map[string]map[string]bool)
	add := func(to map[string]map[string]bool, of, name string) {
		if to[of] == nil {
			to[of] = make(map[string]bool)
		}
		to[of][name] = true
	}
	for dir, files := range dirs {
		if dir == "." || strings.Contains(dir, "internal") || strings.HasPrefix(dir, "examples") || strings.HasPrefix(dir, "cmd") {
			continue
		}
		for _, file := range files {
			for _, decl := range file.Decls {
				switch decl := decl.(type) {
				case *ast.FuncDecl:
					if decl.Recv == nil {
						add(names, path.Base(dir), decl.Name.Name)
					} else if receiver, ok := deref(decl.Recv.List[0].Type).(*ast.Ident); ok {
						add(members, receiver.Name, decl.Name.Name)
					}
				case *ast.GenDecl:
					for _, spec := range decl.Specs {
						switch spec := spec.(type) {
						case *ast.ValueSpec:
							for _, name := range spec.Names {
								add(names, path.Base(dir), name.Name)
							}
						case *ast.TypeSpec:
							add(names, path.Base(dir), spec.Name.Name)
							for _, name := range fields(spec.Type) {
								add(members, spec.Name.Name, name)
							}
						}
					}
				}
			}
		}
	}
	return names, members
}

func deref(expr ast.Expr) ast.Expr {
	if star, ok := expr.(*ast.StarExpr); ok {
		return star.X
	}
	return expr
}

// fields are the fields of a struct, or the methods of an interface.
func fields(expr ast.Expr) (names []string) {
	var list *ast.FieldList
	switch expr := expr.(type) {
	case *ast.StructType:
		list = expr.Fields
	case *ast.InterfaceType:
		list = expr.Methods
	default:
		return nil
	}
	for _, field := range list.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return names
}

// docs/contracts.md has the addresses that the code has.
func TestContractsPage(t *testing.T) {
	var known []string
	for _, chain := range []uint64{1, 88888, 88882, 167009} { // the first is like all the others
		deployed := reflect.ValueOf(contracts.DeployedOn(chain))
		for i := range deployed.NumField() {
			if address, ok := deployed.Field(i).Interface().(common.Address); ok && (chain == 1 || deployed.Type().Field(i).Name != "Handler") {
				known = append(known, address.Hex())
			}
		}
	}
	require.Equal(t, unique(known), spans(readFile(t, "docs/contracts.md"), `^0x[0-9a-fA-F]{40}$`))
}

// The picture was made after its source changed last, as far as its words tell.
func TestPictureHasTheWordsOfItsSource(t *testing.T) {
	words := func(path, pattern string) (found []string) {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(readFile(t, path), -1) {
			for line := range strings.SplitSeq(html.UnescapeString(match[1]), `\n`) {
				found = append(found, strings.TrimSpace(line))
			}
		}
		return unique(found)
	}
	require.Equal(t, words("docs/concepts.dot", `label="([^"]*)"`), words("docs/concepts.svg", `<text [^>]*>([^<]*)</text>`))
}

// spans are the code spans of a page that fit a pattern.
func spans(page, pattern string) (found []string) {
	fits := regexp.MustCompile(pattern)
	for _, span := range codeSpan.FindAllString(codeBlock.ReplaceAllString(page, ""), -1) {
		if text := strings.Trim(span, "`"); fits.MatchString(text) {
			found = append(found, text)
		}
	}
	return unique(found)
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// exportedErrors are the error values and types of the public packages: those with a method Error, and names
// for such types of others.
func exportedErrors(dirs map[string][]*ast.File) (names []string) {
	for dir, files := range dirs {
		if dir == "." || strings.Contains(dir, "internal") || strings.HasPrefix(dir, "examples") || strings.HasPrefix(dir, "cmd") {
			continue
		}
		for _, file := range files {
			if strings.HasSuffix(file.Name.Name, "_test") || file.Name.Name == "main" {
				continue
			}
			for _, decl := range file.Decls {
				for _, name := range errorsIn(decl) {
					star := ""
					if strings.HasPrefix(name, "*") {
						star, name = "*", name[1:]
					}
					if ast.IsExported(name) {
						names = append(names, star+path.Base(dir)+"."+name)
					}
				}
			}
		}
	}
	return unique(names)
}

// errorsIn are the errors that a declaration makes, those that are pointers with a star.
func errorsIn(decl ast.Decl) (names []string) {
	switch decl := decl.(type) {
	case *ast.FuncDecl: // func (e *T) Error() string
		if decl.Recv == nil || decl.Name.Name != "Error" || decl.Type.Results == nil {
			return nil
		}
		switch receiver := decl.Recv.List[0].Type.(type) {
		case *ast.StarExpr:
			return []string{"*" + receiver.X.(*ast.Ident).Name}
		case *ast.Ident:
			return []string{receiver.Name}
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec: // type T = other.Error
				if _, other := spec.Type.(*ast.SelectorExpr); other && spec.Assign != token.NoPos && strings.HasSuffix(spec.Name.Name, "Error") {
					names = append(names, "*"+spec.Name.Name)
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if decl.Tok == token.VAR && strings.HasPrefix(name.Name, "Err") {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

// aaCodes are the codes that the library explains.
func aaCodes() (codes []string) {
	for i := range 100 {
		if aa, ok := userop.ParseAA(fmt.Sprintf("AA%02d", i)); ok && aa.Help() != "" {
			codes = append(codes, aa.Code)
		}
	}
	return codes
}

// contractErrors are those that reverts are decoded with.
func contractErrors() []string {
	names := []string{"Error(string)", "Panic(uint256)"}
	for _, e := range contracts.Errors() {
		names = append(names, e.Signature())
	}
	return unique(names)
}

// reasons fits the texts that our contracts revert with, those of tokens apart.
const reasons = `^(ABISV |ERC20SV |SR |BTPM: |ECDSA: )|^(SessionNotApproved|Lengths mismatch|Invalid UserOp)$`

// textReasons are those that our own judgement, and our model of the contracts, reverts with.
func textReasons(t *testing.T, dirs map[string][]*ast.File) []string {
	t.Helper()
	fits, found := regexp.MustCompile(reasons), make(map[string]bool)
	for _, dir := range []string{"session/policy", "account/accounttest/internal/model"} {
		require.NotEmpty(t, dirs[dir])
		for _, file := range dirs[dir] {
			if strings.HasSuffix(file.Name.Name, "_test") {
				continue
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					if text, err := strconv.Unquote(literal.Value); err == nil && fits.MatchString(text) {
						found[text] = true
					}
				}
				return true
			})
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// rpcCodes are the codes that the transport knows.
func rpcCodes(t *testing.T) (codes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "internal/jsonrpc/code.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		if number, ok := n.(*ast.UnaryExpr); ok && number.Op == token.SUB {
			codes = append(codes, "-"+number.X.(*ast.BasicLit).Value)
		}
		return true
	})
	return unique(codes)
}
