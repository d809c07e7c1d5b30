# Sesame: session-key smart accounts for Go.
GO         ?= go
CONTRACTS  := ./account/accounttest/contracts
SERVICES   := ./internal/testutil/e2e/install
SDK        := ./internal/testutil/sdk/install
CHECKER    := honnef.co/go/tools/cmd/staticcheck@v0.8.2
STATICCHECK = $(GO) run $(CHECKER)

# What takes longest is tested first, beside all that is quick.
LONGEST    := account userop session/pgstore account/accounttest session/filestore

.DEFAULT_GOAL := help
.PHONY: help announce demo test e2e soak kill browser contracts services sdk postgres lint vet staticcheck portable bench bench-check bench-short bench-go cover fuzz clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: contracts ## Grant and use a session on the in-process chain, end to end
	@$(GO) run ./examples/use-session

# The race detector's second before each test binary ends is left out: it is for goroutines that outlive the tests, and
# those are what goleak and synctest fail for.
test: announce contracts postgres sdk ## Run all tests with the race detector, on the real contracts, PostgreSQL and beside the reference SDK too
	GORACE="$${GORACE-atexit_sleep_ms=0}" \
	SESAME_REQUIRE_CONTRACTS=1 SESAME_REQUIRE_POSTGRES=1 SESAME_REQUIRE_SDK=1 $(GO) run ./internal/testutil/pgtest/with .ci/modules -beside sh -c \
		'$(GO) test -race -timeout 30m $(TESTFLAGS) $$(for p in $(LONGEST); do [ ! -d $$p ] || echo ./$$p; done) ./...'

e2e: contracts services ## Run the main stories against Anvil and Pimlico's Alto, which start and end with it
	$(GO) test -tags e2e -count=1 -parallel 8 -timeout 15m $(TESTFLAGS) ./internal/testutil/e2e

soak: contracts postgres ## Send for a minute through services that fail, from processes that are killed, and count on chain; SOAK='-sends 5000 -v' for more
	@$(GO) run ./internal/testutil/soak $(SOAK)

kill: contracts postgres ## Kill examples/backend 200 times at every step of its story, and count on chain; KILL='-kills 1000 -v' for more
	@$(GO) run ./internal/testutil/backendkill $(KILL)

browser: contracts ## Play the story of examples/backend in headless Chromium, which it installs (Debian) if there is none
	@examples/backend/browsertest/install.sh
	cd examples/backend/browsertest && SESAME_REQUIRE_BROWSER=1 SESAME_REQUIRE_CONTRACTS=1 $(GO) test -count=1 -timeout 15m $(TESTFLAGS) ./...

announce:
	@echo 'This installs what is missing of: the compiled contracts and the reference SDK (npm; into the user cache directory, make clean removes' >&2
	@echo 'them) and PostgreSQL (the Debian package). A plain "go test ./..." installs nothing, and skips the tests that need these.' >&2

contracts: ## Install and compile the contracts, if they changed
	@$(GO) run $(CONTRACTS)

services: ## Install Anvil and Alto from npm for e2e, if they changed
	@$(GO) run $(SERVICES)

sdk: ## Install the reference SDK from npm for the tests beside it, if it changed
	@$(GO) run $(SDK)

postgres: ## Install PostgreSQL for the tests, if there is none
	@internal/testutil/pgtest/install.sh

lint: vet staticcheck ## Check format, vet, staticcheck, module files, the import rules and the examples

vet:
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-ed:"; gofmt -l .; exit 1; }
	.ci/modules $(GO) vet -tags e2e ./...
	.ci/modules $(GO) mod tidy -diff
	@.ci/imports
	@.ci/examples

staticcheck:
	.ci/modules $(STATICCHECK) -tags e2e ./...

%/staticcheck: # built as programs are, for who checks what is built otherwise
	GOBIN=$(abspath $(@D)) $(GO) install $(CHECKER)

portable: ## Check what a release needs besides: vet for 32 bits, without C, and the licences of what is linked
	CGO_ENABLED=0 GOARCH=386 $(GO) vet ./...
	@.ci/licences

bench: contracts ## Measure everything beside what else would do it, and keep the table in BENCHMARKS.md; BENCH='-only send' for some of it
	$(GO) run ./internal/bench $(or $(BENCH),-write BENCHMARKS.md)

bench-check: contracts ## Measure everything, and fail where a figure misses what it has to be by more than the noise
	$(GO) run ./internal/bench -check $(BENCH)

bench-short: ## The same with the ratios and counts that take little time, as CI has it
	$(GO) run ./internal/bench -short -check $(BENCH)

bench-go: ## Run the ordinary benchmarks beside the code, for benchstat
	.ci/modules $(GO) test -run '^$$' -bench . -benchmem ./...

cover: contracts postgres sdk ## Measure how much of each package the tests run, and fail where that is less than 85 %
	SESAME_REQUIRE_CONTRACTS=1 SESAME_REQUIRE_POSTGRES=1 SESAME_REQUIRE_SDK=1 $(GO) run ./internal/testutil/pgtest/with \
		$(GO) test -timeout 30m -coverpkg=./... -coverprofile=cover.out ./...
	@.ci/coverage cover.out

fuzz: ## Fuzz each target for 10 seconds
	@.ci/fuzz 10s

clean: ## Remove what was installed and built
	@$(GO) run $(CONTRACTS) -clean
	@$(GO) run $(SERVICES) -clean
	@$(GO) run $(SDK) -clean
	@$(GO) run ./internal/bench -clean
