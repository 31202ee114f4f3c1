//! Settings: read once, checked at the start, never printed where they are secret.

mod parse;
mod secret;
mod settings;
mod texts;

pub use parse::{from_environment, load};
pub use secret::Secret;
pub use settings::{Environment, LogFormat, SETTINGS, Safelist, Setting, Settings, settings_table};
pub use texts::BadSetting;
