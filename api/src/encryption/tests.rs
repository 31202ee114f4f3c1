//! Tests of encrypted fields: binding to their place, rotation, digests, and the ring's text.

use proptest::prelude::*;

use super::*;

const ONE: &str = "one:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const TWO: &str = "two:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const DIGESTS: &str = "digest:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";

fn ring(keys: &[&str]) -> KeyRing {
    KeyRing::parse(&keys.join(",")).unwrap()
}

fn field(column: &'static str, row: u128) -> Field {
    Field { table: "applicants", column, row: Uuid::from_u128(row) }
}

proptest! {
    #[test]
    fn decrypts_what_it_encrypts_in_its_place_only(value in ".{0,80}", row: u128, other: u128) {
        prop_assume!(row != other);
        let ring = ring(&[ONE, DIGESTS]);
        let encrypted = ring.encrypt(field("name", row), &value).unwrap();
        prop_assert_eq!(ring.decrypt(field("name", row), &encrypted), Ok(value));
        let elsewhere = [
            field("name", other),
            field("phone", row),
            Field { table: "comments", ..field("name", row) },
            Field { table: "applicant", column: "sname", ..field("name", row) },
        ];
        for place in elsewhere {
            prop_assert_eq!(ring.decrypt(place, &encrypted), Err(EncryptionError::NotAuthentic));
        }
    }

    #[test]
    fn a_changed_value_does_not_decrypt(at in 4_usize..60, with in "[A-Za-z0-9+/]") {
        let ring = ring(&[ONE, DIGESTS]);
        let mut encrypted = ring.encrypt(field("name", 1), "Айгүл Сериккызы").unwrap();
        let before = encrypted.clone();
        encrypted.replace_range(at..=at, &with);
        prop_assume!(encrypted != before);
        prop_assert!(ring.decrypt(field("name", 1), &encrypted).is_err());
    }
}

#[test]
fn the_text_begins_with_the_id_of_the_key_and_never_repeats() {
    let ring = ring(&[ONE, DIGESTS]);
    let [first, again] = [(), ()].map(|()| ring.encrypt(field("name", 1), "Ana").unwrap());
    assert!(first.starts_with("one:") && first != again);
}

#[test]
fn every_key_decrypts_and_the_first_encrypts() {
    let before = ring(&[ONE, DIGESTS]);
    let encrypted = before.encrypt(field("name", 1), "Ana").unwrap();
    let after = ring(&[TWO, ONE, DIGESTS]);
    assert_eq!((after.current_id(), after.earlier_ids().collect::<Vec<_>>()), ("two", vec!["one"]));
    assert_eq!(after.decrypt(field("name", 1), &encrypted).as_deref(), Ok("Ana"));
    let renewed = after.encrypt(field("name", 1), "Ana").unwrap();
    assert!(renewed.starts_with("two:"));
    let unknown = Err(EncryptionError::UnknownKey("two".to_owned()));
    assert_eq!(before.decrypt(field("name", 1), &renewed), unknown);
    let impostor = ring(&[&TWO.replace("two", "one"), DIGESTS]);
    assert_eq!(impostor.decrypt(field("name", 1), &encrypted), Err(EncryptionError::NotAuthentic));
}

#[test]
fn reports_malformed_values() {
    let ring = ring(&[ONE, DIGESTS]);
    for text in ["", "one", "one:", "one:AAAA", "one:!", "one:é", &format!("one:{}", "A".repeat(31))] {
        assert_eq!(ring.decrypt(field("name", 1), text), Err(EncryptionError::Malformed), "{text}");
    }
}

#[test]
fn digests_are_equal_for_equal_values_of_one_column_and_scope() {
    let (before, after) = (ring(&[ONE, DIGESTS]), ring(&[TWO, ONE, DIGESTS]));
    let [here, there] = [1, 2].map(Uuid::from_u128);
    let digest = before.digest("phone", here, "+77011234567");
    assert_eq!(after.digest("phone", here, "+77011234567"), digest, "a rotation keeps digests");
    assert_ne!(before.digest("phone", here, "+77011234568"), digest);
    assert_ne!(before.digest("iin", here, "+77011234567"), digest);
    assert_ne!(before.digest("phone", there, "+77011234567"), digest);
    let other = ring(&[ONE, &DIGESTS.replace("AwMD", "BwMD")]);
    assert_ne!(other.digest("phone", here, "+77011234567"), digest);
}

#[test]
fn rejects_rings_that_are_incomplete_or_ambiguous() {
    for text in [
        "",
        ONE,
        DIGESTS,
        &format!("{ONE},{ONE},{DIGESTS}"),
        &format!("{ONE},{DIGESTS},{DIGESTS}"),
        &format!("{ONE},{}", ONE.replace("one", "digest")),
        &format!("{},{DIGESTS}", ONE.replace("one", "")),
        &format!("{},{DIGESTS}", ONE.replace("one", "o.e")),
        &format!("{},{DIGESTS}", ONE.replace("one", &"o".repeat(33))),
        &format!("one,{DIGESTS}"),
        &format!("one:AQEB,{DIGESTS}"),
        &format!("{ONE}AQEB,{DIGESTS}"),
    ] {
        assert!(KeyRing::parse(text).is_none(), "{text}");
    }
    assert!(KeyRing::parse(&format!(" {} , {DIGESTS},\n", ONE.trim_end_matches('='))).is_some(), "padding is optional");
}

#[test]
fn debug_output_shows_no_key() {
    assert_eq!(format!("{:?}", ring(&[ONE, DIGESTS])), "***");
}

#[test]
fn the_key_file_is_created_once_and_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let encrypted = KeyRing::of_directory(dir.path()).unwrap().encrypt(field("name", 1), "Ana").unwrap();
    let again = KeyRing::of_directory(dir.path()).unwrap();
    assert_eq!(again.decrypt(field("name", 1), &encrypted).as_deref(), Ok("Ana"));
    let path = dir.path().join(KEY_FILE);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&path, "damaged").unwrap();
    assert_eq!(KeyRing::of_directory(dir.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_code_proves_one_message_of_one_purpose() {
    let (ring, rotated) = (ring(&[ONE, DIGESTS]), ring(&[TWO, ONE, DIGESTS]));
    let other = ring_with_other_digests();
    let code = ring.authenticate("tickets", b"message");
    assert!(ring.is_authentic("tickets", b"message", &code));
    assert!(rotated.is_authentic("tickets", b"message", &code), "the key for digests stays");
    assert!(!ring.is_authentic("tickets", b"massage", &code));
    assert!(!ring.is_authentic("ticket", b"smessage", &code));
    assert!(!ring.is_authentic("tickets", b"message", &code[..31]));
    assert!(!ring.is_authentic("tickets", b"message", &[]));
    assert!(!other.is_authentic("tickets", b"message", &code));
}

fn ring_with_other_digests() -> KeyRing {
    ring(&[ONE, "digest:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ="])
}
