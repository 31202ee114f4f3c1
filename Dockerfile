FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin kezdesu && cp target/release/kezdesu /kezdesu

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/kezdesu kezdesu
COPY --from=build /kezdesu /usr/local/bin/kezdesu
USER kezdesu
ENV KEZDESU_DATA_DIR=/var/lib/kezdesu KEZDESU_LISTEN=0.0.0.0:8080 KEZDESU_OPS_LISTEN=0.0.0.0:9090 KEZDESU_LOG_FORMAT=json
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD curl -fsS http://127.0.0.1:9090/readyz >/dev/null
ENTRYPOINT ["kezdesu"]
CMD ["serve"]
