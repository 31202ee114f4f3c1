//! Configuration: read once, validated at startup, secrets never printed.
//!
//! A setting is declared once, in `settings.rs`. Its parsing, its field of [`Settings`], the command line's help and
//! the tables of `docs/operations.md` come from the declaration.

mod declaration;
mod documentation;
mod formats;
mod load;
mod parser;
mod raw;
mod secret;
mod settings;
mod sources;

pub use declaration::Setting;
pub use documentation::{settings_help, settings_table};
pub use load::{from_environment, load};
pub use raw::SettingError;
pub use secret::Secret;
pub use settings::{Environment, LogFormat, SETTINGS, Safelist, Settings};
