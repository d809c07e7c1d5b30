// Package browsertest plays the story of examples/backend in a real browser: headless Chromium, with a wallet
// of the test's own in the page. It is a module of its own, so that neither the library nor the example needs
// the driver, chromedp.
//
// The tests skip where there is no browser, and fail if SESAME_REQUIRE_BROWSER=1; make browser installs
// Debian's package and runs them. With SESAME_SCREENSHOTS=DIR each state of the page is kept there as a
// picture, and with -update the one in the README is taken anew.
package browsertest
