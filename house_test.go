package sesame_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// commentWidth is how many columns a comment has at most, a tab being four.
const commentWidth = 110

// sources parses the Go files of this module and of those below it, by directory.
func sources(t *testing.T) (*token.FileSet, map[string][]*ast.File) {
	t.Helper()
	files, dirs := token.NewFileSet(), make(map[string][]*ast.File)
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		dirs[filepath.Dir(path)] = append(dirs[filepath.Dir(path)], file)
		return err
	}))
	require.Greater(t, len(dirs), 30)
	return files, dirs
}

func TestCommentsHaveOneWidth(t *testing.T) {
	files, dirs := sources(t)
	for _, parsed := range dirs {
		for _, file := range parsed {
			for _, group := range file.Comments {
				for _, comment := range group.List {
					if strings.HasPrefix(comment.Text, "// Output:") {
						break // what comes is as long as the output is
					}
					at := files.Position(comment.Pos())
					if width := textWidth(t, at, comment.Text); width > commentWidth {
						t.Errorf("%s: a comment of %d columns, at most %d", at, width, commentWidth)
					}
				}
			}
		}
	}
}

// textWidth is how far to the right a comment on a line of its own goes, if that is too far: 0 otherwise, and
// for directives, links and what stands behind code.
func textWidth(t *testing.T, at token.Position, text string) int {
	width := 4*(at.Column-1) + utf8.RuneCountInString(text)
	if width <= commentWidth || !strings.HasPrefix(text, "// ") || strings.Contains(text, "://") {
		return 0
	}
	source, err := os.ReadFile(at.Filename)
	require.NoError(t, err)
	if before := source[at.Offset-at.Column+1 : at.Offset]; strings.TrimSpace(string(before)) != "" {
		return 0
	}
	return width
}

// Imports stand in three groups, in this order: the standard library's, others', ours.
func TestImportsAreGrouped(t *testing.T) {
	files, dirs := sources(t)
	for _, parsed := range dirs {
		for _, file := range parsed {
			for i, spec := range file.Imports[:max(len(file.Imports)-1, 0)] {
				at, next := files.Position(spec.End()), files.Position(file.Imports[i+1].Pos())
				if before, after := origin(spec), origin(file.Imports[i+1]); at.Line+1 == next.Line && before != after || before > after {
					t.Errorf("%s: imports of two origins in one group, or groups out of order", next)
				}
			}
		}
	}
}

// origin says where an import comes from: 0 the standard library, 1 others, 2 this module.
func origin(spec *ast.ImportSpec) int {
	path := strings.Trim(spec.Path.Value, `"`)
	first, _, _ := strings.Cut(path, "/")
	switch {
	case strings.HasPrefix(path, "github.com/go-sesame/sesame"):
		return 2
	case strings.Contains(first, "."):
		return 1
	}
	return 0
}

// Functions, types, methods, constants and variables that a user can name say what they are.
func TestExportedNamesAreDocumented(t *testing.T) {
	files, dirs := sources(t)
	for dir, parsed := range dirs {
		if strings.Contains(dir, "internal") || strings.HasPrefix(dir, "examples") {
			continue
		}
		pkg, err := doc.NewFromFiles(files, withoutTests(files, parsed), "github.com/go-sesame/sesame/"+dir)
		require.NoError(t, err)
		if strings.TrimSpace(pkg.Doc) == "" {
			t.Errorf("package %s has no comment", dir)
		}
		undocumented := func(name, text string) {
			if ast.IsExported(name) && strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s has no comment", dir, name)
			}
		}
		values := append(pkg.Consts, pkg.Vars...)
		for _, f := range pkg.Funcs {
			undocumented(f.Name, f.Doc)
		}
		for _, typ := range pkg.Types {
			undocumented(typ.Name, typ.Doc)
			for _, f := range append(typ.Funcs, typ.Methods...) {
				if ast.IsExported(typ.Name) {
					undocumented(f.Name, f.Doc)
				}
			}
			values = append(append(values, typ.Consts...), typ.Vars...)
		}
		for _, value := range values {
			for _, spec := range value.Decl.Specs {
				spec := spec.(*ast.ValueSpec)
				for _, name := range spec.Names {
					undocumented(name.Name, value.Doc+spec.Doc.Text()+spec.Comment.Text())
				}
			}
		}
	}
}

func withoutTests(files *token.FileSet, parsed []*ast.File) (production []*ast.File) {
	for _, file := range parsed {
		if !strings.HasSuffix(files.Position(file.Package).Filename, "_test.go") {
			production = append(production, file)
		}
	}
	return production
}

// Every public package shows by an example that runs what it is for; that of pgstore needs a database.
func TestPackagesHaveExamples(t *testing.T) {
	_, dirs := sources(t)
	for dir, parsed := range dirs {
		if dir == "." || strings.Contains(dir, "internal") || strings.HasPrefix(dir, "examples") || dir == "session/pgstore" {
			continue
		}
		var tests []*ast.File
		for _, file := range parsed {
			if file.Name.Name == "main" {
				tests = nil // a command
				break
			}
			tests = append(tests, file)
		}
		if tests == nil {
			continue
		}
		if !slices.ContainsFunc(doc.Examples(tests...), func(e *doc.Example) bool { return e.Output != "" || e.EmptyOutput }) {
			t.Errorf("package %s has no example that runs", dir)
		}
	}
}
