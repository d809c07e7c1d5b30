// Compiles the contracts of the test chain into <directory>/<Contract>.json, each {abi, bytecode}.
//
//	node build.mjs <directory>
//
// The npm packages of the lock file have to be installed beside it. The command
// github.com/go-sesame/sesame/account/accounttest/contracts sees to that.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modulesDir = join(here, "node_modules");

const biconomy = "@biconomy-devx/account-contracts-v2/contracts/smart-account/";

// What is compiled: contract name → source unit.
const contracts = {
  SmartAccount: biconomy + "SmartAccount.sol",
  Proxy: biconomy + "Proxy.sol",
  SmartAccountFactory: biconomy + "factory/SmartAccountFactory.sol",
  EcdsaOwnershipRegistryModule: biconomy + "modules/EcdsaOwnershipRegistryModule.sol",
  MultichainECDSAValidator: biconomy + "modules/MultichainECDSAValidator.sol",
  SessionKeyManager: biconomy + "modules/SessionKeyManagerModule.sol",
  VerifyingSingletonPaymaster:
    biconomy + "paymasters/verifying/singleton/VerifyingSingletonPaymaster.sol",
  ABISessionValidationModule: "src/ABISessionValidationModule.sol",
  ERC20SessionValidationModule: "src/ERC20SessionValidationModule.sol",
  BatchedSessionRouter: "src/BatchedSessionRouter.sol",
  AccountResolver: "src/AccountResolver.sol",
  DemoFactoryV1: "src/DemoFactoryV1.sol",
  DemoNFT: "src/DemoNFT.sol",
  DemoToken: "src/DemoToken.sol",
  DemoResetToken: "src/DemoResetToken.sol",
  DemoTarget: "src/DemoTarget.sol",
  DemoTokenPaymaster: "src/DemoTokenPaymaster.sol",
  DemoOracle: "src/DemoOracle.sol",
};

// What is taken as published: its address follows from the very bytes.
const published = {
  EntryPoint: "@account-abstraction/contracts/artifacts/EntryPoint.json",
};

function main() {
  const directory = process.argv[2];
  if (!directory) throw new Error("usage: node build.mjs <directory>");
  const artifacts = { ...copied(), ...compiled() };
  mkdirSync(directory);
  for (const [name, artifact] of Object.entries(artifacts)) {
    writeFileSync(join(directory, name + ".json"), JSON.stringify(artifact) + "\n");
  }
}

function copied() {
  const artifacts = {};
  for (const [name, path] of Object.entries(published)) {
    const { abi, bytecode } = JSON.parse(readFileSync(join(modulesDir, path), "utf8"));
    artifacts[name] = { abi, bytecode };
  }
  return artifacts;
}

function compiled() {
  const solc = createRequire(join(here, "build.mjs"))("solc");
  const sources = {};
  const outputSelection = {};
  for (const [name, unit] of Object.entries(contracts)) {
    sources[unit] = { content: readSource(unit) };
    (outputSelection[unit] ??= {})[name] = ["abi", "evm.bytecode.object"];
  }
  const input = {
    language: "Solidity",
    sources,
    settings: { optimizer: { enabled: true, runs: 800 }, viaIR: true, outputSelection },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
  const errors = (output.errors ?? []).filter((e) => e.severity === "error");
  if (errors.length > 0) throw new Error(errors.map((e) => e.formattedMessage).join("\n"));

  const artifacts = {};
  for (const [name, unit] of Object.entries(contracts)) {
    const { abi, evm } = output.contracts[unit][name];
    artifacts[name] = { abi, bytecode: "0x" + evm.bytecode.object };
  }
  return artifacts;
}

function readSource(unit) {
  return readFileSync(join(unit.startsWith("src/") ? here : modulesDir, unit), "utf8");
}

function findImport(unit) {
  try {
    return { contents: readSource(unit) };
  } catch (err) {
    return { error: err.message };
  }
}

main();
