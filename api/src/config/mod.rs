//! Configuration: read once, validated at startup, secrets never printed.

mod parse;
mod raw;
mod secret;
mod settings;

pub use parse::{from_environment, load};
pub use raw::SettingError;
pub use secret::Secret;
pub use settings::{Environment, LogFormat, SETTINGS, Safelist, Setting, Settings, settings_table};
