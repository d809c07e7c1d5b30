package testutil

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// ErrNoContracts means that the compiled contracts of the test chain are not there.
var ErrNoContracts = errors.New("contracts not installed: run `make contracts` (needs node and npm), " +
	"or name a directory of artifacts in SESAME_CONTRACTS")

// contractsEnv names a directory whose artifacts go before the compiled ones.
const contractsEnv = "SESAME_CONTRACTS"

// artifactNames are the contracts of the chain, each with the other file names it is known under.
func artifactNames() map[string][]string {
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
		"DemoTokenPaymaster":           nil,
	}
}

// creationCodes are the contracts' creation codes by contract name.
type creationCodes map[string][]byte

// loadContracts reads every artifact from the first of dirs that has it.
func loadContracts(dirs []string) (creationCodes, error) {
	codes := make(creationCodes)
	names := artifactNames()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		path, err := findArtifact(dirs, append([]string{name}, names[name]...))
		if err != nil {
			return nil, err
		}
		if codes[name], err = readArtifact(path); err != nil {
			return nil, fmt.Errorf("contract %s: %w", name, err)
		}
	}
	return codes, nil
}

// contractDirs are the directories to look for artifacts in, in order.
func contractDirs() []string {
	var dirs []string
	if dir := os.Getenv(contractsEnv); dir != "" {
		dirs = append(dirs, dir)
	}
	built := filepath.Join("contracts", "build")
	if root, ok := moduleRoot(); ok {
		return append(dirs, filepath.Join(root, "internal", "testutil", built))
	}
	if _, self, _, ok := runtime.Caller(0); ok { // a program that runs elsewhere than in the module
		dirs = append(dirs, filepath.Join(filepath.Dir(self), built))
	}
	return dirs
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
	return "", fmt.Errorf("%w (%s.json is in none of %s)", ErrNoContracts, names[0], strings.Join(dirs, ", "))
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
