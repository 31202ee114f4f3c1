//! Runs a job for each row and isolates failures, so that one bad row does not block the others.

use std::{fmt::Display, panic::AssertUnwindSafe};

use futures_util::FutureExt;

use crate::store::job_leases::JobError;

/// Runs a job's work for one row, and logs the row if the work fails or panics.
///
/// # Errors
/// When the lease is lost or the database is unreachable, because every other row would fail too.
pub async fn run_isolated(
    job: &'static str,
    row: impl Display,
    work: impl Future<Output = Result<(), JobError>>,
) -> Result<(), JobError> {
    // Unwind safe: the work shares only the database, and an unfinished transaction is rolled back.
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.ends_run() => return Err(error),
        Ok(Err(error)) => tracing::error!(job, %row, error = error.chain(), "a job failed for a row"),
        Err(_) => tracing::error!(job, %row, "a job panicked for a row"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[tokio::test]
    async fn a_failing_row_does_not_stop_the_others() {
        let mut done = Vec::new();
        for row in 0..4 {
            let work = async {
                assert_ne!(row, 1, "for the test");
                if row == 2 { Err(StoreError::Corrupt("row").into()) } else { Ok(()) }
            };
            run_isolated("test", row, work).await.unwrap();
            done.push(row);
        }
        assert_eq!(done, [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn a_lost_lease_ends_the_run() {
        let lost = run_isolated("test", 1, async { Err(JobError::LeaseLost) }).await;
        assert!(matches!(lost, Err(JobError::LeaseLost)));
    }
}
