# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

# `make` prints what there is to do. The one tool needed is Go; what else is
# used is built into .cache, at the versions pinned here and in internal/tools.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GOLANGCI_VERSION := v2.13.1

CACHE    := $(CURDIR)/.cache
GOLANGCI := $(CACHE)/bin/golangci-lint-$(GOLANGCI_VERSION)
TOOL     := go -C $(CURDIR)/internal/tools tool

# Every module of the repository; the root comes first.
MODULES := $(sort $(patsubst ./%,%,$(patsubst %/go.mod,%,$(shell find . -name go.mod -not -path '*/.*/*' -not -path '*/testdata/*'))))

BENCH    ?= .
COUNT    ?= 10
BASE     ?= main
PKG      ?= ./...
FUZZTIME ?= 10s
ARGS     ?=

BENCH_FLAGS = -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT)

# $(call each,COMMAND) runs COMMAND in every module, goes on when one fails,
# and ends with an error that names those.
define each
@failed=(); \
for module in $(MODULES); do \
	echo "== $@: $$module"; \
	(cd "$$module" && $(1)) || failed+=("$$module"); \
done; \
if (($${#failed[@]})); then echo "$@ failed in: $${failed[*]}" >&2; exit 1; fi
endef

# $(call in,MODULE,COMMAND) runs COMMAND in a nested module.
in = @cd $(1) && $(2)

# Lists the fuzz targets of a module as lines of "package name" and runs each.
define fuzz
go test -list '^Fuzz' ./... \
| awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, names[i]; n = 0 }' \
| while read -r package name; do \
	echo "-- $$package $$name"; \
	go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x "$$package" </dev/null || exit 1; \
done
endef

##@ Every day

.PHONY: help
help: ## Print this list
	@awk 'BEGIN { FS = ":.*## "; print "Usage: make [target] [NAME=value]" } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: check
check: RACE := -race
check: fmt-diff vet lint test tidy-diff orphans ## Run everything a change must pass

.PHONY: test
test: ## Test every module; the library with the race detector
	$(call each,go test $$([ $$module = . ] && echo -race || echo $(RACE)) -shuffle=on ./...)

.PHONY: lint
lint: $(GOLANGCI) ## Lint every module, the import rules included
	$(call each,$(GOLANGCI) run ./...)

.PHONY: fmt
fmt: $(GOLANGCI) ## Format the code
	@$(GOLANGCI) fmt

.PHONY: fmt-diff
fmt-diff: $(GOLANGCI)
	@echo "== $@"; $(GOLANGCI) fmt --diff

.PHONY: vet
vet:
	$(call each,go vet -tags e2e ./...)

.PHONY: tidy
tidy: ## Tidy every go.mod
	$(call each,go mod tidy)

.PHONY: tidy-diff
tidy-diff:
	$(call each,go mod tidy -diff)

.PHONY: orphans
orphans: ## Find examples that the documentation shows nowhere
	@echo "== $@"; $(TOOL) orphanexamples $(CURDIR)

##@ See it work

.PHONY: demo
demo: ## Run the demo on real data, with no server to install (ARGS="--workers 4")
	$(call in,examples,go run ./quakes $(ARGS))

.PHONY: demo-check
demo-check: ## Run the demo and check its result
	$(call in,examples,go test ./quakes -run '^TestDemo$$' -count=1 -v)

.PHONY: e2e
e2e: ## Test against real servers, and clients in other languages
	$(call in,internal/e2e,go test -tags e2e -count=1 ./...)

.PHONY: e2e-deps
e2e-deps: ## Fetch and build those servers into .cache/e2e
	$(call in,internal/e2e,bash deps.sh $(CACHE)/e2e)

##@ Measure and search

.PHONY: bench
bench: ## Benchmark this tree against BASE (BASE=main BENCH=. PKG=./... COUNT=10)
	@rm -rf $(CACHE)/bench && mkdir -p $(CACHE)/bench/base
	@git archive $(BASE) | tar -x -C $(CACHE)/bench/base
	@echo "== $@: $(BASE)"
	-@go -C $(CACHE)/bench/base test $(BENCH_FLAGS) $(PKG) | tee $(CACHE)/bench/base.txt
	@echo "== $@: this tree"
	@go test $(BENCH_FLAGS) $(PKG) | tee $(CACHE)/bench/tree.txt
	@echo "== $@: compared"
	@$(TOOL) benchstat $(BASE)=$(CACHE)/bench/base.txt tree=$(CACHE)/bench/tree.txt

.PHONY: bench-peers
bench-peers: ## Benchmark beside other libraries that do the same
	$(call in,internal/peerbench,go run . $(ARGS))

.PHONY: fuzz
fuzz: ## Fuzz every fuzz target for a while (FUZZTIME=10s)
	$(call each,$(fuzz))

.PHONY: cover
cover: ## Measure the coverage of the library; the page is .cache/cover.html
	@mkdir -p $(CACHE)
	@go test -coverpkg=./... -coverprofile=$(CACHE)/cover.txt ./...
	@go tool cover -html=$(CACHE)/cover.txt -o $(CACHE)/cover.html
	@go tool cover -func=$(CACHE)/cover.txt | tail -n 1

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what the code calls
	$(call each,$(TOOL) govulncheck -C "$$PWD" ./...)

# A pinned binary, not a tool of a module: its dependencies are nobody's.
$(GOLANGCI):
	@echo "== golangci-lint $(GOLANGCI_VERSION): building it takes some minutes, once"
	@GOBIN=$(CACHE)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(CACHE)/bin/golangci-lint $@
