// Runs the reference SDK on a devnet: a job as JSON on standard input, what came of it as JSON on standard output.
//
// The SDK keeps sessions in the browser's localStorage, here a directory of files with the same content, which is
// how its file storage has them: ADDRESS_sessions.json and ADDRESS_signers.json.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createWalletClient, encodeFunctionData, http, parseAbi } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { polygonAmoy } from "viem/chains";
import {
  PaymasterMode, SessionLocalStorage, createSession, createSessionSmartAccountClient, createSmartAccountClient,
  getBatchSessionTxParams, getSingleSessionTxParams,
} from "@biconomy/account";

const job = JSON.parse(await text(process.stdin));
console.log = console.info = console.warn = console.error; // the SDK talks
polygonAmoy.rpcUrls.default.http = [job.rpc]; // it asks the chain's public node where it is not told otherwise

const file = (key) => join(job.dir, key + ".json");
globalThis.localStorage = {
  getItem: (key) => (existsSync(file(key)) ? readFileSync(file(key), "utf8") : null),
  setItem: (key, value) => writeFileSync(file(key), value, { mode: 0o600 }),
};

// The SDK reads the chain and the kind of paymaster out of the paths.
const services = {
  chainId: polygonAmoy.id, rpcUrl: job.rpc,
  bundlerUrl: `${job.bundler}/api/v2/${polygonAmoy.id}/key`, paymasterUrl: `${job.paymaster}/api/v1/${polygonAmoy.id}/key`,
};
const sponsored = { paymasterServiceData: { mode: PaymasterMode.SPONSORED } };
const abi = parseAbi(["function safeMint(address to)", "function mint(address to, uint256 amount)"]);

// grant makes a key, and grants it a session to mint, as the owner.
async function grant() {
  const signer = createWalletClient({ account: privateKeyToAccount(job.ownerKey), chain: polygonAmoy, transport: http(job.rpc) });
  const account = await createSmartAccountClient({ signer, ...services });
  const address = await account.getAccountAddress();
  const storage = new SessionLocalStorage(address);
  const key = await (await storage.addSigner(undefined, polygonAmoy)).getAddress();
  const { wait } = await createSession(account, [{
    sessionKeyAddress: key, contractAddress: job.nft, functionSelector: "safeMint(address)",
    rules: [{ offset: 0, condition: 0, referenceValue: address }],
    interval: { validUntil: 0, validAfter: 0 }, valueLimit: 0n,
  }], storage, sponsored);
  const { success } = await wait();
  return { success, account: address, key };
}

// act mints with the sessions of the files: one NFT, or an NFT and a token in one operation.
async function act() {
  const storage = new SessionLocalStorage(job.account);
  const calls = [{ to: job.nft, data: encodeFunctionData({ abi, functionName: "safeMint", args: [job.account] }) }];
  if (job.token) calls.push({ to: job.token, data: encodeFunctionData({ abi, functionName: "mint", args: [job.account, 10n ** 18n] }) });
  const account = await createSessionSmartAccountClient({ accountAddress: job.account, ...services }, storage, job.token ? "BATCHED" : "STANDARD");
  const params = job.token
    ? await getBatchSessionTxParams(calls, [0, 1], storage, polygonAmoy)
    : await getSingleSessionTxParams(storage, polygonAmoy, 0);
  const { wait } = await account.sendTransaction(calls, { ...params, ...sponsored });
  const { success } = await wait();
  return { success };
}

const result = await { grant, act }[job.do]();
process.stdout.write(JSON.stringify({ ...result, success: String(result.success) }));
process.exit(0); // its timers would go on
