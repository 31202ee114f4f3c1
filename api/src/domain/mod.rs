//! Business rules as pure functions over values. Time is an argument; there is no I/O and no async code.

pub mod announcement;
pub mod audit;
pub mod audit_chain;
pub mod author_name;
pub mod blocked_words;
pub mod characters;
pub mod comment;
pub mod comment_events;
pub mod feed;
pub mod global_id;
mod homoglyphs;
pub mod iin;
pub mod jobs;
pub mod meeting;
pub mod meeting_events;
pub mod normalization;
pub mod norms;
pub mod notification;
pub mod phone;
pub mod policy;
pub mod reception_events;
pub mod receptions;
pub mod regions;
pub mod text;
pub mod time_split;
pub mod viewer;
