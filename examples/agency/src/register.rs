//! The acts on the register: authorise, load, decide, save, commit.

use std::sync::Arc;

use crate::{
    auth::Viewer,
    case::{Case, CaseId, CaseState, KatoCode, LONGEST_NOTE, LONGEST_TITLE, Malformed, Topic, line, register_year},
    sources::{Clock, FreshIds},
    store::{Store, StoreError},
};

/// How long an idempotency key may be, in bytes.
const LONGEST_KEY: usize = 200;

/// Why an act was refused: what the caller can mend or must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A part of the input breaks a rule.
    #[error("{0} is not well formed")]
    Invalid(&'static str),
    /// There is no such thing.
    #[error("{0} names nothing that is there")]
    NotFound(&'static str),
    /// The key was used with another input.
    #[error("the idempotency key was used with another input")]
    KeyReused,
    /// A question and an issue are named, where a case is about one thing.
    #[error("a case is about a question or an issue, not about both")]
    TwoTopics,
    /// The question or the issue has its case.
    #[error("{0} names what has a case already")]
    AlreadyOpen(&'static str),
    /// The case cannot come from its state into the wished one.
    #[error("a case that is {from} cannot become {to}")]
    WrongState {
        /// Its state.
        from: CaseState,
        /// The wished one.
        to: CaseState,
    },
}

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// It needs a token.
    #[error("not signed in")]
    Unauthenticated,
    /// It is not for this caller.
    #[error("not allowed")]
    Forbidden,
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A case to be opened.
#[derive(Clone, Debug)]
pub struct OpenCase {
    /// The unit it is about.
    pub region: KatoCode,
    /// The question it is about, as the caller names it.
    pub comment: Option<String>,
    /// The issue it is about, as the caller names it.
    pub issue: Option<String>,
    /// What it is about.
    pub title: String,
    /// The same key opens the same case.
    pub key: String,
}

/// A case to be moved.
#[derive(Clone, Debug)]
pub struct MoveCase {
    /// The case, as the caller names it.
    pub id: String,
    /// Where to.
    pub to: CaseState,
    /// What to note; none leaves what is noted, an empty text takes it away.
    pub note: Option<String>,
}

/// The register.
pub struct Register {
    store: Store,
    clock: Arc<dyn Clock>,
    ids: FreshIds,
}

impl Register {
    /// The register over a store.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, ids: FreshIds::default() }
    }

    /// The cases as they are stored, to be read by anybody.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Opens a case; gives the first one when it is sent again with the same key.
    ///
    /// # Errors
    /// When it is not for this caller, or refused, or the store fails.
    pub async fn open(&self, viewer: &Viewer, wish: OpenCase) -> Result<Case, ActError> {
        let subject = officer(viewer)?;
        let title = line(&wish.title, LONGEST_TITLE).ok_or(Refused::Invalid("title"))?;
        let key = line(&wish.key, LONGEST_KEY).ok_or(Refused::Invalid("idempotencyKey"))?;
        let topic = topic(wish.comment.as_deref(), wish.issue.as_deref())?;
        let mut tx = self.store.begin().await?;
        if let Some(first) = tx.opened_with(subject, &key).await? {
            // None of these three ever changes, so they say what the key was used for.
            let same = first.region == wish.region && first.topic == topic && first.title == title;
            return if same { Ok(first) } else { Err(Refused::KeyReused.into()) };
        }
        if let Some(topic) = &topic
            && tx.has_case(topic).await?
        {
            return Err(Refused::AlreadyOpen(field(topic)).into());
        }
        let now = self.clock.now();
        let case = Case {
            id: self.ids.next(now),
            number: tx.next_number(register_year(now)).await?,
            region: wish.region,
            topic,
            title,
            state: CaseState::Open,
            note: None,
            opened_at: now,
            updated_at: now,
        };
        tx.insert(&case, subject, &key).await?;
        tx.commit().await?;
        Ok(case)
    }

    /// Brings a case into another state, and notes why.
    ///
    /// # Errors
    /// When it is not for this caller, or refused, or the store fails.
    pub async fn move_case(&self, viewer: &Viewer, wish: MoveCase) -> Result<Case, ActError> {
        officer(viewer)?;
        let id: CaseId = wish.id.parse().map_err(|_| Refused::NotFound("caseId"))?;
        let note = wish.note.as_deref().map(note).transpose()?;
        let mut tx = self.store.begin().await?;
        let mut case = tx.case(&id).await?.ok_or(Refused::NotFound("caseId"))?;
        if !case.state.may_become(wish.to) {
            return Err(Refused::WrongState { from: case.state, to: wish.to }.into());
        }
        case.state = wish.to;
        case.note = note.unwrap_or(case.note);
        // The clock may have been set back since it was opened.
        case.updated_at = self.clock.now().max(case.updated_at);
        tx.update(&case).await?;
        tx.commit().await?;
        Ok(case)
    }
}

fn officer(viewer: &Viewer) -> Result<&str, ActError> {
    match viewer {
        Viewer::Anonymous => Err(ActError::Unauthenticated),
        Viewer::Person => Err(ActError::Forbidden),
        Viewer::Officer { subject } => Ok(subject),
    }
}

/// What a case is to be about, of the two that the caller can name.
fn topic(comment: Option<&str>, issue: Option<&str>) -> Result<Option<Topic>, Refused> {
    match (comment, issue) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Refused::TwoTopics),
        (Some(id), None) => id.parse().map(Topic::Comment).map(Some).map_err(|Malformed| Refused::Invalid("commentId")),
        (None, Some(id)) => id.parse().map(Topic::Issue).map(Some).map_err(|Malformed| Refused::Invalid("issueId")),
    }
}

/// The part of the input that names the topic.
const fn field(topic: &Topic) -> &'static str {
    match topic {
        Topic::Comment(_) => "commentId",
        Topic::Issue(_) => "issueId",
    }
}

fn note(text: &str) -> Result<Option<String>, Refused> {
    let text = text.trim();
    let fits = text.chars().count() <= LONGEST_NOTE && !text.chars().any(|c| c.is_control() && c != '\n');
    if fits { Ok(Some(text.to_owned()).filter(|text| !text.is_empty())) } else { Err(Refused::Invalid("note")) }
}

#[cfg(test)]
mod tests;
