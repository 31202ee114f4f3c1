//! The documentation of settings, which comes from their declaration.

use std::fmt::Write as _;

use crate::config::{SETTINGS, Setting};

/// Returns the settings by group, in the order of the declaration.
fn groups() -> impl Iterator<Item = (&'static str, &'static [Setting])> {
    SETTINGS.chunk_by(|one, next| one.group == next.group).filter_map(|group| Some((group.first()?.group, group)))
}

/// Returns the tables of settings for `docs/operations.md`.
#[must_use]
pub fn settings_table() -> String {
    let tables = groups().map(|(group, settings)| {
        let rows = settings.iter().map(|Setting { name, values, default, secret, description, .. }| {
            let secret = if *secret { " (secret)" } else { "" };
            format!("| `{name}` | {values}{secret} | {default} | {description} |\n")
        });
        format!(
            "**{group}**\n\n| setting | values | default | description |\n|---|---|---|---|\n{}",
            rows.collect::<String>()
        )
    });
    tables.collect::<Vec<_>>().join("\n")
}

/// Returns the settings for the command line's help.
#[must_use]
pub fn settings_help() -> String {
    let mut text = "Settings, from the environment or the file that KEZDESU_CONFIG names:\n".to_owned();
    for (group, settings) in groups() {
        let _ = write!(text, "\n{group}:\n");
        for Setting { name, values, default, description, .. } in settings {
            let _ = write!(text, "  {name}: {values} [default: {default}]\n          {description}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn declarations_are_unique_and_complete() {
        let names: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        let titles: BTreeSet<_> = groups().map(|(group, _)| group).collect();
        assert_eq!((names.len(), titles.len()), (SETTINGS.len(), groups().count()));
        for Setting { name, values, default, description, .. } in SETTINGS.iter() {
            assert!(name.starts_with("KEZDESU_") && description.ends_with('.'), "{name}: {description}");
            assert!(!values.is_empty() && !default.is_empty() && !description.contains("  "), "{name}: {description}");
        }
    }

    #[test]
    fn secrets_are_the_addresses_with_passwords_and_the_keys() {
        let secrets: Vec<_> = SETTINGS.iter().filter(|setting| setting.secret).map(|setting| setting.name).collect();
        assert_eq!(secrets, ["KEZDESU_DATABASE_URL", "KEZDESU_REDIS_URL", "KEZDESU_DATA_KEYS"]);
    }

    #[test]
    fn the_handbook_lists_every_setting_with_its_default() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
        let handbook = std::fs::read_to_string(path).unwrap();
        for Setting { name, values, default, .. } in SETTINGS.iter() {
            let row = handbook.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("{name} is missing; run `make settings`"));
            let cells: Vec<_> = row.split(" | ").collect();
            assert!(cells[1].starts_with(values.as_str()) && cells[2] == *default, "{row}; run `make settings`");
        }
        let documented = handbook.lines().filter(|line| line.starts_with("| `KEZDESU_")).count();
        assert_eq!(documented, SETTINGS.len());
    }
}
