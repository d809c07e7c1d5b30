// The page of the backend: it finds the wallet, has it sign, and calls the JSON API beside it. What must not
// be lost when it is loaded again in the middle is in sessionStorage: what waits for the wallet, and what was
// ordered and not yet answered.

const $ = (id) => document.getElementById(id);

// ---- the API

class Refused extends Error {
  constructor(status, { code = "", message = "" }) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function call(path, body, headers = {}) {
  const request = body === undefined ? {} : {
    method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers },
  };
  let answer;
  try {
    answer = await fetch("/api/" + path, request);
  } catch {
    throw new Refused(503, { code: "try_again", message: "The server is out of reach." });
  }
  const result = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, result);
  return result;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// until asks again for as long as the server says that it does no harm, or that it is still on its way.
async function until(ask) {
  for (let tries = 0; ; tries++) {
    try {
      const outcome = await ask();
      if (outcome.status !== "pending") return outcome;
      say("Still on its way to the chain…");
    } catch (err) {
      if (err.code !== "try_again" || tries === 20) throw err;
      say("A service is slow to answer. Trying again, which does nothing twice…");
    }
    await pause(1500);
  }
}

// ---- the wallet: EIP-6963 where wallets announce themselves, window.ethereum otherwise

const announced = new Map();
addEventListener("eip6963:announceProvider", ({ detail }) => {
  announced.set(detail.info.rdns, { name: detail.info.name, provider: detail.provider });
  if (!$("welcome").hidden) showWallets();
});
dispatchEvent(new Event("eip6963:requestProvider"));

function wallets() {
  if (announced.size > 0) return announced;
  return window.ethereum ? new Map([["", { name: "your wallet", provider: window.ethereum }]]) : new Map();
}

function wallet() {
  const all = wallets();
  const chosen = all.get(sessionStorage.wallet ?? "") ?? all.values().next().value;
  if (!chosen) throw new Error("There is no wallet in this browser any more.");
  return chosen.provider;
}

// inWords says what a wallet's error means; 4001 is the user's no (EIP-1193).
function inWords(err) {
  if (err?.code === 4001) return "You refused in the wallet. Nothing was signed, and nothing was sent.";
  if (err?.code === -32002) return "The wallet waits for you already: open it.";
  return err?.message || "The wallet failed.";
}

function showWallets() {
  const buttons = [...wallets()].map(([id, { name, provider }]) => button(`Sign in with ${name}`, "main", async () => {
    sessionStorage.wallet = id;
    await signIn(provider);
  }));
  if (buttons.length === 0) buttons.push(element("p", "card", "No wallet was found in this browser. Install one, such as MetaMask or Rabby, and load this page again."));
  $("wallets").replaceChildren(...buttons);
}

async function signIn(provider) {
  try {
    const [address] = await provider.request({ method: "eth_requestAccounts" });
    const { text } = await call("sign-in/text", { address });
    const hex = "0x" + [...new TextEncoder().encode(text)].map((b) => b.toString(16).padStart(2, "0")).join("");
    const signature = await provider.request({ method: "personal_sign", params: [hex, address] });
    await call("sign-in", { signature });
  } catch (err) {
    return say(inWords(err), true);
  }
  say("");
  await start();
}

// ---- what waits for the wallet

const names = new Map();

async function prepare(path, body, title, lead, done) {
  try {
    review({ ...await call(path, body), title, lead, done });
  } catch (err) {
    if (err.code === "root_mismatch") $("replace").hidden = false;
    say(explain(err), true);
  }
  await refresh();
}

// review shows what was prepared. It stays where it is when the page is loaded again.
function review(prepared) {
  sessionStorage.prepared = JSON.stringify(prepared);
  $("review-title").textContent = prepared.title;
  $("review-lead").textContent = prepared.lead;
  $("review-says").replaceChildren(...prepared.says.map(sentence));
  $("review-message").hidden = true;
  $("review-sign").disabled = $("review-cancel").disabled = false;
  $("review-sign").textContent = prepared.signature ? "Send what you signed" : "Sign in the wallet";
  if (!$("review").open) $("review").showModal();
  $("review-sign").focus();
}

function forget() {
  sessionStorage.removeItem("prepared");
  if ($("review").open) $("review").close();
}

function leave() {
  const signed = JSON.parse(sessionStorage.prepared ?? "{}").signature;
  forget();
  say(signed ? "What you signed was given to the server, and may still happen." : "Nothing was signed, and nothing was sent.", signed);
}

$("review-cancel").onclick = leave;
$("review").addEventListener("cancel", (event) => { // the escape key
  event.preventDefault();
  if (!$("review-cancel").disabled) leave();
});

$("review-sign").onclick = async () => {
  const prepared = JSON.parse(sessionStorage.prepared);
  const busy = (on) => { $("review-sign").disabled = $("review-cancel").disabled = on; };
  busy(true);
  $("review-message").hidden = true;
  try {
    if (!prepared.signature) {
      $("review-sign").textContent = "Waiting for your wallet…";
      prepared.signature = await wallet().request(prepared.request);
      sessionStorage.prepared = JSON.stringify(prepared); // it is not asked for twice
    }
    $("review-sign").textContent = "On its way to the chain…";
    const { operation, ticket, signature } = prepared;
    await until(() => call("submit", { operation, ticket, signature }));
    forget();
    await refresh(); // what is told can be seen
    return say(prepared.done);
  } catch (err) {
    const again = err instanceof Refused;
    if (again && err.code !== "try_again") { // this signature is of no use
      delete prepared.signature;
      sessionStorage.prepared = JSON.stringify(prepared);
    }
    $("review-message").textContent = again ? explain(err) : inWords(err);
    $("review-message").hidden = false;
    $("review-sign").textContent = prepared.signature ? "Send what you signed" : "Sign in the wallet";
    busy(false);
    if (again && ["too_late", "changed", "ticket", "replaced"].includes(err.code)) $("review-sign").disabled = true;
  }
  await refresh();
};

// ---- sessions

// act orders under a key of its own, which it keeps until it knows what became of it.
async function act(order) {
  sessionStorage.order = JSON.stringify(order);
  say(`Minting ${order.words}…`);
  let told, open = false;
  try {
    const { transaction } = await until(() => call(`sessions/${order.key}/act`, order.body, { "Idempotency-Key": order.id }));
    told = [`Minted ${order.words}, in transaction ${short(transaction)}.`];
  } catch (err) {
    open = ["try_again", "sign_in"].includes(err.code); // it may have happened
    told = [(open ? "" : "Refused: ") + explain(err), true];
  }
  if (!open) sessionStorage.removeItem("order");
  await refresh();
  say(...told);
}

// newOrder is the one before if that is the same and was not answered: trying again does nothing twice.
function newOrder(key, body, words) {
  const open = JSON.parse(sessionStorage.order ?? "null");
  return open?.key === key && open.words === words ? open : { id: crypto.randomUUID(), key, body, words };
}

async function stop(key) {
  let told = ["Stopped. This key signs nothing more here. Revoke it to end it on chain, too."];
  try {
    await call(`sessions/${key}/suspend`, {});
  } catch (err) {
    told = [explain(err), true];
  }
  await refresh();
  say(...told);
}

function explain(err) {
  switch (err.code) {
    case "sign_in": show("welcome"); return "Your sign-in is over. Sign in again.";
    case "wrong_wallet": return "Another account of the wallet signed. " + sentenceCase(err.message);
    case "too_late": return "That was too late: what you signed is not taken any more. Close this, and begin again.";
    case "changed": return "Your sessions have changed meanwhile. Close this, and begin again.";
    case "stopped": return "This session was stopped, and its key signs nothing more.";
    case "over": return "This session is over.";
    case "root_mismatch": return "Another application has granted sessions for this account, which this one does not know. To grant here, tick that they end.";
    case "pending": return "Another change of your sessions is on its way to the chain. Wait for it, and begin again.";
  }
  return sentenceCase(err.message || String(err));
}

const sentenceCase = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const stateWords = { active: "active", pending: "being granted", revoked: "ended", expired: "over" };
const whatWords = { nft: "May mint NFTs for you", token: "May mint tokens for you", other: "May do this" };
const deedWords = { open: "on its way", reverted: "reverted", ended: "never happened" };

function card(session) {
  const root = $("session").content.firstElementChild.cloneNode(true);
  const over = session.status === "revoked" || session.status === "expired";
  const state = root.querySelector(".state");
  root.dataset.key = session.key;
  root.classList.toggle("ended", over);
  root.querySelector("h3").replaceChildren("Key ", element("code", "", short(session.key), session.key));
  state.textContent = session.standing ? "stopped here, stands on chain" : stateWords[session.status];
  state.classList.add(session.standing ? "standing" : session.status);
  root.querySelector(".until").textContent = session.until ? `${over ? "Was good" : "Good"} until ${date(session.until)}` : "Has no end";
  root.querySelector(".says").replaceChildren(...session.allows.map(({ what, says }) => {
    const item = element("li"), exact = element("small");
    exact.append(...words(says));
    item.append(element("strong", "", whatWords[what]), exact);
    return item;
  }));
  root.querySelector(".did").hidden = !session.did;
  root.querySelector("ol").replaceChildren(...(session.did ?? []).map((deed) => {
    const item = element("li");
    item.append(element("span", "", deedWords[deed.state] ? `${deed.what}: ${deedWords[deed.state]}` : `Minted ${deed.what}`),
      element("span", "", ago(deed.at), deed.transaction));
    return item;
  }));
  root.querySelector(".buttons").replaceChildren(...cardButtons(session, over));
  return root;
}

function cardButtons({ key, status, standing, allows }, over) {
  const may = (what) => allows.some((allowed) => allowed.what === what);
  const mint = may("nft") ? [{ nfts: 1, tokens: 0 }, "an NFT"] : [{ nfts: 0, tokens: 10 }, "10 tokens"];
  const both = may("token") && may("nft") ? [{ nfts: 1, tokens: 10 }, "an NFT and 10 tokens"] : [{ nfts: 2, tokens: 0 }, "2 NFTs"];
  const ending = () => prepare(`sessions/${key}/revoke`, {}, "Revoke a session", "It is stopped here already. With your signature it ends on chain, too:", "Revoked. It has ended on chain, too.");
  const all = [];
  if (status === "active") {
    all.push(button("Mint " + mint[1], "main", () => act(newOrder(key, ...mint))));
    if (may("nft")) all.push(button(may("token") ? "Mint both at once" : "Mint 2 at once", "", () => act(newOrder(key, ...both))));
  }
  if (status === "active" || standing) all.push(button("Revoke on chain", "quiet", ending));
  if (over) all.push(button("Try it all the same", "quiet", () => act(newOrder(key, ...mint))));
  if (!over) all.push(button("Stop now", "stop", () => stop(key)));
  return all;
}

let shown = "";

async function refresh() {
  let list;
  try {
    list = await call("sessions");
  } catch (err) {
    refresh.failed = true;
    clearTimeout(refresh.timer);
    if (err.code === "try_again") refresh.timer = setTimeout(refresh, 5000);
    return say(explain(err), true);
  }
  if (refresh.failed) say("");
  refresh.failed = false;
  const text = JSON.stringify(list) + new Date().toISOString().slice(0, 16);
  if (text !== shown) { // so that nobody's focus is lost for nothing
    const at = document.activeElement?.closest?.("[data-key]")?.dataset.key;
    const label = document.activeElement?.textContent;
    $("sessions").replaceChildren(...list.sessions.map(card));
    if (list.sessions.length === 0) $("sessions").replaceChildren(element("p", "empty", "None yet. Nothing can act for you."));
    for (const b of $("sessions").querySelectorAll(`[data-key="${at}"] button`)) if (b.textContent === label) b.focus();
    shown = text;
  }
  clearTimeout(refresh.timer);
  const open = list.changing || list.sessions.some((s) => s.did?.some((d) => d.state === "open"));
  refresh.timer = setTimeout(refresh, open ? 1500 : 30000);
}

$("grant").onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target.elements, submit = event.target.querySelector("button");
  submit.disabled = true;
  await prepare("sessions", {
    nfts: form.nfts.checked, tokens: form["mint-tokens"].checked ? Number(form.tokens.value) : 0,
    together: form.together.checked, hours: Number(form.hours.value), replaceRoot: form.replace.checked,
  }, "Grant a session", "With your signature this happens:", "Granted. The key acts within these limits from now on.");
  submit.disabled = false;
};

// ---- words

function element(tag, kind = "", text = "", title = "") {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (title) made.title = title;
  made.textContent = text;
  return made;
}

function button(text, kind, onclick) {
  const made = element("button", kind, text);
  made.type = "button";
  made.onclick = async () => {
    made.disabled = true;
    try { await onclick(); } finally { made.disabled = false; }
  };
  return made;
}

const short = (hex) => hex.slice(0, 8) + "…" + hex.slice(-6);
const date = (iso) => new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

function ago(iso) {
  const minutes = Math.round((Date.now() - new Date(iso)) / 60000);
  if (minutes < 1) return "just now";
  return minutes < 60 ? `${minutes} min ago` : date(iso);
}

// words are the parts of a sentence of the server's, with names where an address is one that the server has
// named: others stay as they are, in full.
function words(text) {
  return sentenceCase(text).split(/(0x[0-9a-fA-F]{40}|\d{4}-\d\d-\d\dT[\d:]+Z|\d+\.\d{6,}|(?<![.\d])\d{7,})/).map((part) => {
    const name = names.get(part.toLowerCase());
    if (name) return element("span", "name", name, part);
    if (/^0x.{40}$/.test(part)) return element("code", "", part);
    if (/^\d{4}-.*Z$/.test(part)) return element("time", "", date(part), part);
    if (/^\d+\.\d+$/.test(part)) return element("span", "", "about " + Number(part).toPrecision(2), part);
    if (/^\d+0{18}$/.test(part)) return element("span", "", part.slice(0, -18) + " × 10¹⁸", part);
    return /^\d{7,}$/.test(part) ? part.replace(/\B(?=(\d{3})+$)/g, "\u202f") : part;
  });
}

function sentence(text) {
  const item = element("li", text.endsWith(":") ? "head" : "");
  item.append(...words(text));
  return item;
}

function say(text, bad = false) {
  $("message").textContent = text;
  $("message").hidden = !text;
  $("message").classList.toggle("bad", bad);
  clearTimeout(say.timer);
  if (!bad) say.timer = setTimeout(() => say(""), 20000); // good news need not stay
}

function show(id) {
  for (const main of ["welcome", "home"]) $(main).hidden = main !== id;
  $("who").hidden = id !== "home";
  if (id === "welcome") { clearTimeout(refresh.timer); showWallets(); }
}

$("sign-out").onclick = async () => {
  await call("sign-out", {}).catch(() => {});
  sessionStorage.clear();
  forget();
  say("");
  show("welcome");
};

async function start() {
  let me;
  try {
    me = await call("me");
  } catch (err) {
    if (err.code !== "sign_in") say(explain(err), true);
    return show("welcome");
  }
  for (const [address, name] of Object.entries(me.names)) names.set(address.toLowerCase(), name);
  $("who-name").replaceChildren("Account ", element("code", "", short(me.account), me.account));
  await refresh(); // before it is shown, so that nothing moves under the pointer
  show("home");
  const prepared = JSON.parse(sessionStorage.prepared ?? "null");
  if (prepared?.request.params[1].toLowerCase() === me.owner.toLowerCase()) review(prepared);
  else forget(); // another account's
  if (sessionStorage.order) await act(JSON.parse(sessionStorage.order));
}

start();
