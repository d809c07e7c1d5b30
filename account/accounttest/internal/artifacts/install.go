package artifacts

import (
	"context"
	"io"

	"github.com/go-sesame/sesame/internal/npm"
)

// Install compiles the contracts into dir, which is [Dir], if they are not there. Stderr is told what npm and
// node say.
func Install(ctx context.Context, dir string, stderr io.Writer) error {
	files, err := Source()
	if err != nil {
		return err
	}
	const built = "artifacts"
	of := npm.Build{
		Name: "contracts", Purpose: "compile the contracts",
		Dir: dir, Source: files, Script: []string{"build.mjs", built}, Result: built,
		Complete: Complete, Stderr: stderr,
	}
	return of.Run(ctx)
}
