package sesame_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docs/observability.md has every span, event, metric and attribute of the code, and none that there is not.
func TestObservabilityPage(t *testing.T) {
	named := spans(readFile(t, "docs/observability.md"), `^(sesame|rpc|server|error|jsonrpc|http)\.[a-z_.]+$`)
	known := toldNames(t)
	require.Greater(t, len(known), 50)
	for _, name := range known {
		if !slices.Contains(named, name) {
			t.Errorf("docs/observability.md does not tell of %s", name)
		}
	}
	for _, name := range named {
		if !slices.Contains(known, name) {
			t.Errorf("docs/observability.md tells of %s, which there is not", name)
		}
	}
}

// What hooks are told is named as spans are: package userop has each kind but that of pools.
func TestNamesOfStagesAndMoments(t *testing.T) {
	_, dirs := sources(t)
	values := func(dir string, is func(*ast.ValueSpec) bool) (found []string) {
		for _, file := range dirs[dir] {
			ast.Inspect(file, func(n ast.Node) bool {
				if spec, ok := n.(*ast.ValueSpec); ok && is(spec) {
					found = append(found, spec.Values[0].(*ast.BasicLit).Value)
				}
				return true
			})
		}
		return unique(found)
	}
	kinds := values("internal/observe", func(spec *ast.ValueSpec) bool {
		typ, ok := spec.Type.(*ast.Ident)
		return ok && typ.Name == "Kind" && spec.Names[0].Name != "Asked"
	})
	require.Greater(t, len(kinds), 20)
	require.Equal(t, kinds, values("userop", func(spec *ast.ValueSpec) bool {
		name := spec.Names[0].Name
		return strings.HasPrefix(name, "Stage") || strings.HasPrefix(name, "Moment")
	}))
}

// toldNames are the kinds, the attributes and the instruments of package observe, as they are told.
func toldNames(t *testing.T) (names []string) {
	files, dirs := sources(t)
	literal := func(expr ast.Expr) string {
		if is, ok := expr.(*ast.BasicLit); ok {
			return strings.Trim(is.Value, `"`)
		}
		return ""
	}
	for _, file := range withoutTests(files, dirs["internal/observe"]) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if typ, ok := n.Type.(*ast.Ident); ok && typ.Name == "Kind" {
					names = append(names, "sesame."+literal(n.Values[0]))
				}
			case *ast.CallExpr:
				switch called := n.Fun.(type) {
				case *ast.SelectorExpr:
					if called.Sel.Name == "Key" || called.Sel.Name == "Float64Histogram" && literal(n.Args[0]) != "" {
						names = append(names, literal(n.Args[0]))
					}
				case *ast.Ident:
					if called.Name == "histogram" || called.Name == "counter" || called.Name == "level" {
						names = append(names, "sesame."+literal(n.Args[1]))
					}
				}
			}
			return true
		})
	}
	return unique(names)
}

// Nobody tells of anything beside package observe: no other production code writes to a log or a tracer.
func TestOneObserver(t *testing.T) {
	files, dirs := sources(t)
	for dir, parsed := range dirs {
		first, _, _ := strings.Cut(dir, "/")
		if dir == "internal/observe" || !slices.Contains([]string{"userop", "account", "bundler", "paymaster", "ethnode", "internal"}, first) ||
			strings.HasPrefix(dir, "internal/testutil") || strings.HasPrefix(dir, "account/accounttest") || dir == "internal/bench" {
			continue
		}
		for _, file := range withoutTests(files, parsed) {
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if of, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{
					"DebugContext", "InfoContext", "WarnContext", "ErrorContext", "LogAttrs", "Debug", "Warn", "Tracer", "Meter", "SpanFromContext",
				}, of.Sel.Name) {
					t.Errorf("%s: what is told is told by package observe", files.Position(call.Pos()))
				}
				return true
			})
		}
	}
}
