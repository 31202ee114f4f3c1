# Targets for developers and CI.
.PHONY: run test test-faults check lint fmt schema settings bench deps compose-check supergraph test-routers scan deny fuzz

CARGO ?= cargo

# Runs the service on an embedded database with real regions and a demo meeting.
run:
	$(CARGO) run --locked --bin kezdesu -- demo

# Runs all tests, on both databases and both buses.
test: deps
	$(CARGO) build --locked --bin kezdesu --bin kezdesu-agency
	$(CARGO) test --locked --workspace

# Runs the long tests: server faults, a schema scan and fuzzing.
test-faults: deps
	$(CARGO) build --locked --bin kezdesu --bin kezdesu-agency
	$(CARGO) test --locked --package kezdesu-tests -- --ignored
	@./.ci/scan
	@./.ci/fuzz

# Sends generated operations, valid and invalid, to a running service.
scan:
	$(CARGO) build --locked --bin kezdesu
	@./.ci/scan

# Runs the linters.
check: fmt lint compose-check deny

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# Checks dependencies: bans, licences, sources, and known vulnerabilities if the list is available.
deny:
	@./.ci/deny

# Fuzzes each target for a minute, starting from fuzz/corpus. Builds everything with instrumentation.
fuzz:
	@./.ci/fuzz

# Writes the served schemas to the checked-in files.
schema:
	$(CARGO) run --locked --quiet --bin kezdesu -- schema > api/schema.graphql
	$(CARGO) run --locked --quiet --bin kezdesu-agency -- schema > examples/agency/schema.graphql

# Writes the tables of settings to docs/operations.md, between their markers.
settings:
	@mkdir -p target
	$(CARGO) run --locked --quiet --bin kezdesu -- settings > target/settings.md
	sed -i -e '/^<!-- settings/,/^<!-- end of settings/{//!d}' -e '/^<!-- settings/r target/settings.md' docs/operations.md

# Composes the served schema and the agency's with both libraries, and writes the supergraph.
supergraph: deps
	node tests/node/federation/compose.mjs --out api/supergraph/supergraph.graphql

# Builds the routers from their crates, which takes long, and tests them. Hive Router needs Rust 1.97: with an older default
# toolchain, set for example ROUTER_CARGO="cargo +nightly".
ROUTER_CARGO ?= $(CARGO)
test-routers:
	@./.ci/deps protobuf-compiler libprotobuf-dev
	$(ROUTER_CARGO) install hive-router --version =0.3.10 --locked --features graphiql --root target/tools
	$(ROUTER_CARGO) install apollo-router --version =2.17.0 --locked --root target/tools
	$(CARGO) build --locked --bin kezdesu --bin kezdesu-agency
	KEZDESU_TEST_HIVE_ROUTER=$(CURDIR)/target/tools/bin/hive_router KEZDESU_TEST_APOLLO_ROUTER=$(CURDIR)/target/tools/bin/router \
		$(CARGO) test --locked --package kezdesu-tests --test it routers

# Measures costs as ratios to baselines of the same run, and writes bench/RESULTS.md.
bench: deps
	$(CARGO) build --locked --release --bin kezdesu --bin bench-live
	$(CARGO) run --locked --release --bin bench-regions
	$(CARGO) run --locked --release --bin bench-live

# Installs the servers that the tests start, or lists them if it cannot.
deps:
	@./.ci/deps

# Checks the compose file, if Docker Compose is installed.
compose-check:
	@if docker compose version >/dev/null 2>&1; then \
		POSTGRES_PASSWORD=check KEZDESU_JWKS=https://id.example/jwks KEZDESU_JWT_ISSUER=check KEZDESU_JWT_AUDIENCE=check KEZDESU_HOSTS=check.example KEZDESU_DATA_KEYS=check \
			docker compose config --quiet && echo "docker-compose.yml is valid"; \
	else echo "SKIPPED: docker compose is not installed, so docker-compose.yml is not checked"; fi
