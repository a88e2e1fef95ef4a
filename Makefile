# Dialtone: `make lab` shows the core working, `make test` runs every test.

FUNCTIONS := pcscf icscf scscf hss ocs
BINARIES  := $(FUNCTIONS) ue lab
PACKAGES  := tshark sip-tester postgresql freediameterd freediameter-extensions user-mode-linux kmod iproute2 tcpdump baresip-core linphone-cli

export CGO_ENABLED ?= 1

.PHONY: help build lab test tools vet unit esp bench compose-test fuzz clean

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 16

build: ## build the five functions, the handset and the lab into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ $(wildcard $(addprefix ./,$(BINARIES)))

lab: build ## bring the whole core up and show a charged call (ARGS=--once ends by itself)
	bin/lab $(ARGS)

test: tools vet unit esp ## run every test, installing what they need (Debian, as root)

tools:
	@test/install $(PACKAGES)

vet:
	go vet ./...
	go -C test/lint vet . && go -C test/lint build -o ../../bin/lint . && bin/lint ./...

unit:
	go test -race -timeout 15m ./...

esp: ## the tests that need a kernel with ESP, under one that is brought along
	test/kernel/test

bench: build ## CPU per 1,000 registrations and calls, also beside Kamailio's, live memory per subscriber, and the Go benchmarks
	@test/install sip-tester kamailio kamailio-ims-modules kamailio-presence-modules || true
	go run ./test/bench
	go test -run '^$$' -bench . -benchmem ./pkg/...

compose-test: ## bring the core up in containers and make a charged call (as root it brings its own engine along)
	test/compose/run

FUZZTIME ?= 20s

fuzz: ## run every fuzz target for FUZZTIME
	@test/fuzz $(FUZZTIME)

clean: ## remove what build and lab left
	rm -rf bin var
