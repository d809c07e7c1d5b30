package sesame_test

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Errors with fields tell them to a log: each exported type of an error says what it is there.
func TestErrorsAreValuesForLogs(t *testing.T) {
	_, dirs := sources(t)
	var told []string
	for dir, files := range dirs {
		for _, file := range files {
			for _, decl := range file.Decls {
				if method, ok := decl.(*ast.FuncDecl); ok && method.Recv != nil && method.Name.Name == "LogValue" {
					told = append(told, path.Base(dir)+"."+deref(method.Recv.List[0].Type).(*ast.Ident).Name)
				}
			}
		}
	}
	require.Contains(t, told, "userop.Error")
	// Of these packages are the types that public ones give other names to.
	told = append(told, "ethnode.MemberError", "ethnode.PoolError", "bundler.MemberError", "bundler.PoolError", "paymaster.MemberError",
		"paymaster.PoolError", "bundler.TransportError", "paymaster.TransportError")
	require.Subset(t, told, []string{"failover.MemberError", "failover.Error", "jsonrpc.TransportError"})
	for _, name := range exportedErrors(dirs) {
		if name = strings.TrimPrefix(name, "*"); !strings.Contains(name, ".Err") || strings.HasSuffix(name, ".Error") {
			if !slices.Contains(told, name) {
				t.Errorf("%s has no method LogValue", name)
			}
		}
	}
}
