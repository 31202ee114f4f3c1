//! Tests of the `grants` claim.

use super::*;
use crate::domain::viewer::{MAX_GRANTS, Person};

const DISTRICT: &str = "103200000";
const OTHER: &str = "113200000";

/// Authenticates a token whose roles come only from these claims.
async fn person(roles: Value) -> Result<Person, AuthError> {
    let (Value::Object(mut claims), Value::Object(roles)) = (without("roles"), roles) else { panic!("no objects") };
    claims.remove("region");
    claims.extend(roles);
    let known = fixture().await.auth.authenticate(Some(&sign(&header(), &claims.into())))?;
    Ok(known.viewer.person().unwrap().clone())
}

async fn grants(roles: Value) -> Vec<Grant> {
    person(roles).await.unwrap().grants
}

async fn rejection(roles: Value) -> AuthError {
    person(roles).await.unwrap_err()
}

#[tokio::test]
async fn reads_each_role_with_its_own_scope() {
    let listed = json!({ "grants": [
        { "role": "AKIMAT", "region": OTHER },
        { "role": "MODERATOR", "region": DISTRICT },
        { "role": "AGENCY", "agency": "water" },
        { "role": "CITIZEN", "region": null, "agency": null },
    ] });
    let expected = [
        grant(Role::Citizen, None, None),
        grant(Role::Moderator, Some(DISTRICT), None),
        grant(Role::Akimat, Some(OTHER), None),
        grant(Role::Agency, None, Some("water")),
    ];
    assert_eq!(grants(listed).await, expected);
}

#[tokio::test]
async fn gives_every_role_of_the_old_claims_the_same_scope() {
    let old = json!({ "roles": ["AGENCY", "MODERATOR", "MODERATOR"], "region": DISTRICT, "agency": "water" });
    let expected = [Role::Moderator, Role::Agency].map(|role| grant(role, Some(DISTRICT), Some("water")));
    assert_eq!(grants(old).await, expected);
    for none in [json!({}), json!({ "grants": [] }), json!({ "grants": null }), json!({ "region": DISTRICT })] {
        assert_eq!(grants(none.clone()).await, [], "{none}");
    }
}

#[tokio::test]
async fn unites_both_forms_without_duplicates() {
    let both = json!({
        "roles": ["MODERATOR"], "region": DISTRICT,
        "grants": [
            { "role": "MODERATOR", "region": DISTRICT },
            { "role": "MODERATOR", "region": OTHER },
            { "role": "MODERATOR", "region": OTHER },
            { "role": "CITIZEN" },
        ],
    });
    let expected = [
        grant(Role::Citizen, None, None),
        grant(Role::Moderator, Some(DISTRICT), None),
        grant(Role::Moderator, Some(OTHER), None),
    ];
    assert_eq!(grants(both).await, expected);
}

#[tokio::test]
async fn ignores_grants_that_it_does_not_understand() {
    let listed = json!({ "grants": [
        { "role": "KING", "region": { "kind": "PLANET" }, "agency": 1 },
        { "role": "moderator", "region": DISTRICT },
        { "role": "ADMIN", "until": "2026-01-01" },
        { "role": "CITIZEN", "until": null },
    ] });
    assert_eq!(grants(listed).await, [grant(Role::Citizen, None, None)]);
}

#[tokio::test]
async fn rejects_malformed_grants() {
    for malformed in [
        json!("MODERATOR"),
        json!({ "role": "MODERATOR" }),
        json!(["MODERATOR"]),
        json!([null]),
        json!([{}]),
        json!([{ "role": 1 }]),
        json!([{ "region": DISTRICT }]),
        json!([{ "role": "MODERATOR", "region": "10320" }]),
        json!([{ "role": "MODERATOR", "region": "" }]),
        json!([{ "role": "MODERATOR", "region": 103_200_000 }]),
        json!([{ "role": "AGENCY", "agency": ["water"] }]),
        json!([{ "role": "CITIZEN" }, { "role": "CITIZEN", "region": "x" }]),
    ] {
        assert_eq!(rejection(json!({ "grants": malformed })).await, AuthError::BadClaim, "{malformed}");
    }
}

#[tokio::test]
async fn limits_the_number_of_grants() {
    let many = |count: usize, role: &str| json!({ "grants": vec![json!({ "role": role }); count] });
    assert_eq!(grants(many(MAX_GRANTS, "CITIZEN")).await.len(), 1);
    for role in ["CITIZEN", "KING"] {
        assert_eq!(rejection(many(MAX_GRANTS + 1, role)).await, AuthError::BadClaim, "{role}");
    }
}

#[tokio::test]
async fn restricts_connectors_of_either_form() {
    let vk = ImportRestriction { platform: Some(Platform::Vk), broadcast: None };
    let connector = json!([{ "role": "CONNECTOR", "region": DISTRICT }]);
    assert_eq!(person(json!({ "grants": connector, "platform": "VK" })).await.unwrap().imports, vk);
    assert_eq!(rejection(json!({ "grants": connector, "platform": "ICQ" })).await, AuthError::BadClaim);
    assert_eq!(person(json!({ "roles": ["CONNECTOR"], "platform": "VK" })).await.unwrap().imports, vk);
    let other = person(json!({ "grants": [{ "role": "CITIZEN" }], "platform": "ICQ" })).await.unwrap();
    assert_eq!(other.imports, ImportRestriction::default());
}
