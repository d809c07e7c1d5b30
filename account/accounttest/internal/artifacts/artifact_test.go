package artifacts

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseBytecode(t *testing.T) {
	for _, c := range []struct {
		name, raw, want, err string
	}{
		{"0x hex", `"0x6001"`, "6001", ""},
		{"bare hex", `"6001"`, "6001", ""},
		{"object", `{"object":"0x6001","linkReferences":{}}`, "6001", ""},
		{"bare object", `{"object":"6001"}`, "6001", ""},
		{"missing", ``, "", `no bytecode: "bytecode" has to be hex or {"object": hex}`},
		{"number", `5`, "", `no bytecode: "bytecode" has to be hex or {"object": hex}`},
		{"empty", `"0x"`, "", "no bytecode: is it an interface or an abstract contract?"},
		{"unlinked", `"0x60__$aabb$__61"`, "", "bytecode has an unlinked library placeholder at byte 1"},
		{"odd", `"0x600"`, "", "bytecode is malformed: encoding/hex: odd length hex string"},
		{"no hex", `"0x60zz"`, "", "bytecode is malformed: encoding/hex: invalid byte: U+007A 'z'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, err := parseBytecode([]byte(c.raw))
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, fmt.Sprintf("%x", code))
		})
	}
}

// writeArtifacts puts every contract into dir, one byte of code each.
func writeArtifacts(t *testing.T, dir string, code byte) {
	t.Helper()
	for name := range names() {
		writeArtifact(t, dir, name, fmt.Sprintf(`{"bytecode":"0x%02x"}`, code))
	}
}

func writeArtifact(t *testing.T, dir, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".json"), []byte(content), 0o600))
}

func TestOtherArtifactsGoFirstFileByFile(t *testing.T) {
	built, own := t.TempDir(), t.TempDir()
	writeArtifacts(t, built, 1)
	writeArtifact(t, own, "SessionKeyManagerModule", `{"abi":[],"bytecode":{"object":"02"}}`)
	codes, err := load([]string{own, built})
	require.NoError(t, err)
	require.Equal(t, []byte{2}, codes["SessionKeyManager"])
	require.Equal(t, []byte{1}, codes["EntryPoint"])
	require.Len(t, codes, len(names()))
}

func TestBadArtifactIsNamed(t *testing.T) {
	built, own := t.TempDir(), t.TempDir()
	writeArtifacts(t, built, 1)
	path := filepath.Join(own, "EntryPoint.json")
	for content, want := range map[string]string{
		`{"bytecode":"0x"}`: "no bytecode: is it an interface or an abstract contract?",
		`{`:                 "unexpected end of JSON input",
	} {
		writeArtifact(t, own, "EntryPoint", content)
		_, err := load([]string{own, built})
		require.EqualError(t, err, "contract EntryPoint: "+path+": "+want)
		require.NotErrorIs(t, err, ErrNotInstalled)
	}
}

func TestMissingContracts(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv(Env, "")
	built, err := Dir()
	require.NoError(t, err)
	_, err = Load()
	require.ErrorIs(t, err, ErrNotInstalled)
	require.ErrorContains(t, err, "run `go run github.com/go-sesame/sesame/account/accounttest/contracts`")
	require.ErrorContains(t, err, "["+built+"]")

	t.Setenv(Env, "/somewhere")
	_, err = Load()
	require.ErrorContains(t, err, "[/somewhere, "+built+"]")
}

func TestNoCacheDirectory(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv(Env, "")
	_, err := Load()
	require.ErrorIs(t, err, ErrNotInstalled)
	require.ErrorContains(t, err, "; no cache directory for contracts: ")

	own := t.TempDir()
	writeArtifacts(t, own, 1)
	t.Setenv(Env, own)
	_, err = Load()
	require.NoError(t, err, "a directory of one's own needs none")
}

func TestComplete(t *testing.T) {
	dir := t.TempDir()
	require.False(t, Complete(dir))
	writeArtifacts(t, dir, 1)
	require.True(t, Complete(dir))
	require.NoError(t, os.Remove(filepath.Join(dir, "Proxy.json")))
	require.False(t, Complete(dir))
}

func FuzzParseBytecode(f *testing.F) {
	for _, seed := range []string{`"0x6001"`, `"60"`, `{"object":"0x00"}`, `{"object":{"object":"00"}}`, `"__$"`, `null`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		code, err := parseBytecode(raw)
		require.Equal(t, err == nil, len(code) > 0, "code or an error")
	})
}

// What is installed has to be the same everywhere: exact versions, with their hashes, and no registry's
// address.
func TestLockFile(t *testing.T) {
	lock, err := os.ReadFile(filepath.Join("source", "package-lock.json"))
	require.NoError(t, err)
	require.NotContains(t, string(lock), `"resolved"`)
	var locked struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	require.NoError(t, json.Unmarshal(lock, &locked))
	manifest, err := os.ReadFile(filepath.Join("source", "package.json"))
	require.NoError(t, err)
	var wanted struct{ Dependencies map[string]string }
	require.NoError(t, json.Unmarshal(manifest, &wanted))
	require.NotEmpty(t, wanted.Dependencies)
	for name, version := range wanted.Dependencies {
		require.Equal(t, version, locked.Packages["node_modules/"+name].Version, name)
	}
	for path, p := range locked.Packages {
		require.True(t, path == "" || p.Integrity != "", "%s has no hash", path)
	}
}
