package browsertest

import (
	"flag"
	"math/big"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/ethereum/go-ethereum"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
)

var update = flag.Bool("update", false, "take the picture of the README anew")

// nfts counts the NFTs of the wallet's account on chain.
func (p *page) nfts(devnet *accounttest.Devnet) int {
	p.t.Helper()
	const balanceOf = "function balanceOf(address holder) view returns (uint256)"
	call, err := abi.Pack(balanceOf, devnet.Client.OwnedAccount(account.KeyOwner(p.wallet.key)).Address())
	require.NoError(p.t, err)
	data, err := devnet.Node.CallContract(p.t.Context(), ethereum.CallMsg{To: &devnet.Chain.Contracts.NFT, Data: call}, nil)
	require.NoError(p.t, err)
	result, err := abi.UnpackResult(balanceOf, data)
	require.NoError(p.t, err)
	return int(result[0].(*big.Int).Int64())
}

// grant grants a session with everything.
func (p *page) grant() {
	p.t.Helper()
	p.click("Review and sign")
	p.shows("With your signature this happens:", "is granted: its key")
	p.click("Sign in the wallet")
	p.shows("Granted. The key acts within these limits", "Mint an NFT")
}

// Grant, mint, batch, revoke, refused.
func TestStory(t *testing.T) {
	browser(t)
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	p := open(t, serve(t, devnet), "story")
	p.shows("Let an application act for you", "Sign in with Test Wallet")
	p.keep("1-welcome")
	p.keepOnPhone("1-welcome-phone")
	p.signIn()
	p.shows("None yet. Nothing can act for you.")
	p.keep("2-empty")

	p.click("Review and sign")
	p.shows("With your signature this happens:", "is granted: its key")
	p.keep("3-review")
	p.keepOnPhone("3-review-phone")
	p.click("Sign in the wallet")
	p.shows("Granted. The key acts within these limits", "active")
	p.keep("4-granted")

	p.click("Mint an NFT")
	p.shows("Minted an NFT, in transaction")
	require.Equal(t, 1, p.nfts(devnet))
	p.click("Mint both at once")
	p.shows("Minted an NFT and 10 tokens, in transaction", "What it did")
	require.Equal(t, 2, p.nfts(devnet))
	p.keep("5-minted")
	p.keepOnPhone("5-minted-phone")
	if *update {
		require.NoError(t, p.picture("../page.png", width))
	}

	p.click("Revoke on chain")
	p.shows("It is stopped here already", "ends on chain")
	p.keep("6-revoking")
	p.click("Sign in the wallet")
	p.shows("Revoked. It has ended on chain, too.", "ended")
	p.keep("7-revoked")
	p.click("Try it all the same")
	p.shows("Refused: This session was stopped, and its key signs nothing more.")
	p.keep("8-refused")
	require.Equal(t, 2, p.nfts(devnet))
	require.Equal(t, 2, p.wallet.times())

	p.click("Sign out")
	p.shows("Sign in with Test Wallet")
	p.reload()
	p.shows("Sign in with Test Wallet")
}

// The red button stops a session without a wallet; the revocation can come later.
func TestStop(t *testing.T) {
	browser(t)
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	p := open(t, serve(t, devnet), "stop")
	p.signIn()
	p.grant()
	p.wallet.will(refused)
	p.click("Stop now")
	p.shows("Stopped. This key signs nothing more here.", "stopped here, stands on chain")
	p.keep("9-stopped")
	p.click("Try it all the same")
	p.shows("Refused: This session was stopped")
	p.click("Revoke on chain")
	p.shows("It is stopped here already")
	p.wallet.will(signedBy(p.wallet.key))
	p.click("Sign in the wallet")
	p.shows("Revoked. It has ended on chain, too.")
	p.lacks("stands on chain")
}

// A wallet that refuses, and one whose user has another account chosen.
func TestWalletsThatDoNotSign(t *testing.T) {
	browser(t)
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	p := open(t, serve(t, devnet), "hesitant")
	p.signIn()
	p.wallet.will(refused)
	p.click("Review and sign")
	p.click("Sign in the wallet")
	p.shows("You refused in the wallet. Nothing was signed, and nothing was sent.")
	p.keep("10-wallet-refused")
	p.wallet.will(signedBy(accounttest.Key("another account")))
	p.click("Sign in the wallet")
	p.shows("Another account of the wallet signed.")
	p.keep("11-wrong-wallet")
	p.click("Not now")
	p.shows("None yet. Nothing can act for you.")
	p.wallet.will(signedBy(p.wallet.key))
	p.grant()
}

// One that signs too late.
func TestSignedTooLate(t *testing.T) {
	browser(t)
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	p := open(t, serve(t, devnet, "-sign-within", "1s"), "late")
	p.signIn()
	asked, letGo, does := held(signedBy(p.wallet.key))
	p.wallet.will(does)
	p.click("Review and sign")
	p.click("Sign in the wallet")
	<-asked
	p.shows("Waiting for your wallet")
	p.keep("12-waiting")
	until, err := evaluate[int64](p, "JSON.parse(sessionStorage.prepared).operation.until")
	require.NoError(t, err)
	time.Sleep(time.Until(time.Unix(until+1, 0))) // it ends with that second
	close(letGo)
	p.shows("That was too late: what you signed is not taken any more.")
	p.keep("13-too-late")
	p.click("Not now")
	p.shows("None yet. Nothing can act for you.")
}

// The page loaded again before the signature, while the wallet shows it, and while a mint is on its way.
func TestReload(t *testing.T) {
	browser(t)
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	p := open(t, serve(t, devnet), "reload")
	p.signIn()
	p.reload()
	p.shows("Your sessions")
	p.click("Review and sign")
	p.shows("With your signature this happens:")
	p.reload()
	p.shows("With your signature this happens:")
	asked, letGo, does := held(refused)
	defer close(letGo)
	p.wallet.will(does)
	p.click("Sign in the wallet")
	<-asked
	p.reload() // the wallet's answer has nobody to come to
	p.shows("With your signature this happens:")
	p.wallet.will(signedBy(p.wallet.key))
	p.click("Sign in the wallet")
	p.shows("Granted. The key acts within these limits")

	p.ready("Mint an NFT")
	p.do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("button")].find((b) => b.textContent === "Mint an NFT").click()`))
	p.reload()
	p.shows("Minted an NFT, in transaction")
	require.Equal(t, 1, p.nfts(devnet), "it was ordered once")
}

// Orders whose answers are lost, until the page gives up, or is told that nobody is signed in any more: the
// same click again is the same order, and so is signing in again. What a page shows it goes on asking for.
func TestAnswersThatAreLost(t *testing.T) {
	browser(t)
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	p := open(t, serve(t, devnet), "lost")
	p.signIn()
	p.grant()
	p.do(chromedp.Evaluate[chromedp.Void](`(() => {
		const { fetch: ask, setTimeout: wait } = window;
		window.setTimeout = (f, ms) => wait(f, ms / 50);
		window.asked = {};
		window.fetch = async (path, request) => {
			const answer = await ask(path, request);
			const name = path.split("/").pop(), lost = window.lost?.[name];
			window.asked[name] = (window.asked[name] ?? 0) + 1;
			return lost ? new Response(JSON.stringify({ code: lost, message: "It was lost." }), { status: 503 }) : answer;
		};
	})()`))
	lose := func(object string) { p.do(chromedp.Evaluate[chromedp.Void]("void (window.lost = " + object + ")")) }
	lose(`{ act: "try_again" }`)
	p.click("Mint an NFT")
	p.shows("It was lost.")
	lose(`{}`)
	p.click("Mint an NFT")
	p.shows("Minted an NFT, in transaction")
	require.Equal(t, 1, p.nfts(devnet), "trying again does nothing twice")

	lose(`{ sessions: "try_again" }`)
	p.shows("It was lost.")
	lose(`{}`)
	p.do(chromedp.Evaluate[chromedp.Void]("void (window.asked.sessions = 0)"))
	require.NoError(t, p.until("window.asked.sessions > 0"), "it goes on asking")
	p.lacks("It was lost.")

	lose(`{ act: "sign_in" }`)
	p.click("Mint an NFT")
	p.shows("Your sign-in is over.")
	lose(`{}`)
	p.signIn()
	p.shows("Minted an NFT, in transaction")
	require.Equal(t, 2, p.nfts(devnet))
}

// All of it by keyboard.
func TestKeyboard(t *testing.T) {
	browser(t)
	devnet := accounttest.NewDevnet(t, accounttest.DevnetConfig{})
	p := open(t, serve(t, devnet), "keyboard")
	p.shows("Sign in with Test Wallet")
	p.tabTo("Sign in with Test Wallet")
	p.press(kb.Enter)
	p.shows("Your sessions")
	p.tabTo("Review and sign")
	p.press(kb.Enter)
	p.shows("With your signature this happens:")
	p.press(kb.Escape)
	p.lacks("With your signature this happens:")
	p.tabTo("Review and sign")
	p.press(kb.Enter)
	p.shows("With your signature this happens:")
	p.press(kb.Enter) // the focus is where it is signed
	p.shows("Granted. The key acts within these limits")
	p.tabTo("Mint an NFT")
	p.press(kb.Enter)
	p.shows("Minted an NFT, in transaction")
	p.tabTo("Stop now")
	p.press(" ")
	p.shows("Stopped. This key signs nothing more here.")
}
