//! Who may do what with an issue, from reads without a lock.

use std::marker::PhantomData;

use entities::{ids::IssueId, issue};

use crate::{
    app::{App, CommandError, Rejection, parse_code},
    domain::{
        policy::{Action, IssueScope, authorize},
        viewer::{Person, Viewer},
    },
    store::StoreError,
};

/// Proof that a viewer may do `A` with an issue. Transactions on an issue can only be started with a permit.
pub(super) struct IssuePermit<'v, A> {
    /// The issue as read.
    pub(super) issue: issue::Model,
    pub(super) viewer: &'v Viewer,
    pub(super) person: &'v Person,
    action: PhantomData<A>,
}

impl App {
    /// Returns what the permissions on an issue depend on.
    ///
    /// # Errors
    /// When the stored code is malformed.
    pub fn issue_scope(&self, row: &issue::Model) -> Result<IssueScope, StoreError> {
        Ok(IssueScope { region: self.host_scope(parse_code(&row.region_code)?), responsible: row.responsible.clone() })
    }

    /// Returns whether the viewer may do `A` with an issue.
    ///
    /// # Errors
    /// When the stored code is malformed.
    pub fn may<A: for<'a> Action<On<'a> = IssueScope>>(
        &self,
        viewer: &Viewer,
        row: &issue::Model,
    ) -> Result<bool, StoreError> {
        Ok(A::permits(viewer, &self.issue_scope(row)?))
    }

    /// Authorises a command on an issue before the transaction starts. Every issue is public.
    pub(super) async fn permit_issue<'v, A: for<'a> Action<On<'a> = IssueScope>>(
        &self,
        viewer: &'v Viewer,
        id: IssueId,
    ) -> Result<IssuePermit<'v, A>, CommandError> {
        if viewer.person().is_none() {
            return Err(CommandError::Unauthenticated);
        }
        let issue = self.store.issues_by_id(&[id]).await?.pop();
        let issue = issue.ok_or(Rejection::NotFound { field: "issueId" })?;
        let person = authorize::<A>(viewer, &self.issue_scope(&issue)?)?.person;
        Ok(IssuePermit { issue, viewer, person, action: PhantomData })
    }
}
