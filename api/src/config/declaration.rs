//! The declaration of settings.

use crate::config::parser::Parser;

/// A declared setting, as documented.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The group that it is listed in.
    pub group: &'static str,
    /// The name of the environment variable. In the file, the lowercase part after `KEZDESU_`.
    pub name: &'static str,
    /// The accepted values.
    pub values: String,
    /// The default, as text.
    pub default: &'static str,
    /// Whether the value is redacted in debug output.
    pub secret: bool,
    /// What it controls.
    pub description: &'static str,
}

impl Setting {
    /// Describes a setting by its declaration.
    pub(in crate::config) fn new<T>(
        group: &'static str,
        name: &'static str,
        parser: &Parser<T>,
        default: &'static str,
        description: &'static str,
    ) -> Self {
        let (values, secret) = (parser.values().to_owned(), parser.is_secret());
        // A doc comment begins with a space.
        Self { group, name, values, default, secret, description: description.trim_start() }
    }
}

/// Declares settings, in groups:
///
/// ```text
/// "Group" {
///     /// What it controls.
///     field: Type = "KEZDESU_NAME", parser, default "16";
///     /// What it controls.
///     other: Option<Type> = "KEZDESU_OTHER", parser.optional(), default "none" = None;
/// }
/// ```
///
/// The text of the default is documented. It is also parsed, unless an expression gives the value. The expression may
/// use the fields above it.
macro_rules! settings {
    ($($group:literal {
        $($(#[doc = $line:literal])+
        $field:ident: $type:ty = $name:literal, $parser:expr, default $default:literal $(= $value:expr)?;)+
    })+) => {
        /// Validated settings.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $($(
                $(#[doc = $line])+
                #[doc = concat!("\n\nSet by `", $name, "`, by default ", $default, ".")]
                pub $field: $type,
            )+)+
        }

        /// All settings.
        pub static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
            let mut settings = Vec::new();
            $($({
                let parser: Parser<$type> = $parser;
                settings.push(Setting::new($group, $name, &parser, $default, concat!($($line),+)));
            })+)+
            settings
        });

        /// Parses each setting by itself.
        pub(in crate::config) fn parse(raw: &RawSettings) -> Result<Settings, SettingError> {
            $($(
                let $field: $type = {
                    let parser: Parser<$type> = $parser;
                    match parser.read(raw, $name)? {
                        Some(value) => value,
                        None => settings!(@default parser, $name, $default $(, $value)?),
                    }
                };
            )+)+
            Ok(Settings { $($($field),+),+ })
        }
    };
    (@default $parser:ident, $name:literal, $default:literal) => { $parser.parse($name, $default)? };
    (@default $parser:ident, $name:literal, $default:literal, $value:expr) => { $value };
}
pub(in crate::config) use settings;
