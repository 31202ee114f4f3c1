# What a person types, and what CI calls.
.PHONY: run test test-faults check lint fmt schema bench deps compose-check

CARGO ?= cargo

# The service with its embedded default, on real regions and a demo meeting.
run:
	$(CARGO) run --locked --bin kezdesu -- demo

# All tests, on both databases and both buses.
test: deps
	$(CARGO) build --locked --bin kezdesu
	$(CARGO) test --locked --workspace

# The long rounds of servers that die, freeze and forget.
test-faults: deps
	$(CARGO) build --locked --bin kezdesu
	$(CARGO) test --locked --package kezdesu-tests -- --ignored

# The linters.
check: fmt lint compose-check

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# Writes the served schema where the repository keeps it.
schema:
	$(CARGO) run --locked --quiet --bin kezdesu -- schema > api/schema.graphql

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
