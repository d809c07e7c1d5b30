package sesame_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/printer"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write api.txt anew")

// TestAPI compares what the packages export with api.txt, so that no change of it goes unseen: what is added
// is recorded by -update, what is taken away or changed breaks those who use it and stands in CHANGELOG.md.
func TestAPI(t *testing.T) {
	now := exported(t)
	if *update {
		require.NoError(t, os.WriteFile("api.txt", []byte(strings.Join(now, "\n")+"\n"), 0o644))
	}
	text, err := os.ReadFile("api.txt")
	require.NoError(t, err)
	recorded := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range recorded {
		if !slices.Contains(now, line) {
			t.Errorf("taken away or changed: %s", line)
		}
	}
	for _, line := range now {
		if !slices.Contains(recorded, line) {
			t.Errorf("not recorded: %s", line)
		}
	}
	if t.Failed() {
		t.Log("if it is meant to change: say so in CHANGELOG.md, and go test -run TestAPI . -update")
	}
}

// exported has a line for everything that a user of the module can name, sorted.
func exported(t *testing.T) (lines []string) {
	files, dirs := sources(t)
	for dir, parsed := range dirs {
		if strings.Contains(dir, "internal") || strings.HasPrefix(dir, "examples") || parsed[0].Name.Name == "main" {
			continue
		}
		pkg, err := doc.NewFromFiles(files, withoutTests(files, parsed), "github.com/go-sesame/sesame/"+dir)
		require.NoError(t, err)
		add := func(what string) { lines = append(lines, dir+": "+what) }
		values := append(pkg.Consts, pkg.Vars...)
		for _, f := range pkg.Funcs {
			add(oneLine(t, files, f.Decl))
		}
		for _, typ := range pkg.Types {
			if !ast.IsExported(typ.Name) {
				continue
			}
			for _, spec := range typ.Decl.Specs {
				for _, line := range typeLines(t, files, spec.(*ast.TypeSpec)) {
					add(line)
				}
			}
			for _, f := range append(typ.Funcs, typ.Methods...) {
				add(oneLine(t, files, f.Decl))
			}
			values = append(append(values, typ.Consts...), typ.Vars...)
		}
		for _, value := range values {
			for _, line := range valueLines(t, files, value.Decl) {
				add(line)
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// typeLines has a type, and a line for each exported field or method of one that has such.
func typeLines(t *testing.T, files *token.FileSet, spec *ast.TypeSpec) []string {
	name := "type " + spec.Name.Name + parameters(t, files, spec.TypeParams)
	var members *ast.FieldList
	switch typ := spec.Type.(type) {
	case *ast.StructType:
		name, members = name+" struct", typ.Fields
	case *ast.InterfaceType:
		name, members = name+" interface", typ.Methods
	default:
		if spec.Assign.IsValid() {
			name += " ="
		}
		return []string{name + " " + oneLine(t, files, spec.Type)}
	}
	lines := []string{name}
	for _, field := range members.List {
		what := strings.TrimPrefix(oneLine(t, files, field.Type), "func")
		if field.Tag != nil {
			what += " " + field.Tag.Value
		}
		for _, member := range field.Names {
			if ast.IsExported(member.Name) {
				separator := " "
				if _, method := field.Type.(*ast.FuncType); method && members == interfaceMethods(spec) {
					separator = ""
				} else if method {
					what = "func" + what
				}
				lines = append(lines, name+", "+member.Name+separator+what)
			} else if members == interfaceMethods(spec) {
				lines = append(lines, name+", unexported methods")
			}
		}
		if len(field.Names) == 0 {
			lines = append(lines, name+", embedded "+what)
		}
	}
	return lines
}

func interfaceMethods(spec *ast.TypeSpec) *ast.FieldList {
	if typ, ok := spec.Type.(*ast.InterfaceType); ok {
		return typ.Methods
	}
	return nil
}

func parameters(t *testing.T, files *token.FileSet, list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var all []string
	for _, field := range list.List {
		for _, name := range field.Names {
			all = append(all, name.Name+" "+oneLine(t, files, field.Type))
		}
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// valueLines has constants with their values, which may be stored, and variables with their types.
func valueLines(t *testing.T, files *token.FileSet, decl *ast.GenDecl) (lines []string) {
	for _, spec := range decl.Specs {
		spec := spec.(*ast.ValueSpec)
		for i, name := range spec.Names {
			if !ast.IsExported(name.Name) {
				continue
			}
			line := decl.Tok.String() + " " + name.Name
			if spec.Type != nil {
				line += " " + oneLine(t, files, spec.Type)
			}
			if decl.Tok == token.CONST && i < len(spec.Values) {
				line += " = " + oneLine(t, files, spec.Values[i])
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// oneLine prints a declaration without its comments and body.
func oneLine(t *testing.T, files *token.FileSet, node any) string {
	if f, ok := node.(*ast.FuncDecl); ok {
		head := *f
		head.Doc, head.Body = nil, nil
		node = &head
	}
	var text bytes.Buffer
	require.NoError(t, (&printer.Config{Mode: printer.RawFormat}).Fprint(&text, files, node), fmt.Sprintf("%T", node))
	line := strings.Join(strings.Fields(text.String()), " ")
	return strings.NewReplacer("( ", "(", ", )", ")", " )", ")").Replace(line)
}
