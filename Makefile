# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

# "make" lists the targets. They need Go and bash; other tools are built into
# .cache, at the versions pinned here and in internal/tools/go.mod.

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

# The modules that users require, those that they install as a command, and all in the
# order in which they are tagged.
LIBRARIES := . carriers/k8scarrier
PROGRAMS  := cmd/waybill
RELEASED  := $(LIBRARIES) $(PROGRAMS)

# The oldest versions that the library is tested with, and the newest.
OTEL   := $(addprefix go.opentelemetry.io/otel,@ /log@ /metric@ /trace@ /sdk@ /sdk/metric@)
LOWEST := $(addsuffix v1.47.0,$(OTEL)) github.com/segmentio/kafka-go@v0.4.48 github.com/prometheus/client_golang@v1.24.0
NEWEST := $(addsuffix latest,$(OTEL)) github.com/segmentio/kafka-go@latest github.com/prometheus/client_golang@latest

# The newest patch of the newest minor version of client-go. It is not @latest, so that no
# release elsewhere fails the gate. The oldest that Kubernetes supports is in
# carriers/k8scarrier/go.mod.
CLIENT_GO := $(addsuffix @v0.37,k8s.io/api k8s.io/apimachinery k8s.io/client-go)

# The race detector needs cgo, which Go switches off where there is no C compiler.
RACE = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# The tags of the tests that need servers.
TAGS := e2e,airflow

BENCH    ?= .
COUNT    ?= 10
BASE     ?= main
PKG      ?= ./...
FUZZTIME ?= 10s
ARGS     ?=
VERSION  ?=

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

# $(call with,MODULE,VERSIONS) tests a module with VERSIONS of its dependencies, by a
# go.mod in .cache, so that the one of the repository stays as it is.
define with
@mkdir -p $(CACHE)/deps && cp $(1)/go.mod $(CACHE)/deps/$@.mod && cp $(1)/go.sum $(CACHE)/deps/$@.sum
@go -C $(1) get -t -modfile=$(CACHE)/deps/$@.mod ./... $(2)
@echo "== $@: $(1)"; awk '/^\t[a-z]/ && !/indirect/' $(CACHE)/deps/$@.mod
@go -C $(1) vet -modfile=$(CACHE)/deps/$@.mod ./...
@go -C $(1) test -modfile=$(CACHE)/deps/$@.mod ./...
endef

##@ Every day

.PHONY: help
help: ## Print this list
	@awk 'BEGIN { FS = ":.*## "; print "Usage: make [target] [NAME=value]" } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile

.PHONY: check
check: fmt-diff vet vet-os lint tidy-diff orphans api-diff test ## Run everything that a change must pass

.PHONY: test
test: ## Test every module; the released ones with the race detector, if there is cgo
	@$(if $(RACE),,echo "== $@: without the race detector, which needs cgo and a C compiler")
	$(call each,go test $$([[ " $(RELEASED) " == *" $$module "* ]] && echo "$(RACE)") -shuffle=on ./...)

.PHONY: lint
lint: $(GOLANGCI) ## Lint every module, including the import rules
	$(call each,$(GOLANGCI) run ./...)

.PHONY: fmt
fmt: $(GOLANGCI) ## Format the code
	@$(GOLANGCI) fmt

.PHONY: fmt-diff
fmt-diff: $(GOLANGCI) ## Report code that is not formatted
	@echo "== $@"; $(GOLANGCI) fmt --diff

.PHONY: vet
vet: ## Vet every module, including the tests with the tags e2e and airflow
	$(call each,go vet -tags $(TAGS) ./...)

.PHONY: vet-os
vet-os: ## Vet the library for Windows and macOS
	@for os in windows darwin; do echo "== $@: $$os"; GOOS=$$os CGO_ENABLED=0 go vet ./...; done

.PHONY: tidy
tidy: ## Tidy every go.mod
	$(call each,go mod tidy)

.PHONY: tidy-diff
tidy-diff: ## Report each go.mod that is not tidy
	$(call each,go mod tidy -diff)

.PHONY: orphans
orphans: ## Report examples that the documentation does not show
	@echo "== $@"; $(TOOL) orphanexamples $(CURDIR)

.PHONY: api
api: ## Rewrite the record of the exported API, in api/
	@$(TOOL) apirecord -w $(CURDIR)/api $(addprefix $(CURDIR)/,$(LIBRARIES))

.PHONY: api-diff
api-diff: ## Report where the exported API differs from its record
	@echo "== $@"; $(TOOL) apirecord $(CURDIR)/api $(addprefix $(CURDIR)/,$(LIBRARIES))

##@ See it work

.PHONY: build
build: ## Build the command into .cache/bin/waybill
	$(call in,cmd/waybill,CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o $(CACHE)/bin/waybill .)
	@echo "== $@: $(CACHE)/bin/waybill"

.PHONY: man
man: build ## Make the manual page of the command, .cache/man/man1/waybill.1
	@mkdir -p $(CACHE)/man/man1 && $(CACHE)/bin/waybill man >$(CACHE)/man/man1/waybill.1
	@echo "== $@: man -M $(CACHE)/man waybill"

.PHONY: demo
demo: ## Run the demo on real data, with no server to install (ARGS="--workers 4")
	@echo "== $@: compiling takes some minutes the first time"
	$(call in,examples,go run ./quakes $(ARGS))

.PHONY: demo-check
demo-check: ## Run the demo, whole and with each fault that it can plant, and check its result
	$(call in,examples,go test ./quakes -run '^TestDemo(_Break)?$$' -count=1 -v)

.PHONY: picture
picture: ## Make docs/flow.png, the page of a run of the demo (needs Chromium)
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT; \
	go -C examples run ./quakes --out "$$dir/quakes" >/dev/null; \
	go -C internal/pagetest run ./picture "$$dir/quakes/flow.html" $(CURDIR)/docs/flow.png

.PHONY: e2e
e2e: ## Test against real servers, clients in other languages, and a browser
	$(call in,internal/e2e,go test -tags e2e -count=1 ./...)
	$(call in,examples,go test -tags e2e -count=1 -run Python ./databricks ./kubernetesjob ./quakes)
	$(call in,python,$(CACHE)/e2e/python/bin/python -m pytest -q -p no:cacheprovider .)
	$(call in,python,$(CACHE)/e2e/python-oldest/bin/python -m pytest -q -p no:cacheprovider -W ignore .)
	$(call in,python,$(CACHE)/e2e/python/bin/python -m mypy --strict --cache-dir=/dev/null .)
	$(call in,examples/quakes,MYPYPATH=../../python $(CACHE)/e2e/python/bin/python -m mypy --strict --cache-dir=/dev/null .)
	$(call in,internal/pagetest,go test -tags e2e -count=1 ./...)
	$(call in,cmd/waybill,go test -tags e2e -count=1 -run 'Limits|Size|Millions' ./...)

.PHONY: e2e-deps
e2e-deps: ## Fetch and build those servers into .cache/e2e
	$(call in,internal/e2e,bash deps.sh $(CACHE)/e2e)
	$(call in,internal/pagetest,bash deps.sh $(CACHE)/e2e)

.PHONY: e2e-airflow
e2e-airflow: ## Test against Airflow and Spark, which it installs into .cache/e2e; not in CI
	$(call in,internal/e2e,bash deps.sh $(CACHE)/e2e airflow)
	$(call in,internal/e2e,go test -tags airflow -count=1 -timeout 30m -v ./airflow)

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

##@ Release

.PHONY: release-check
release-check: api-diff ## Report what is missing before VERSION can be tagged, and the tags in order (VERSION=v0.1.0)
	@echo "== $@"; $(TOOL) releasecheck $(CURDIR) "$(VERSION)" $(RELEASED)

.PHONY: deps-lowest
deps-lowest: ## Test the library with the oldest versions of its dependencies that it supports
	$(call with,.,$(LOWEST))

.PHONY: deps-newest
deps-newest: ## Test the library with the newest versions of its dependencies
	$(call with,.,$(NEWEST))

.PHONY: deps-k8s
deps-k8s: ## Test k8scarrier with the newest client-go; make test has the oldest
	$(call with,carriers/k8scarrier,$(CLIENT_GO))

# A pinned binary, not a tool of a module: its dependencies are nobody's.
$(GOLANGCI):
	@echo "== golangci-lint $(GOLANGCI_VERSION): building it takes some minutes, once"
	@GOBIN=$(CACHE)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(CACHE)/bin/golangci-lint $@
