package pgtest

import (
	"bufio"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

//go:embed cluster.sh
var clusterScript string

// cluster is a private server. The script that runs it ends it when its standard input does, as it does with
// this process.
type cluster struct {
	dir    string
	script *exec.Cmd
	stdin  io.Closer
}

func startCluster() (*cluster, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(tempDir(), "sesame-pg-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, script: exec.Command("/bin/sh", "-c", clusterScript, "cluster.sh", bin, dir)}
	c.script.Dir = dir
	c.script.Env = append(os.Environ(), "LC_ALL=C")
	if err := c.run(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

// run starts the script and waits until the server answers.
func (c *cluster) run() error {
	if err := dropPrivileges(c.script, c.dir); err != nil {
		return err
	}
	stdin, err := c.script.StdinPipe()
	if err != nil {
		return err
	}
	c.stdin = stdin
	stdout, err := c.script.StdoutPipe()
	if err != nil {
		return err
	}
	c.script.Stderr = c.script.Stdout
	if err := c.script.Start(); err != nil {
		return err
	}
	said := bufio.NewReader(stdout)
	line, err := said.ReadString('\n')
	if line == "ready\n" {
		return nil
	}
	rest, _ := io.ReadAll(said)
	return errors.Join(fmt.Errorf("PostgreSQL did not start: %s%s", line, rest), err, c.script.Wait())
}

// stop ends the server. Nothing is left of it when stop returns.
func (c *cluster) stop() error {
	return errors.Join(c.stdin.Close(), c.script.Wait(), os.RemoveAll(c.dir))
}

func (c *cluster) url() string {
	return With(With("postgres:///postgres", "host", c.dir), "user", "sesame")
}

// tempDir returns the directory for temporary files, unless a socket's path in there would be longer than a
// socket's address can be.
func tempDir() string {
	if dir := os.TempDir(); len(dir) < 60 {
		return dir
	}
	return "/tmp"
}

// findBinaries returns the directory of initdb and pg_ctl: that of PATH, or else of Debian's newest version,
// which are not in PATH.
func findBinaries() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil && isServer(filepath.Dir(initdb)) {
			return filepath.Dir(initdb), nil
		}
	}
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return !isServer(dir) })
	if len(dirs) == 0 {
		return "", ErrNoServer
	}
	return slices.MaxFunc(dirs, compareVersions), nil
}

// compareVersions compares …/9.6/bin with …/15/bin.
func compareVersions(a, b string) int { return cmp.Compare(version(a), version(b)) }

// version returns the number in …/15/bin, 0 where there is none.
func version(dir string) float64 {
	number, _ := strconv.ParseFloat(filepath.Base(filepath.Dir(dir)), 64)
	return number
}

// isServer reports whether a server can be made and run from the directory.
func isServer(dir string) bool {
	for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}
