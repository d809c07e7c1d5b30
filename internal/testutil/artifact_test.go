package testutil

import (
	"bytes"
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
	for name := range artifactNames() {
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
	codes, err := loadContracts([]string{own, built})
	require.NoError(t, err)
	require.Equal(t, []byte{2}, codes["SessionKeyManager"])
	require.Equal(t, []byte{1}, codes["EntryPoint"])
	require.Len(t, codes, len(artifactNames()))
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
		_, err := loadContracts([]string{own, built})
		require.EqualError(t, err, "contract EntryPoint: "+path+": "+want)
		require.NotErrorIs(t, err, ErrNoContracts)
	}
}

func TestMissingContracts(t *testing.T) {
	_, err := loadContracts([]string{t.TempDir()})
	require.ErrorIs(t, err, ErrNoContracts)
	require.ErrorContains(t, err, "run `make contracts`")

	t.Setenv(contractsEnv, "/somewhere")
	require.Equal(t, "/somewhere", contractDirs()[0])
	require.Len(t, contractDirs(), 2)
}

func TestProxyHashIsReplacedInMatchingFactoriesOnly(t *testing.T) {
	hash := bytes.Repeat([]byte{0xaa}, 32)
	program, trailer := []byte("program"), []byte("dsolc-trail")
	proxy := bytes.Join([][]byte{program, hash, trailer}, nil)
	factory := bytes.Join([][]byte{[]byte("<"), proxy, []byte("|"), proxy, []byte(">")}, nil)
	deployed := bytes.Join([][]byte{program, deployedProxyHash[:], trailer}, nil)

	require.Equal(t, bytes.Join([][]byte{[]byte("<"), deployed, []byte("|"), deployed, []byte(">")}, nil), withDeployedProxyHash(factory, proxy))
	other := []byte("a factory of something else")
	require.Equal(t, other, withDeployedProxyHash(other, proxy))
	require.Equal(t, other, withDeployedProxyHash(other, []byte("short")))
}

func TestConstructorsThatFail(t *testing.T) {
	in, err := newInstaller()
	require.NoError(t, err)
	require.ErrorContains(t, in.install(Address("a"), []byte{0x60, 0, 0x60, 0, 0xfd}), "constructor: execution reverted")
	require.EqualError(t, in.install(Address("b"), []byte{0x00}), "constructor returned no code")
	require.ErrorContains(t, in.install(Address("c"), []byte{0x62, 0x01, 0, 0, 0x60, 0, 0xf3}), "more than the 24576 that EIP-170 allows")
}

// fakeTB notes what a New function does to its test.
type fakeTB struct{ skipped, failed, logged string }

func (f *fakeTB) Helper()                     {}
func (f *fakeTB) Cleanup(func())              {}
func (f *fakeTB) Logf(s string, args ...any)  { f.logged = fmt.Sprintf(s, args...) }
func (f *fakeTB) Skipf(s string, args ...any) { f.skipped = fmt.Sprintf(s, args...); panic(f) }
func (f *fakeTB) Fatalf(s string, args ...any) {
	f.failed = fmt.Sprintf(s, args...)
	panic(f)
}

func TestMissingContractsSkipOrFail(t *testing.T) {
	missing := fmt.Errorf("%w (here)", ErrNoContracts)
	t.Setenv(requireEnv, "")
	tb := new(fakeTB)
	require.Panics(t, func() { checkStart(tb, missing) })
	require.Equal(t, missing.Error(), tb.skipped)

	t.Setenv(requireEnv, "1")
	tb = new(fakeTB)
	require.Panics(t, func() { checkStart(tb, missing) })
	require.Equal(t, missing.Error(), tb.failed)
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

// What is installed has to be the same everywhere: exact versions, with their hashes, and no registry's address.
func TestLockFile(t *testing.T) {
	lock, err := os.ReadFile(filepath.Join("contracts", "package-lock.json"))
	require.NoError(t, err)
	require.NotContains(t, string(lock), `"resolved"`)
	var locked struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	require.NoError(t, json.Unmarshal(lock, &locked))
	manifest, err := os.ReadFile(filepath.Join("contracts", "package.json"))
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
