package browsertest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account/accounttest"
)

const (
	requireEnv     = "SESAME_REQUIRE_BROWSER"
	screenshotsEnv = "SESAME_SCREENSHOTS"
	// patience is how long the page may take to show something.
	patience = 60 * time.Second
)

// browser is the path of Chromium. Without one the test is skipped, or fails if SESAME_REQUIRE_BROWSER=1.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "no browser for tests: apt-get install chromium, or run make browser"
	if os.Getenv(requireEnv) == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// program is the backend, built once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sesame-browsertest-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "backend"), ".")
	build.Dir = ".." // the example, which is in the library's module
	if out, err := build.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build the backend: %w\n%s", err, out)
	}
	return filepath.Join(dir, "backend"), nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built {
		if path, _ := program(); path != "" {
			_ = os.RemoveAll(filepath.Dir(path))
		}
	}
	os.Exit(code)
}

// built says that there is a program to remove.
var built bool

// freeAddress is for a process that takes it a moment later: its port is below those that connections, and
// listeners that take any, are given meanwhile.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(10_000)))
		if err == nil {
			require.NoError(t, listener.Close())
			return listener.Addr().String()
		}
		require.ErrorIs(t, err, syscall.EADDRINUSE)
	}
}

// serve starts the backend on a devnet as a process, and returns where it is.
func serve(t *testing.T, devnet *accounttest.Devnet, args ...string) string {
	t.Helper()
	path, err := program()
	built = true
	require.NoError(t, err)
	at := freeAddress(t)
	cmd := exec.Command(path, append([]string{"-listen", at, "-rpc", devnet.RPC, "-bundler", devnet.Services.Bundler, "-paymaster", devnet.Services.Paymaster}, args...)...)
	said := new(bytes.Buffer)
	logs, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var once sync.Once
		for lines := bufio.NewScanner(io.TeeReader(logs, said)); lines.Scan(); {
			if strings.Contains(lines.Text(), "the page is at") {
				once.Do(func() { close(ready) })
			}
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		<-ended
		require.NoError(t, cmd.Wait(), "%s", said)
		if t.Failed() {
			t.Logf("the backend said:\n%s", said)
		}
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("the backend ended: %s", said)
	case <-time.After(patience):
		t.Fatal("the backend does not start")
	}
	return "http://" + at
}

// page is the backend's page in a browser of its own.
type page struct {
	t      *testing.T
	ctx    context.Context
	url    string
	wallet *wallet

	mu     sync.Mutex
	faults []string
}

// open opens the page with a wallet in it. At the end nothing must have gone wrong in it, or been loaded from
// elsewhere.
func open(t *testing.T, url, owner string) *page {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser(t)), chromedp.WSURLReadTimeout(patience), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("accept-lang", "en-GB"), chromedp.Env("LANGUAGE=en_GB"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which Chromium does not have for root
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	p := &page{t: t, url: url, wallet: newWallet(accounttest.Key(owner))}
	ctx, closeTab := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf), chromedp.WithListener(p.watch))
	p.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() {
			p.keep("failed-" + strings.ReplaceAll(t.Name(), "/", "-"))
		}
		err := chromedp.Cancel(ctx)
		closeTab()
		end()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("close the browser: %v", err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		require.Empty(t, p.faults)
	})
	require.NoError(t, chromedp.Do(ctx, // without a deadline: the browser lives as long as this context
		chromedp.ExposeFunc("walletAsks", p.wallet.ask),
		tell(cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: walletScript}),
		tell(network.Enable, network.EnableParams{}),
		tell(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"}),
		chromedp.EmulateViewport(width, height), chromedp.Navigate(url),
	))
	return p
}

// The size of the window.
const width, height = 820, 1000

// tell has the browser do something whose answer does not matter.
func tell[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, command, params)
		return err
	})
}

// watch notes what must not happen.
func (p *page) watch(event any) {
	fault := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = "exception: " + e.ExceptionDetails.Text
	case *cdplog.EventEntryAdded: // such as of the content security policy; refusals of the API are none
		if e.Entry.Level == cdplog.EntryLevelError && e.Entry.Source != cdplog.EntrySourceNetwork {
			fault = "error: " + e.Entry.Text
		}
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, p.url) && !strings.HasPrefix(u, "data:") {
			fault = "loaded from elsewhere: " + u
		}
	}
	if fault != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.faults = append(p.faults, fault)
	}
}

func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, actions...))
}

// evaluate returns what an expression is in the page.
func evaluate[T any](p *page, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// until waits until an expression is true in the page, also over a reload.
func (p *page) until(expression string) error {
	for end := time.Now().Add(patience); ; {
		done, err := evaluate[bool](p, expression)
		if err == nil && done {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(errors.New("it never came to that"), err)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// button is the visible button with this label.
func button(label string) chromedp.Search {
	return chromedp.Search(fmt.Sprintf(`//button[normalize-space()=%q and not(ancestor-or-self::*[@hidden])]`, label))
}

// click clicks a button, once it can be. The page may draw it anew just then: the click has not happened
// where its node is gone.
func (p *page) click(label string) {
	p.t.Helper()
	for try := 1; ; try++ {
		p.ready(label)
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		err := chromedp.Do(ctx, chromedp.Click(button(label)))
		cancel()
		if err == nil {
			return
		}
		if try == 5 || !strings.Contains(err.Error(), "Could not find node") {
			require.NoError(p.t, err, "click %q", label)
		}
	}
}

// ready waits until a button can be clicked.
func (p *page) ready(label string) {
	p.t.Helper()
	require.NoError(p.t, p.until(fmt.Sprintf(`[...document.querySelectorAll("button")].some((b) => b.checkVisibility() && !b.disabled && b.textContent === %q)`, label)), "no button %q", label)
}

// shows waits until the page shows texts.
func (p *page) shows(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if err := p.until(fmt.Sprintf("document.body.innerText.includes(%q)", text)); err != nil {
			all, _ := evaluate[string](p, "document.body.innerText")
			require.NoError(p.t, err, "the page does not show %q, but\n%s", text, all)
		}
	}
}

// lacks waits until the page shows a text no more.
func (p *page) lacks(text string) {
	p.t.Helper()
	require.NoError(p.t, p.until(fmt.Sprintf("!document.body.innerText.includes(%q)", text)), "the page shows %q", text)
}

// press presses a key on whatever has the focus.
func (p *page) press(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// tabTo presses the tab key until the focus is on a button.
func (p *page) tabTo(label string) {
	p.t.Helper()
	p.ready(label)
	for range 40 {
		p.press(kb.Tab)
		at, err := evaluate[string](p, `document.activeElement?.textContent ?? ""`)
		require.NoError(p.t, err)
		if at == label {
			return
		}
	}
	p.t.Fatalf("the tab key does not lead to %q", label)
}

// reload loads the page again, in the middle of whatever it does.
func (p *page) reload() {
	p.t.Helper()
	p.do(chromedp.Reload())
}

// signIn signs in, and waits for the sessions.
func (p *page) signIn() {
	p.t.Helper()
	p.click("Sign in with Test Wallet")
	p.shows("Your sessions", "Grant a session")
}

// keep keeps a picture of the page as it is, where pictures are asked for.
func (p *page) keep(name string) {
	if dir := os.Getenv(screenshotsEnv); dir != "" {
		if err := p.picture(filepath.Join(dir, name+".png"), width); err != nil {
			p.t.Errorf("picture %s: %v", name, err)
		}
	}
}

// keepOnPhone is keep for a narrow screen, in the dark.
func (p *page) keepOnPhone(name string) {
	p.t.Helper()
	dir := os.Getenv(screenshotsEnv)
	if dir == "" {
		return
	}
	dark := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}
	p.do(tell(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: dark}))
	if err := p.picture(filepath.Join(dir, name+".png"), 390); err != nil {
		p.t.Errorf("picture %s: %v", name, err)
	}
	p.do(tell(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{}))
}

// picture takes a picture of all of the page, so wide.
func (p *page) picture(path string, wide int64) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(wide, height)); err != nil {
		return err
	}
	tall, err := evaluate[float64](p, `document.querySelector("dialog[open]") ? innerHeight : document.documentElement.scrollHeight`)
	if err != nil {
		return err
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(wide, int64(tall))); err != nil {
		return err
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	return errors.Join(err, chromedp.Do(ctx, chromedp.EmulateViewport(width, height)))
}
