//! Who may do what with a reception or a registration, from reads without a lock.

use std::marker::PhantomData;

use entities::{
    ids::{ReceptionId, RegistrationId},
    reception, registration,
};

use crate::{
    app::{App, CommandError, Rejection, parse_code},
    domain::{
        notification::PersonKey,
        policy::{self, Action as _, HostAction, HostScope, authorize},
        viewer::Viewer,
    },
    store::StoreError,
};

/// Proof that a viewer may do `A` with a reception. Transactions on a reception can only be started with a permit.
pub(super) struct ReceptionPermit<'v, A> {
    /// The reception as read.
    pub(super) reception: reception::Model,
    pub(super) host: HostScope,
    pub(super) viewer: &'v Viewer,
    pub(super) subject: &'v str,
    action: PhantomData<A>,
}

/// Proof that a viewer may change a registration: their own, or one of a reception that they run.
pub(super) struct RegistrationPermit<'v> {
    pub(super) registration: registration::Model,
    pub(super) reception: ReceptionPermit<'v, ()>,
    /// Whether the viewer runs the reception.
    pub(super) is_staff: bool,
    /// Whether it is the viewer's own.
    pub(super) is_own: bool,
}

impl App {
    /// Returns the scope of the host of a reception.
    ///
    /// # Errors
    /// When the stored code is malformed.
    pub(super) fn reception_host(&self, row: &reception::Model) -> Result<HostScope, StoreError> {
        Ok(self.host_scope(parse_code(&row.host_code)?))
    }

    /// Returns whether the viewer runs a reception.
    ///
    /// # Errors
    /// When the stored host code is malformed.
    pub fn may_run_reception(&self, viewer: &Viewer, row: &reception::Model) -> Result<bool, StoreError> {
        Ok(policy::RunReception::permits(viewer, &self.reception_host(row)?))
    }

    /// Authorises a command on a reception before the transaction starts. Those that were never opened are found by staff only.
    pub(super) async fn permit_reception<'v, A: HostAction>(
        &self,
        viewer: &'v Viewer,
        id: ReceptionId,
    ) -> Result<ReceptionPermit<'v, A>, CommandError> {
        let subject = viewer.subject().ok_or(CommandError::Unauthenticated)?;
        let missing = || Rejection::NotFound { field: "receptionId" };
        let reception = self.store.receptions_by_id(&[id]).await?.pop();
        let reception = reception.ok_or_else(missing)?;
        let host = self.reception_host(&reception)?;
        if reception.opened_at.is_none() && !policy::RunReception::permits(viewer, &host) {
            return Err(missing().into());
        }
        authorize::<A>(viewer, &host)?;
        Ok(ReceptionPermit { reception, host, viewer, subject, action: PhantomData })
    }

    /// Authorises a command on a registration that the viewer sees.
    pub(super) async fn permit_registration<'v>(
        &self,
        viewer: &'v Viewer,
        id: RegistrationId,
    ) -> Result<RegistrationPermit<'v>, CommandError> {
        let subject = viewer.subject().ok_or(CommandError::Unauthenticated)?;
        // Whoever can have no registration, and runs no reception, learns nothing about ids.
        if !policy::may_post(viewer) && !policy::is_staff_anywhere(viewer) {
            return Err(CommandError::Forbidden);
        }
        let missing = || Rejection::NotFound { field: "registrationId" };
        let registration = self.store.registrations_by_id(&[id]).await?.pop().ok_or_else(missing)?;
        let reception = self.store.receptions_by_id(&[registration.reception_id]).await?.pop().ok_or_else(missing)?;
        let host = self.reception_host(&reception)?;
        let is_staff = policy::RunReception::permits(viewer, &host);
        let is_own = registration.person.as_ref() == Some(&PersonKey::of(subject).0);
        if !is_staff && !is_own {
            return Err(missing().into());
        }
        let reception = ReceptionPermit { reception, host, viewer, subject, action: PhantomData };
        Ok(RegistrationPermit { registration, reception, is_staff, is_own })
    }

    /// Authorises a command of the staff on a registration.
    pub(super) async fn permit_registration_as_staff<'v>(
        &self,
        viewer: &'v Viewer,
        id: RegistrationId,
    ) -> Result<RegistrationPermit<'v>, CommandError> {
        if viewer.person().is_some() && !policy::is_staff_anywhere(viewer) {
            return Err(CommandError::Forbidden);
        }
        let permit = self.permit_registration(viewer, id).await?;
        if permit.is_staff { Ok(permit) } else { Err(CommandError::Forbidden) }
    }
}
