//! Schema migrations, one file each. They import no other crate of the workspace, so that a migration never changes.

use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait, async_trait};

mod m0001_regions;
mod m0002_feeds;
mod m0003_meetings;
mod m0004_stages;
mod m0005_comments;
mod m0006_idempotency;
mod m0007_withdrawals;
mod m0008_said_before;
mod m0009_merges;
mod m0010_sparse_indexes;
mod m0011_write_probes;
mod m0012_feed_epoch;
mod m0013_deleted_elsewhere;
mod m0014_merged_votes;
mod m0015_comment_normalization;
mod m0016_meeting_normalization;
mod m0017_blocked_words;
mod m0018_canonical_digests;
mod m0019_author_names;
mod m0020_read_indexes;
mod m0021_jobs;
mod m0022_comment_authors;
mod m0023_event_regions;
mod m0024_receptions;
mod m0025_applicants;
mod m0026_audit_log;
mod m0027_agencies;
mod m0028_issues;
mod m0029_search_indexes;
mod m0030_webhooks;
mod m0031_issue_search;
mod m0032_comment_decisions;
mod m0033_publications;
mod m0034_issue_states;
mod text_index;

/// All migrations, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_regions::Migration),
            Box::new(m0002_feeds::Migration),
            Box::new(m0003_meetings::Migration),
            Box::new(m0004_stages::Migration),
            Box::new(m0005_comments::Migration),
            Box::new(m0006_idempotency::Migration),
            Box::new(m0007_withdrawals::Migration),
            Box::new(m0008_said_before::Migration),
            Box::new(m0009_merges::Migration),
            Box::new(m0010_sparse_indexes::Migration),
            Box::new(m0011_write_probes::Migration),
            Box::new(m0012_feed_epoch::Migration),
            Box::new(m0013_deleted_elsewhere::Migration),
            Box::new(m0014_merged_votes::Migration),
            Box::new(m0015_comment_normalization::Migration),
            Box::new(m0016_meeting_normalization::Migration),
            Box::new(m0017_blocked_words::Migration),
            Box::new(m0018_canonical_digests::Migration),
            Box::new(m0019_author_names::Migration),
            Box::new(m0020_read_indexes::Migration),
            Box::new(m0021_jobs::Migration),
            Box::new(m0022_comment_authors::Migration),
            Box::new(m0023_event_regions::Migration),
            Box::new(m0024_receptions::Migration),
            Box::new(m0025_applicants::Migration),
            Box::new(m0026_audit_log::Migration),
            Box::new(m0027_agencies::Migration),
            Box::new(m0028_issues::Migration),
            Box::new(m0029_search_indexes::Migration),
            Box::new(m0031_issue_search::Migration),
            Box::new(m0030_webhooks::Migration),
            Box::new(m0032_comment_decisions::Migration),
            Box::new(m0033_publications::Migration),
            Box::new(m0034_issue_states::Migration),
        ]
    }
}
