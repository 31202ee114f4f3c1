//! Work over many rows, each by itself: what is wrong with one of them must not keep the others waiting.

use std::{fmt::Display, panic::AssertUnwindSafe};

use futures_util::FutureExt;

use crate::store::StoreError;

/// Does a job's work for one row. What fails or panics there is logged with the row's name, and is over with.
///
/// # Errors
/// When the database is away: then the other rows would only wait for it too.
pub async fn apart(
    job: &'static str,
    row: impl Display,
    work: impl Future<Output = Result<(), StoreError>>,
) -> Result<(), StoreError> {
    // Safe to go on after: the work shares nothing with the next but the database, where an unfinished transaction is undone.
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.is_absence() => return Err(error),
        Ok(Err(error)) => tracing::error!(job, %row, error = error.chain(), "a job has failed over a row"),
        Err(_) => tracing::error!(job, %row, "a job has panicked over a row"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_row_does_not_keep_the_others_waiting() {
        let mut done = Vec::new();
        for row in 0..4 {
            let work = async {
                assert_ne!(row, 1, "for the test");
                if row == 2 { Err(StoreError::Corrupt("row")) } else { Ok(()) }
            };
            apart("test", row, work).await.unwrap();
            done.push(row);
        }
        assert_eq!(done, [0, 1, 2, 3]);
    }
}
