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
    EnvFilter, Layer,
    filter::{FilterExt as _, LevelFilter, filter_fn},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::{
    app::rate_limit::LimitScope,
    config::{LogFormat, Settings},
    tls,
};

/// Libraries whose debug logs contain payloads.
const VERBOSE_LIBRARIES: [&str; 6] = ["tungstenite", "tokio_tungstenite", "hyper", "h2", "reqwest", "rustls"];

/// Target of the spans that are exported.
pub const SPANS: &str = "kezdesu::trace";

/// Flushes pending traces when dropped.
#[derive(Debug)]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "failed to flush traces");
        }
    }
}

/// The trace exporter cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("KEZDESU_OTLP: traces cannot be sent there")]
pub struct CollectorError(#[source] opentelemetry_otlp::ExporterBuildError);

/// Starts logging to standard error, and exporting traces if a collector is set. A second call changes
/// nothing.
///
/// # Errors
/// When the collector's URL is invalid.
pub fn start(settings: &Settings) -> Result<Telemetry, CollectorError> {
    let provider = settings.otlp.as_deref().map(trace_provider).transpose()?;
    let tracer = provider.as_ref().map(|provider| provider.tracer("kezdesu"));
    let traces = tracer.map(|tracer| {
        let ours = filter_fn(|metadata: &Metadata<'_>| metadata.is_span() && metadata.target() == SPANS);
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(ours.with_max_level_hint(LevelFilter::INFO))
    });
    // An error means that a subscriber is already installed.
    let _ = tracing_subscriber::registry().with(traces).with(log_layer(&settings.log, settings.log_format)).try_init();
    Ok(Telemetry(provider))
}

/// The log layer. Spans are not logged: each line is self-contained.
fn log_layer<S: Subscriber + for<'a> LookupSpan<'a>>(filter: &str, format: LogFormat) -> impl Layer<S> + use<S> {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let layer =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let layer = match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().boxed(),
    };
    let lines = filter_fn(|metadata: &Metadata<'_>| metadata.is_event() && !may_log_payloads(metadata));
    // Without a hint, the filter enables every call site of the libraries, which then format records for nobody.
    layer.with_filter(filter.and(lines.with_max_level_hint(LevelFilter::TRACE)))
}

/// Applies whatever filter is set, because a filter may name a library's target.
fn may_log_payloads(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() > Level::INFO && VERBOSE_LIBRARIES.contains(&library)
}

fn trace_provider(collector: &str) -> Result<SdkTracerProvider, CollectorError> {
    tls::install_provider();
    let endpoint = format!("{}/v1/traces", collector.trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(endpoint);
    let resource = Resource::builder().with_service_name("kezdesu").build();
    let exporter = exporter.build().map_err(CollectorError)?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// Makes a span a child of the trace in the headers (W3C Trace Context), such as a gateway's.
pub fn set_parent(span: &Span, headers: &HeaderMap) {
    if !span.is_disabled() {
        // Fails without a tracing subscriber, and then there is no trace to join.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&HeaderExtractor(headers)));
    }
}

/// Describes the metrics, and initialises counters with zero so that dashboards see them before the first
/// event.
fn describe_metrics() {
    metrics::describe_counter!("kezdesu_requests_total", "Queries, mutations and rejected requests, by code.");
    metrics::describe_counter!("kezdesu_cached_responses_total", "GET queries answered without being executed.");
    metrics::describe_histogram!("kezdesu_request_seconds", "Duration of queries and mutations.");
    metrics::describe_gauge!("kezdesu_connections", "Open connections to the API.");
    metrics::describe_counter!("kezdesu_connections_refused_total", "Connections rejected, by reason.");
    metrics::describe_gauge!("kezdesu_sockets", "Open WebSockets.");
    metrics::describe_gauge!("kezdesu_streams", "Open streams over HTTP, by transport.");
    metrics::describe_gauge!("kezdesu_followed_feeds", "Feeds with at least one follower on this replica.");
    metrics::describe_gauge!("kezdesu_bus_connected", "Whether the bus is connected: 1 or 0.");
    metrics::describe_gauge!("kezdesu_groups", "Groups of identical subscriptions.");
    metrics::describe_counter!("kezdesu_slow_readers_total", "Connections closed because of a slow reader.");
    metrics::describe_counter!("kezdesu_socket_floods_total", "WebSockets closed by the message rate limit.");
    metrics::describe_counter!(
        "kezdesu_deliveries_total",
        "Events sent to subscribers, by who wrote them: their group, or the subscriber's own task."
    );
    metrics::describe_histogram!("kezdesu_posts_per_commit", "Posts in one commit.");
    metrics::describe_histogram!("kezdesu_registrations_per_commit", "Registrations for receptions in one commit.");
    metrics::describe_counter!("kezdesu_statements_total", "Database statements.");
    metrics::describe_counter!("kezdesu_rate_limited_total", "RATE_LIMITED errors, by the scope of the limit.");
    metrics::describe_gauge!("kezdesu_operations_running", "Queries and mutations that are running.");
    metrics::describe_gauge!("kezdesu_operations_waiting", "Queries and mutations that wait for a permit.");
    metrics::describe_gauge!("kezdesu_answer_bytes", "Bytes of responses that are being built or not yet sent.");
    metrics::describe_counter!("kezdesu_job_runs_total", "Runs of jobs on this replica, by kind.");
    metrics::describe_counter!("kezdesu_job_failures_total", "Failed runs of jobs on this replica, by kind.");
    metrics::describe_histogram!("kezdesu_job_seconds", "Duration of runs of jobs, by kind.");
    metrics::describe_gauge!("kezdesu_jobs_parked", "Parked jobs, by kind.");
    metrics::describe_gauge!("kezdesu_jobs_overdue", "Jobs due for a minute without a holder, by kind.");
    for reason in ["full", "address"] {
        metrics::counter!("kezdesu_connections_refused_total", "reason" => reason).increment(0);
    }
    metrics::gauge!("kezdesu_connections").increment(0.0);
    metrics::gauge!("kezdesu_sockets").increment(0.0);
    for scope in [LimitScope::Person, LimitScope::Address, LimitScope::Service] {
        metrics::counter!("kezdesu_rate_limited_total", "scope" => scope.name()).increment(0);
    }
    for by in ["group", "subscriber"] {
        metrics::counter!("kezdesu_deliveries_total", "by" => by).increment(0);
    }
    metrics::counter!("kezdesu_cached_responses_total").increment(0);
    metrics::counter!("kezdesu_slow_readers_total").increment(0);
    metrics::counter!("kezdesu_socket_floods_total").increment(0);
}

/// Returns the Prometheus recorder of this process, installing it on the first call.
pub fn metrics() -> Option<PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
            let batches = Matcher::Suffix("_per_commit".to_owned());
            let builder = PrometheusBuilder::new().set_buckets(&buckets).ok()?;
            // Powers of two up to the maximum batch size.
            let builder =
                builder.set_buckets_for_metric(batches, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]).ok()?;
            let handle = builder.install_recorder().ok()?;
            describe_metrics();
            Some(handle)
        })
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enables_no_call_site_below_the_level_of_the_log() {
        for (log, level) in [("info", LevelFilter::INFO), ("warn,kezdesu=debug", LevelFilter::DEBUG)] {
            for format in [LogFormat::Text, LogFormat::Json] {
                let subscriber = tracing_subscriber::registry().with(log_layer(log, format));
                assert_eq!(subscriber.max_level_hint(), Some(level), "{log}");
            }
        }
    }
}
