// Compiles the contracts of the test chain into build/<Contract>.json, each {abi, bytecode}.
//
//	node build.mjs
//
// Needs node and npm only. The npm packages are installed when they are missing or older than the
// lock file. Nothing is done when no input changed since the last build, and builds that run at the
// same time do not disturb each other.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const buildDir = join(here, "build");
const modulesDir = join(here, "node_modules");
const lockFile = join(here, ".build.lock");

const biconomy = "@biconomy-devx/account-contracts-v2/contracts/smart-account/";

// What is compiled: contract name → source unit.
const contracts = {
  SmartAccount: biconomy + "SmartAccount.sol",
  Proxy: biconomy + "Proxy.sol",
  SmartAccountFactory: biconomy + "factory/SmartAccountFactory.sol",
  EcdsaOwnershipRegistryModule: biconomy + "modules/EcdsaOwnershipRegistryModule.sol",
  MultichainECDSAValidator: biconomy + "modules/MultichainECDSAValidator.sol",
  SessionKeyManager: biconomy + "modules/SessionKeyManagerModule.sol",
  ERC20SessionValidationModule:
    biconomy + "modules/SessionValidationModules/ERC20SessionValidationModule.sol",
  VerifyingSingletonPaymaster:
    biconomy + "paymasters/verifying/singleton/VerifyingSingletonPaymaster.sol",
  ABISessionValidationModule: "src/ABISessionValidationModule.sol",
  BatchedSessionRouter: "src/BatchedSessionRouter.sol",
  DemoNFT: "src/DemoNFT.sol",
  DemoToken: "src/DemoToken.sol",
  DemoResetToken: "src/DemoResetToken.sol",
  DemoTarget: "src/DemoTarget.sol",
  DemoTokenPaymaster: "src/DemoTokenPaymaster.sol",
};

// What is taken as published: its address follows from the very bytes.
const published = {
  EntryPoint: "@account-abstraction/contracts/artifacts/EntryPoint.json",
};

function main() {
  const stamp = inputsHash();
  if (isBuilt(stamp)) return;
  withLock(() => {
    if (isBuilt(stamp)) return;
    install();
    publish({ ...copied(), ...compiled() }, stamp);
  });
}

function inputsHash() {
  const sources = readdirSync(join(here, "src")).sort().map((name) => join("src", name));
  const hash = createHash("sha256");
  for (const name of ["package-lock.json", "build.mjs", ...sources]) {
    hash.update(name + "\0").update(readFileSync(join(here, name))).update("\0");
  }
  return hash.digest("hex");
}

function isBuilt(stamp) {
  const path = join(buildDir, ".stamp");
  return existsSync(path) && readFileSync(path, "utf8").trim() === stamp;
}

// withLock runs work while no other build does. The lock is a file that holds its owner's process ID;
// one whose owner is gone is taken over.
function withLock(work) {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (!acquireLock()) Atomics.wait(pause, 0, 0, 200);
  try {
    work();
  } finally {
    rmSync(lockFile, { force: true });
  }
}

function acquireLock() {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: "wx" });
    return true;
  } catch (err) {
    if (err.code !== "EEXIST") throw err;
  }
  if (!ownerAlive()) rmSync(lockFile, { force: true });
  return false;
}

function ownerAlive() {
  try {
    const owner = Number(readFileSync(lockFile, "utf8"));
    return owner === 0 || process.kill(owner, 0);
  } catch (err) {
    return err.code === "EPERM";
  }
}

// install runs npm ci unless node_modules was installed from this very lock file. Install scripts of
// packages are not run.
function install() {
  const lock = createHash("sha256").update(readFileSync(join(here, "package-lock.json"))).digest("hex");
  const stamp = join(modulesDir, ".sesame-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: here,
    stdio: ["ignore", "inherit", "inherit"],
  });
  writeFileSync(stamp, lock);
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

// publish swaps a complete directory in, so that a reader sees the old build or the new one.
function publish(artifacts, stamp) {
  const fresh = mkdtempSync(buildDir + ".");
  for (const [name, artifact] of Object.entries(artifacts)) {
    writeFileSync(join(fresh, name + ".json"), JSON.stringify(artifact) + "\n");
  }
  writeFileSync(join(fresh, ".stamp"), stamp + "\n");
  if (existsSync(buildDir)) {
    const old = fresh + ".old";
    renameSync(buildDir, old);
    renameSync(fresh, buildDir);
    rmSync(old, { recursive: true });
  } else {
    renameSync(fresh, buildDir);
  }
}

main();
