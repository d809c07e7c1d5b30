// The wallet of the tests, as an extension would put it into the page (EIP-1193, EIP-6963): what it is asked the
// test answers, by walletAsks.
(() => {
  const provider = {
    async request({ method, params = [] }) {
      const { code, message, result } = await window.walletAsks({ method, params });
      if (code) throw Object.assign(new Error(message), { code });
      return result;
    },
  };
  window.ethereum = provider;
  const info = { uuid: crypto.randomUUID(), name: "Test Wallet", icon: "data:,", rdns: "example.wallet" };
  const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
  addEventListener("eip6963:requestProvider", announce);
  announce();
})();
