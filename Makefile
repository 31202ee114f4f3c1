# What a person types, and what CI calls.
.PHONY: run test test-faults check lint fmt schema bench deps compose-check supergraph test-routers scan deny fuzz

CARGO ?= cargo

# The service with its embedded default, on real regions and a demo meeting.
run:
	$(CARGO) run --locked --bin kezdesu -- demo

# All tests, on both databases and both buses.
test: deps
	$(CARGO) build --locked --bin kezdesu --bin kezdesu-agency
	$(CARGO) test --locked --workspace

# The long rounds of servers that die, freeze and forget, and of inputs that nobody would think of.
test-faults: deps
	$(CARGO) build --locked --bin kezdesu --bin kezdesu-agency
	$(CARGO) test --locked --package kezdesu-tests -- --ignored
	@./.ci/scan
	@./.ci/fuzz

# Whatever the schema allows, and more, asked of a running service by a scanner that makes it up.
scan:
	$(CARGO) build --locked --bin kezdesu
	@./.ci/scan

# The linters.
check: fmt lint compose-check deny

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# What everything is built of: bans, licences, sources, and known vulnerabilities where their list can be had.
deny:
	@./.ci/deny

# A minute for each fuzz target, beginning with the inputs that are kept (fuzz/corpus). Everything is built anew, instrumented.
fuzz:
	@./.ci/fuzz

# Writes the served schemas where the repository keeps them.
schema:
	$(CARGO) run --locked --quiet --bin kezdesu -- schema > api/schema.graphql
	$(CARGO) run --locked --quiet --bin kezdesu-agency -- schema > examples/agency/schema.graphql

# Composes the served schema and the agency's with both libraries, and writes what gateways read.
supergraph: deps
	node tests/node/federation/compose.mjs --out api/supergraph/supergraph.graphql

# The gateway tests with routers that are built from their crates first, which takes long. Hive Router needs Rust 1.97: where
# the usual one is older, say for example ROUTER_CARGO="cargo +nightly".
ROUTER_CARGO ?= $(CARGO)
test-routers:
	@./.ci/deps protobuf-compiler libprotobuf-dev
	$(ROUTER_CARGO) install hive-router --version =0.3.10 --locked --features graphiql --root target/tools
	$(ROUTER_CARGO) install apollo-router --version =2.17.0 --locked --root target/tools
	$(CARGO) build --locked --bin kezdesu --bin kezdesu-agency
	KEZDESU_TEST_HIVE_ROUTER=$(CURDIR)/target/tools/bin/hive_router KEZDESU_TEST_APOLLO_ROUTER=$(CURDIR)/target/tools/bin/router \
		$(CARGO) test --locked --package kezdesu-tests --test it routers

# What things cost, as ratios to floors of the same run; writes bench/RESULTS.md.
bench: deps
	$(CARGO) build --locked --release --bin kezdesu --bin bench-live
	$(CARGO) run --locked --release --bin bench-regions
	$(CARGO) run --locked --release --bin bench-live

# The servers that the tests start for themselves: installed where that can be done, named where it cannot.
deps:
	@./.ci/deps

# The compose file, where the client is there to read it.
compose-check:
	@if docker compose version >/dev/null 2>&1; then \
		POSTGRES_PASSWORD=check KEZDESU_JWKS=https://id.example/jwks KEZDESU_JWT_ISSUER=check KEZDESU_JWT_AUDIENCE=check \
			docker compose config --quiet && echo "docker-compose.yml holds"; \
	else echo "SKIPPED: docker compose is not here, so docker-compose.yml is not checked"; fi
