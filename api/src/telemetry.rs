//! Logs, traces and metrics.

use std::{io::IsTerminal, sync::OnceLock};

use http::HeaderMap;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::{propagation::TextMapPropagator as _, trace::TracerProvider as _};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Level, Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt as _, registry::LookupSpan, util::SubscriberInitExt as _,
};

use crate::{
    app::rate_limit::LimitScope,
    config::{LogFormat, Settings},
    tls,
};

/// Libraries that would write what they carry into the log when it is turned up.
const TALKATIVE: [&str; 6] = ["tungstenite", "tokio_tungstenite", "hyper", "h2", "reqwest", "rustls"];

/// Spans that are exported, as the target of each says.
pub const SPANS: &str = "kezdesu::trace";

/// Sends what is left when it is dropped.
#[derive(Debug)]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Why telemetry does not start.
#[derive(Debug, thiserror::Error)]
#[error("KEZDESU_OTLP: traces cannot be sent there")]
pub struct BadCollector(#[source] opentelemetry_otlp::ExporterBuildError);

/// Begins to log to standard error, and to send traces where there is a collector. A second call changes nothing.
///
/// # Errors
/// When the collector's address is of no use.
pub fn start(settings: &Settings) -> Result<Telemetry, BadCollector> {
    let provider = settings.otlp.as_deref().map(provider).transpose()?;
    let tracer = provider.as_ref().map(|provider| provider.tracer("kezdesu"));
    let traces = tracer.map(|tracer| {
        let ours = filter_fn(|what: &Metadata<'_>| what.is_span() && what.target() == SPANS);
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(ours)
    });
    // An error means that somebody has begun already.
    let _ = tracing_subscriber::registry().with(traces).with(lines(settings)).try_init();
    Ok(Telemetry(provider))
}

/// Lines of the log. Spans are not for it: a line says everything by itself.
fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(settings: &Settings) -> impl Layer<S> + use<S> {
    let wished = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = match settings.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    lines.with_filter(wished).with_filter(filter_fn(|what: &Metadata<'_>| what.is_event() && !tells_too_much(what)))
}

/// Whatever the wished filter says: it could name a part of a library.
fn tells_too_much(what: &Metadata<'_>) -> bool {
    let library = what.target().split("::").next().unwrap_or_default();
    *what.level() > Level::INFO && TALKATIVE.contains(&library)
}

fn provider(collector: &str) -> Result<SdkTracerProvider, BadCollector> {
    tls::provide();
    let endpoint = format!("{}/v1/traces", collector.trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(endpoint);
    let resource = Resource::builder().with_service_name("kezdesu").build();
    let exporter = exporter.build().map_err(BadCollector)?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// Makes a span part of the trace that a caller's headers name (W3C Trace Context), such as a gateway's.
pub fn join(span: &Span, headers: &HeaderMap) {
    if !span.is_disabled() {
        // Without a subscriber that traces there is nothing to be part of.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&HeaderExtractor(headers)));
    }
}

/// Says what each metric is, and begins those that count from nothing: a dashboard must see that nothing has happened.
fn describe() {
    metrics::describe_counter!("kezdesu_requests_total", "Queries, mutations and requests turned away, by their code.");
    metrics::describe_histogram!("kezdesu_request_seconds", "How long queries and mutations took.");
    metrics::describe_gauge!("kezdesu_connections", "Open connections to the API.");
    metrics::describe_counter!("kezdesu_connections_refused_total", "Connections refused, by their reason.");
    metrics::describe_gauge!("kezdesu_sockets", "Open WebSockets.");
    metrics::describe_gauge!("kezdesu_streams", "Open streams over HTTP, by their door.");
    metrics::describe_gauge!("kezdesu_followed_feeds", "Feeds that somebody follows here.");
    metrics::describe_gauge!("kezdesu_bus_connected", "Whether the bus is there: 1 or 0.");
    metrics::describe_gauge!("kezdesu_groups", "Different renderings that followers share.");
    metrics::describe_counter!("kezdesu_slow_readers_total", "Connections closed because their reader was too slow.");
    metrics::describe_counter!("kezdesu_socket_floods_total", "WebSockets closed because they sent too many messages.");
    metrics::describe_histogram!("kezdesu_posts_per_commit", "Posts that were committed together.");
    metrics::describe_counter!("kezdesu_statements_total", "Statements to the database.");
    metrics::describe_counter!("kezdesu_rate_limited_total", "Refusals RATE_LIMITED, by whose limit was reached.");
    metrics::describe_gauge!("kezdesu_operations_running", "Queries and mutations that have a place.");
    metrics::describe_gauge!("kezdesu_operations_waiting", "Queries and mutations that wait for a place.");
    metrics::describe_gauge!("kezdesu_answer_bytes", "Memory of the answers that are made or not yet taken.");
    for reason in ["full", "address"] {
        metrics::counter!("kezdesu_connections_refused_total", "reason" => reason).increment(0);
    }
    metrics::gauge!("kezdesu_connections").increment(0.0);
    metrics::gauge!("kezdesu_sockets").increment(0.0);
    for scope in [LimitScope::Person, LimitScope::Address, LimitScope::Service] {
        metrics::counter!("kezdesu_rate_limited_total", "scope" => scope.name()).increment(0);
    }
    metrics::counter!("kezdesu_slow_readers_total").increment(0);
    metrics::counter!("kezdesu_socket_floods_total").increment(0);
}

/// The metrics of this process, as Prometheus reads them.
pub fn metrics() -> Option<PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
            let posts = Matcher::Full("kezdesu_posts_per_commit".to_owned());
            let builder = PrometheusBuilder::new().set_buckets(&buckets).ok()?;
            // As many as go together at most, and the halves of that.
            let builder = builder.set_buckets_for_metric(posts, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]).ok()?;
            let handle = builder.install_recorder().ok()?;
            describe();
            Some(handle)
        })
        .clone()
}
