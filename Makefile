# Dialtone: `make lab` shows the core working, `make test` runs every test.

FUNCTIONS := pcscf icscf scscf hss ocs
BINARIES  := $(FUNCTIONS) ue lab
PACKAGES  := tshark sip-tester postgresql freediameterd freediameter-extensions user-mode-linux kmod iproute2 tcpdump baresip-core linphone-cli bind9-utils bind9-dnsutils

# The suites that start the functions wait more than they work. Some have them built with the race detector, the others as shipped.
RACED := $(addprefix ./test/,core hangup)
WHOLE := $(addprefix ./test/,interop lab compose)

# Everything is compiled in two ways: as it is shipped, and with the race detector.
SHIPPED := CGO_ENABLED=0 go
RACE    := CGO_ENABLED=1 go

.PHONY: help build lab test tools vet race unit raced whole esp experiments bench compose-test fuzz clean

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 16

build: ## build the five functions, the handset and the lab into bin/
	$(SHIPPED) build -trimpath -o bin/ $(wildcard $(addprefix ./,$(BINARIES)))

lab: build ## bring the whole core up and show a charged call (ARGS=--once ends by itself)
	bin/lab $(ARGS)

test: tools vet race ## run every test, installing what they need (Debian, as root)
	@test/untouched $(MAKE) --no-print-directory -j4 --output-sync=line raced whole esp unit

tools:
	@test/install $(PACKAGES)

# The tests are vetted here, too, and so not again where they run.
vet: build
	$(SHIPPED) vet -trimpath ./...
	$(SHIPPED) -C test/lint vet . && $(SHIPPED) -C test/lint test . && $(SHIPPED) -C test/lint build -o ../../bin/lint . && CGO_ENABLED=0 GOFLAGS=-trimpath bin/lint ./...

race:
	$(RACE) build -race -o bin/race/ $(addprefix ./,$(FUNCTIONS))

unit: build ## the tests of packages
	nice env $(RACE) test -race -vet=off -timeout 15m $$(go list ./... | grep -v -x $(foreach suite,$(RACED) $(WHOLE),-e $$(go list $(suite))))

raced: race ## the tests of the functions together, built with the race detector
	DIALTONE_BINARIES=$(CURDIR)/bin/race $(RACE) test -race -vet=off -p $(words $(RACED)) -timeout 15m $(RACED)

whole: build ## the functions as they are shipped: with soft phones and SIPp, in the lab, with the environment of docker-compose.yml
	DIALTONE_BINARIES=$(CURDIR)/bin $(RACE) test -race -vet=off -p $(words $(WHOLE)) -timeout 15m $(WHOLE)

esp: build ## the tests that need a kernel with ESP, under one that is brought along
	DIALTONE_BINARIES=$(CURDIR)/bin test/kernel/test

experiments: build ## run the experiments of docs/experiments, with plots and a report of each in var/experiments (ARGS=--short takes seconds)
	@set -e; for file in docs/experiments/*.yaml; do echo "$$file"; bin/ocs experiment run $$file $(ARGS); done

bench: build ## CPU per 1,000 registrations and calls, also beside Kamailio's, live memory per subscriber, and the Go benchmarks
	@test/install sip-tester kamailio kamailio-ims-modules kamailio-presence-modules || true
	$(SHIPPED) run -trimpath ./test/bench
	$(SHIPPED) test -trimpath -run '^$$' -bench . -benchmem ./pkg/...

compose-test: ## bring the core up in containers and make a charged call (as root it brings its own engine along)
	test/compose/run

FUZZTIME ?= 20s

fuzz: ## run every fuzz target for FUZZTIME
	@test/fuzz $(FUZZTIME)

clean: ## remove what build and lab left
	rm -rf bin var
