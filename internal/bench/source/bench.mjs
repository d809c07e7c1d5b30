// The reference SDK as a child of the bench: a question in JSON on a line of standard input, its answer on one of
// standard output.
//
// The SDK keeps sessions in the browser's localStorage: here that is in memory, for signing, or a directory of
// files, for opening, as its file storage has them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { http, createWalletClient } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { polygonAmoy } from "viem/chains";
import { PaymasterMode, SessionLocalStorage, createSessionKeyManagerModule, createSessionSmartAccountClient } from "@biconomy/account";

console.log = console.info = console.warn = () => {}; // the SDK talks, and we do not count what that costs

const kept = new Map();
let dir; // where localStorage is, for opening
globalThis.localStorage = {
  getItem: (key) => (dir ? readFileSync(join(dir, key + ".json"), "utf8") : (kept.get(key) ?? null)),
  setItem: (key, value) => kept.set(key, value),
};

const { chainId, services, key } = JSON.parse(process.argv[2]);
polygonAmoy.rpcUrls.default.http = [services];
const urls = { chainId, rpcUrl: services, bundlerUrl: `${services}/api/v2/${chainId}/key`, paymasterUrl: `${services}/api/v1/${chainId}/key` };
const signer = createWalletClient({ account: privateKeyToAccount(key), chain: polygonAmoy, transport: http(services) });

// client is one for an account whose sessions are these.
const client = (accountAddress, sessions) => {
  kept.set(`${accountAddress.toLowerCase()}_sessions`, sessions);
  const storage = new SessionLocalStorage(accountAddress);
  return createSessionSmartAccountClient({ accountAddress, ...urls }, storage, "STANDARD");
};

let signing; // what is ready to sign
let senders; // accounts that are ready to send

const jobs = {
  // prepareSign gets ready to sign an operation with one of the sessions in a file.
  prepareSign: async ({ account, file, sessionID, op }) => {
    const smart = await client(account, readFileSync(file, "utf8"));
    signing = () => smart.signUserOp({ ...op }, { sessionSigner: signer, sessionID });
    return { signature: (await signing()).signature };
  },
  sign: async ({ times }) => {
    for (let i = 0; i < times; i++) await signing();
  },

  prepareOpen: async (question) => {
    dir = question.dir;
    jobs.open = async ({ times }) => {
      for (let i = 0; i < times; i++) {
        const sessionStorageClient = new SessionLocalStorage(question.account);
        const module = await createSessionKeyManagerModule({ smartAccountAddress: question.account, sessionStorageClient });
        if (module.merkleTree.getHexRoot() !== question.root) throw new Error("another root");
      }
    };
  },

  // prepareSend gets as many accounts ready as are to be in flight, each with the session in a file.
  prepareSend: async ({ accounts, file, sessionID, call }) => {
    dir = undefined;
    const sessions = readFileSync(file, "utf8");
    senders = [];
    for (const account of accounts) {
      const smart = await client(account, sessions);
      senders.push(() =>
        smart.sendTransaction(call, { params: { sessionSigner: signer, sessionID }, paymasterServiceData: { mode: PaymasterMode.SPONSORED } }));
    }
    for (const send of senders) await send();
  },
  send: async ({ times }) => {
    let begun = 0;
    await Promise.all(senders.map(async (send) => {
      while (begun++ < times) await send();
    }));
  },
};

// quiet returns when no thread of this process is at work any more on what was done, such as on its garbage, which
// would go on while the other side is measured.
const quiet = async () => {
  for (let looks = 0, before = process.cpuUsage(); looks < 100; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const { user, system } = process.cpuUsage(before); // in microseconds
    if (user + system < 1000) return;
    before = process.cpuUsage();
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const question = JSON.parse(line);
    if (question.warm) await jobs[question.do]({ ...question, times: question.warm });
    const start = process.hrtime.bigint();
    const result = await jobs[question.do](question);
    answer = { nanoseconds: Number(process.hrtime.bigint() - start), ...result };
    await quiet();
  } catch (error) {
    answer = { error: String(error.stack ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(0); // its timers would go on
