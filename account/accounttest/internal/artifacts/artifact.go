package artifacts

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNotInstalled means that the compiled contracts of the test chain are not there.
var ErrNotInstalled = errors.New("contracts not installed: run `" + Command + "` " +
	"(needs node and npm), or name a directory of artifacts in " + Env)

// Command installs the contracts.
const Command = "go run github.com/go-sesame/sesame/account/accounttest/contracts"

// Env names a directory whose artifacts go before the compiled ones.
const Env = "SESAME_CONTRACTS"

// names are the contracts of the chain, each with the other file names it is known under.
func names() map[string][]string {
	return map[string][]string{
		"EntryPoint":                   nil,
		"SmartAccount":                 nil,
		"Proxy":                        nil,
		"SmartAccountFactory":          nil,
		"EcdsaOwnershipRegistryModule": {"ECDSAOwnershipRegistryModule", "EcdsaOwnershipRegistry"},
		"MultichainECDSAValidator":     {"MultichainECDSAValidatorModule", "MultiChainECDSAValidator"},
		"SessionKeyManager":            {"SessionKeyManagerModule"},
		"BatchedSessionRouter":         {"BatchedSessionRouterModule"},
		"ABISessionValidationModule":   {"ABISVM"},
		"ERC20SessionValidationModule": {"ERC20SVM"},
		"VerifyingSingletonPaymaster":  {"VerifyingPaymaster"},
		"DemoNFT":                      nil,
		"DemoToken":                    nil,
		"DemoResetToken":               nil,
		"DemoTarget":                   nil,
		"DemoTokenPaymaster":           {"BiconomyTokenPaymaster"},
		"DemoOracle":                   nil,
		"AccountResolver":              {"AddressResolver"},
		"DemoFactoryV1":                nil,
	}
}

// Names are the contracts of the chain, in order.
func Names() []string { return slices.Sorted(maps.Keys(names())) }

// Codes are the contracts' creation codes by contract name.
type Codes map[string][]byte

// Load reads every artifact, from the directory that [Env] names or from [Dir]. The error matches
// [ErrNotInstalled] where one is in neither.
func Load() (Codes, error) {
	var dirs []string
	if dir := os.Getenv(Env); dir != "" {
		dirs = append(dirs, dir)
	}
	built, noCache := Dir()
	if noCache == nil {
		dirs = append(dirs, built)
	}
	codes, err := load(dirs)
	if errors.Is(err, ErrNotInstalled) && noCache != nil {
		err = fmt.Errorf("%w; %w", err, noCache)
	}
	return codes, err
}

// load reads every artifact from the first of dirs that has it.
func load(dirs []string) (Codes, error) {
	codes := make(Codes)
	known := names()
	for _, name := range Names() {
		path, err := findArtifact(dirs, append([]string{name}, known[name]...))
		if err != nil {
			return nil, err
		}
		if codes[name], err = readArtifact(path); err != nil {
			return nil, fmt.Errorf("contract %s: %w", name, err)
		}
	}
	return codes, nil
}

// findArtifact returns the first file named <name>.json, directory by directory.
func findArtifact(dirs, names []string) (string, error) {
	for _, dir := range dirs {
		for _, name := range names {
			path := filepath.Join(dir, name+".json")
			if _, err := os.Stat(path); err == nil {
				return path, nil
			} else if !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		}
	}
	return "", fmt.Errorf("%w (%s.json is in none of [%s])", ErrNotInstalled, names[0], strings.Join(dirs, ", "))
}

// readArtifact returns the creation code in an artifact of solc, Hardhat or Foundry.
func readArtifact(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var artifact struct {
		Bytecode json.RawMessage `json:"bytecode"`
	}
	if err := json.Unmarshal(data, &artifact); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	code, err := parseBytecode(artifact.Bytecode)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return code, nil
}

// parseBytecode reads creation code given as "0x…", as bare hex, or as {"object": either}.
func parseBytecode(raw json.RawMessage) ([]byte, error) {
	var wrapped struct {
		Object json.RawMessage `json:"object"`
	}
	if json.Unmarshal(raw, &wrapped) == nil && wrapped.Object != nil {
		raw = wrapped.Object
	}
	var text string
	if len(raw) == 0 || json.Unmarshal(raw, &text) != nil {
		return nil, errors.New(`no bytecode: "bytecode" has to be hex or {"object": hex}`)
	}
	text = strings.TrimPrefix(text, "0x")
	if text == "" {
		return nil, errors.New("no bytecode: is it an interface or an abstract contract?")
	}
	if at := strings.Index(text, "__"); at >= 0 {
		return nil, fmt.Errorf("bytecode has an unlinked library placeholder at byte %d", at/2)
	}
	code, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("bytecode is malformed: %w", err)
	}
	return code, nil
}
