//! Serving a listener until the end.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use tokio::net::TcpListener;

use crate::lifecycle::Lifecycle;

/// How long requests that are under way may take to finish once the end has begun.
const GRACE: Duration = Duration::from_secs(20);

/// Serves until the end begins, then finishes what is under way.
pub async fn serve(listener: TcpListener, router: Router, life: Lifecycle) {
    let drain = life.clone();
    let serving = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move { drain.draining().await });
    let last_call = async {
        life.draining().await;
        // Real time: the operating system that asked us to stop does not wait on our clock.
        let _ = tokio::time::timeout(GRACE, std::future::pending::<()>()).await;
    };
    tokio::select! {
        served = serving => if let Err(error) = served {
            tracing::error!(%error, "a listener has failed");
        },
        () = last_call => tracing::warn!("requests were cut off at the end"),
    }
}
