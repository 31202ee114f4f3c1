//! A gauge of things that are open or running.

use metrics::Gauge;

/// Increments a gauge until it is dropped.
pub(in crate::http) struct GaugeGuard(Gauge);

impl GaugeGuard {
    pub(in crate::http) fn new(gauge: Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
