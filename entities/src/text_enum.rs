//! Macros that declare enums stored as text. They are used in `enums`, whose imports they need.

/// Implements reading and writing an enum as text. Unknown names read as `$unknown`.
macro_rules! stored_as_text {
    ($name:ident, $unknown:ident, $is_known:expr) => {
        impl Stored for $name {
            fn is_known(&self) -> bool {
                $is_known(self)
            }
        }

        impl ActiveEnum for $name {
            type Value = String;
            type ValueVec = Vec<String>;

            fn name() -> DynIden {
                Alias::new(stringify!($name)).into_iden()
            }

            fn to_value(&self) -> String {
                self.as_str().to_owned()
            }

            fn try_from_value(text: &String) -> Result<Self, DbErr> {
                Ok(text.parse().unwrap_or(Self::$unknown))
            }

            fn db_type() -> ColumnDef {
                ColumnType::String(StringLen::N(24)).def()
            }
        }

        impl TryGetable for $name {
            fn try_get_by<I: ColIdx>(row: &QueryResult, column: I) -> Result<Self, TryGetError> {
                let text = String::try_get_by(row, column)?;
                Self::try_from_value(&text).map_err(TryGetError::DbErr)
            }
        }

        impl ValueType for $name {
            fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
                let text = <String as ValueType>::try_from(value)?;
                Self::try_from_value(&text).map_err(|_| ValueTypeErr)
            }

            fn type_name() -> String {
                stringify!($name).to_owned()
            }

            fn array_type() -> ArrayType {
                <String as ValueType>::array_type()
            }

            fn column_type() -> ColumnType {
                Self::db_type().get_column_type().to_owned().into()
            }
        }

        impl Nullable for $name {
            fn null() -> Value {
                <String as Nullable>::null()
            }
        }

        impl From<$name> for Value {
            fn from(member: $name) -> Self {
                member.to_value().into()
            }
        }

        impl IntoActiveValue<$name> for $name {
            fn into_active_value(self) -> ActiveValue<$name> {
                ActiveValue::set(self)
            }
        }
    };
}

macro_rules! named_members {
    ($name:ident { $($variant:ident = $text:literal),* } $(unknown $unknown:ident)?) => {
        impl $name {
            /// All members, in the order of the public API.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the name under which the member is stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* $(Self::$unknown => "UNKNOWN",)? }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(UnknownName) }
            }
        }
    };
}

/// Declares an enum that no version adds to, or that has a fallback for unknown names.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? } $(else $fallback:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        named_members!($name { $($variant = $text),* });
        $(stored_as_text!($name, $fallback, |_: &Self| true);)?
    };
}

/// Declares an enum that a later version may add to.
macro_rules! open_text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
            /// A name that a later version stored.
            #[serde(skip)]
            Unknown,
        }

        named_members!($name { $($variant = $text),* } unknown Unknown);
        stored_as_text!($name, Unknown, |member: &Self| *member != Self::Unknown);
    };
}
