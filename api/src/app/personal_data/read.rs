//! Reads applicants: the only function that decrypts for a viewer. It records each look.

use std::collections::{BTreeMap, HashMap};

use entities::ids::RegistrationId;
use uuid::Uuid;

use crate::{
    app::{
        App, CommandError, parse_code,
        personal_data::{Applicant, decrypt},
    },
    domain::{
        audit::{APPLICANT_READ, AuditActor, NewAuditEntry},
        policy::{HostScope, acts_in_office},
        viewer::{Person, Viewer},
    },
    store::StoreError,
};

impl App {
    /// Returns the actor of an audit entry: a person in an office over the host, or one who acts for themselves. The
    /// pseudonym is made with a key, so that nobody finds a person by trying subjects.
    #[must_use]
    pub fn audit_actor(&self, viewer: &Viewer, person: &Person, host: &HostScope) -> AuditActor {
        let pseudonym = self.data_keys.digest("actor", Uuid::nil(), &person.subject);
        if acts_in_office(viewer, host) { AuditActor::Staff(pseudonym) } else { AuditActor::Own(pseudonym) }
    }

    /// Returns the applicants of registrations, except those who are erased. The caller has checked that the viewer may see
    /// them.
    ///
    /// Each look is recorded in the audit log, in the transaction that reads. If it cannot be recorded, nothing is
    /// returned.
    ///
    /// # Errors
    /// When the viewer is anonymous, a field does not decrypt, or the database fails.
    pub async fn read_applicants(
        &self,
        viewer: &Viewer,
        wanted: &[RegistrationId],
    ) -> Result<HashMap<RegistrationId, Applicant>, CommandError> {
        let person = viewer.person().ok_or(CommandError::Unauthenticated)?;
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let now = self.now();
        let tx = self.store.begin().await?;
        let mut applicants = HashMap::new();
        let mut looks: BTreeMap<String, Vec<NewAuditEntry>> = BTreeMap::new();
        for row in tx.applicants(wanted).await? {
            let Some(applicant) = decrypt(&self.data_keys, &row).map_err(StoreError::from)? else { continue };
            let host = self.host_scope(parse_code(&row.host_code)?);
            let actor = self.audit_actor(viewer, person, &host);
            let look = self.applicant_entry(APPLICANT_READ, actor, row.registration_id, now);
            looks.entry(row.host_code).or_default().push(look);
            applicants.insert(row.registration_id, applicant);
        }
        tx.append_audit_to_each(looks).await?;
        self.commit(tx).await?;
        Ok(applicants)
    }
}
