//! Registers a webhook.

use chrono::{DateTime, Utc};
use entities::{ids::WebhookId, kato::KatoCode, webhook};

use crate::{
    app::{
        App, CommandError, Rejection,
        idempotency::idempotency_key,
        rejection::Invalid,
        webhooks::{
            checked_kinds,
            secrets::{SecretColumn, SecretError, current_secret, encrypt_secret},
        },
    },
    clock::almaty_date,
    domain::{
        audit::WEBHOOK_REGISTERED,
        issue_events::issue_feed,
        notification::PersonKey,
        policy::{ManageWebhook, WebhookOwner, authorize, webhook_scope},
        viewer::{Role, Viewer},
        webhooks::MAX_WEBHOOKS,
    },
    store::{StoreError, Tx},
    webhooks::SigningSecret,
};

/// A webhook to register.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RegisterWebhook {
    /// Code of the agency that owns it.
    pub agency: Option<String>,
    /// Unit whose issues it is about. Its akimat owns the webhook unless an agency does.
    pub region: Option<KatoCode>,
    /// URL of the receiver.
    pub url: String,
    /// Kinds of events that it is about; `None`: all.
    pub kinds: Option<Vec<String>>,
}

/// A webhook, and its secret where it is shown.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The webhook.
    pub row: webhook::Model,
    /// The secret as text, which is shown once.
    pub secret: Option<String>,
}

impl From<SecretError> for CommandError {
    fn from(error: SecretError) -> Self {
        tracing::error!(%error, "a secret of a webhook cannot be used");
        StoreError::Corrupt("secret of a webhook").into()
    }
}

impl App {
    /// Registers a webhook for an agency or an akimat. It begins with the next event.
    ///
    /// # Errors
    /// Rejected when a field breaks a rule, the address is not allowed, or the owner has too many.
    pub async fn register_webhook(
        &self,
        viewer: &Viewer,
        command: RegisterWebhook,
        key: Option<&str>,
    ) -> Result<Registered, CommandError> {
        let now = self.now();
        let (agency, region) = self.webhook_place(viewer, &command)?;
        let owner = match (&agency, region) {
            (Some(agency), _) => WebhookOwner::Agency(agency.clone()),
            (None, Some(region)) => WebhookOwner::Akimat(self.host_scope(region)),
            (None, None) => return Err(Rejection::Invalid { field: "region", why: Invalid::Empty }.into()),
        };
        let allowed = authorize::<ManageWebhook>(viewer, &owner)?;
        let subject = allowed.person.subject.as_str();
        if let Some(agency) = &agency {
            self.check_agency("agency", agency, almaty_date(now))?;
        }
        let key = idempotency_key(subject, "registerWebhook", key, &command)?;
        let kinds = command.kinds.as_deref().map(checked_kinds).transpose()?;
        let url = self.checked_url(&command.url).await?;
        let begins_after = self.store.feed_extent(&issue_feed()).await?.head;
        let id = WebhookId(self.ids.next(now));
        let tx = self.store.begin().await?;
        if let Some(first) = tx.claim_idempotency_key(key.as_ref(), id.0, now).await? {
            return self.registered_before(&tx, WebhookId(first)).await;
        }
        // The chain of the owner is locked, so that no two registrations pass the limit together.
        self.record_webhook_change(&tx, (&owner, id), (WEBHOOK_REGISTERED, subject), now).await?;
        if tx.count_webhooks(&owner).await? >= MAX_WEBHOOKS {
            let why = Invalid::TooManyWebhooks { max: MAX_WEBHOOKS };
            return Err(Rejection::Invalid { field: "url", why }.into());
        }
        let place =
            webhook::Model { agency, region_code: region.map(|code| code.to_string()), kinds, url, ..empty(id, now) };
        let created_by = PersonKey::of(subject).0;
        let row = webhook::Model { begins_after, position: begins_after, created_by, ..place };
        let registered = self.with_new_secret(row)?;
        tx.insert_webhook(registered.row.clone()).await?;
        self.commit(tx).await?;
        Ok(registered)
    }

    /// Returns the agency and the unit of a new webhook: those that the viewer names, or the viewer's only ones.
    fn webhook_place(
        &self,
        viewer: &Viewer,
        command: &RegisterWebhook,
    ) -> Result<(Option<String>, Option<KatoCode>), CommandError> {
        // Whoever can have no webhook learns nothing more.
        webhook_scope(viewer)?;
        let (mut agency, mut region) = (command.agency.clone(), command.region);
        if agency.is_none() && region.is_none() {
            let of = |role| viewer.grants().iter().filter(move |grant| grant.role == role);
            let mut agencies: Vec<_> = of(Role::Agency).filter_map(|grant| grant.agency.clone()).collect();
            let mut regions: Vec<_> = of(Role::Akimat).filter_map(|grant| grant.region).collect();
            agencies.dedup();
            regions.dedup();
            match (&agencies[..], &regions[..]) {
                ([own], []) => agency = Some(own.clone()),
                ([], [own]) => region = Some(*own),
                _ => {}
            }
        }
        if region.is_some_and(|region| self.tree().get(region).is_none()) {
            return Err(Rejection::Invalid { field: "region", why: Invalid::UnknownRegion }.into());
        }
        Ok((agency, region))
    }

    /// Returns the webhook that an earlier call has registered. Its secret is in the response again, since the caller may
    /// have lost it, until it is changed.
    async fn registered_before(&self, tx: &Tx, id: WebhookId) -> Result<Registered, CommandError> {
        let row = tx.lock_webhook(id).await?.ok_or(Rejection::NotFound { field: "idempotencyKey" })?;
        let is_first = row.previous_secret.is_none();
        let secret = if is_first { Some(current_secret(&self.data_keys, &row)?.reveal()) } else { None };
        Ok(Registered { row, secret })
    }

    /// Gives a webhook a new secret.
    pub(super) fn with_new_secret(&self, row: webhook::Model) -> Result<Registered, CommandError> {
        let secret = SigningSecret::generate().map_err(|error| {
            tracing::error!(%error, "there are no random numbers");
            StoreError::Corrupt("random numbers")
        })?;
        let encrypted = encrypt_secret(&self.data_keys, row.id, SecretColumn::Current, &secret)?;
        let key_id = self.data_keys.current_id().to_owned();
        Ok(Registered { row: webhook::Model { key_id, secret: encrypted, ..row }, secret: Some(secret.reveal()) })
    }
}

/// Returns a webhook without a receiver.
const fn empty(id: WebhookId, now: DateTime<Utc>) -> webhook::Model {
    webhook::Model {
        id,
        agency: None,
        region_code: None,
        kinds: None,
        url: String::new(),
        key_id: String::new(),
        secret: String::new(),
        previous_secret: None,
        previous_secret_until: None,
        active: true,
        failing_since: None,
        last_error: None,
        begins_after: 0,
        position: 0,
        generation: 0,
        due_at: None,
        created_by: String::new(),
        created_at: now,
        version: 1,
    }
}
