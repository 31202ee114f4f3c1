//! Database rows, id types, and enums that are stored as text. No business rules and no GraphQL.

#[macro_use]
mod text_enum;
pub mod enums;
pub mod ids;
pub mod kato;

pub mod agency;
pub mod applicant;
pub mod audit_entry;
pub mod audit_head;
pub mod blocked_words;
pub mod broadcast;
pub mod comment;
pub mod comment_vote;
pub mod deleted_message;
pub mod feed;
pub mod feed_epoch;
pub mod feed_event;
pub mod host_staff_name;
pub mod idempotency_key;
pub mod issue;
pub mod issue_category;
pub mod issue_description;
pub mod issue_number;
pub mod issue_person;
pub mod issue_report;
pub mod issue_source;
pub mod issue_step;
pub mod job;
pub mod meeting;
pub mod muted_author;
pub mod public_request;
pub mod publication;
pub mod publication_content;
pub mod publication_placement;
pub mod publication_series;
pub mod reception;
pub mod reception_host;
pub mod reception_letter;
pub mod reception_lock;
pub mod region_edition;
pub mod region_version;
pub mod registration;
pub mod stage_segment;
pub mod token_withdrawal;
pub mod webhook;
pub mod webhook_delivery;
