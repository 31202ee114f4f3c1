//! Settings: read once, checked at the start, never printed where they are secret.

mod parse;
mod secret;
mod settings;

pub use parse::{BadSetting, from_environment, load};
pub use secret::Secret;
pub use settings::{Environment, LogFormat, SETTINGS, Safelist, Setting, Settings, settings_table};
