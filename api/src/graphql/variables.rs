//! Coerces the variables of an operation and checks the values of its arguments, before anything of it runs.

use async_graphql::{
    InputType, Name, Pos, Positioned, ServerError, Value as Constant, Variables,
    parser::types::{BaseType, Type, VariableDefinition},
};
use async_graphql_value::Value;

use crate::graphql::{
    error::{ApiError, MESSAGE},
    limits::MOST_ERRORS,
    scalars::{Date, KatoCode, Timestamp},
    type_index::{ArgumentType, InputKind, TYPES, named},
};

/// The variables of an operation: those that it declares, with their defaults.
///
/// # Errors
/// When one that is required is missing, or a value is not of its type.
pub fn coerce(
    definitions: &[Positioned<VariableDefinition>],
    given: &Variables,
) -> Result<Variables, Vec<ServerError>> {
    let (mut coerced, mut errors) = (Variables::default(), Vec::new());
    for Positioned { node: definition, pos } in definitions {
        let (name, ty) = (&definition.name.node, &definition.var_type.node);
        let default = definition.default_value.as_ref().map(|default| &default.node);
        let value = match given.get(name).or(default) {
            Some(value) => check(Given::Constant(value), ty, &Variables::default(), Int::Wide).map(|()| Some(value)),
            None if ty.nullable => Ok(None),
            None => Err(Mismatch::Missing),
        };
        match value {
            Ok(Some(value)) => drop(coerced.insert(name.clone(), value.clone())),
            Ok(None) => {}
            Err(mismatch) if errors.len() < MOST_ERRORS => errors.push(mismatch.of_variable(name, ty, *pos)),
            Err(_) => {}
        }
    }
    if errors.is_empty() { Ok(coerced) } else { Err(errors) }
}

/// Checks an argument's value, whose variables are coerced. That the type of a variable fits where it stands the library does not
/// check, so its value is.
///
/// # Errors
/// When it is not of its type, or a variable is missing.
pub fn check_argument(
    (name, value): (&Name, &Positioned<Value>),
    argument: &ArgumentType,
    (definitions, variables): (&[Positioned<VariableDefinition>], &Variables),
    int: Int,
) -> Result<(), ServerError> {
    let ty = &argument.ty;
    if let Value::Variable(variable) = &value.node {
        let definition = definitions.iter().find(|definition| definition.node.name.node == *variable);
        let declared = definition.map(|definition| &definition.node.var_type.node);
        match variables.get(variable) {
            None if ty.nullable || argument.has_default => return Ok(()),
            None => return Err(Mismatch::Missing.of_variable(variable, ty, value.pos)),
            // It was checked already. How large an integer may be, no type says.
            Some(_) if declared.is_some_and(|declared| declared == ty) && named(ty) != "Int" => return Ok(()),
            Some(_) => {}
        }
    }
    check(Given::Literal(&value.node), ty, variables, int).map_err(|mismatch| mismatch.of_argument(name, ty, value.pos))
}

/// How large an `Int` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int {
    /// As the specification has it: 32 bits.
    Narrow,
    /// 64 bits, as the positions of feeds have.
    Wide,
}

/// Why a value is not of its type.
enum Mismatch {
    /// There is none.
    Missing,
    /// It is null where it may not be, or lacks a field.
    Null,
    /// It is something else than it must be.
    Value,
    /// A scalar is not written as this message says.
    Scalar { message: String, scalar: String },
}

impl Mismatch {
    fn of_variable(self, name: &Name, ty: &Type, pos: Pos) -> ServerError {
        let detail = format!("Variable \"${name}\" expected type \"{ty}\"");
        let bad = |message: &str, detail| ApiError::BadVariable {
            name: name.to_string(),
            message: message.to_owned(),
            detail,
        };
        let error = match self {
            Self::Missing => bad("error-variable-missing", detail),
            Self::Null => bad("error-variable", detail),
            Self::Value => ApiError::BadValue { message: "error-value".to_owned(), detail: Some(detail) },
            scalar @ Self::Scalar { .. } => return scalar.of_argument(name, ty, pos),
        };
        error.at(vec![pos])
    }

    fn of_argument(self, name: &Name, ty: &Type, pos: Pos) -> ServerError {
        let (message, detail) = match self {
            Self::Missing | Self::Null | Self::Value => {
                ("error-value".to_owned(), format!("Invalid value for argument \"{name}\", expected type \"{ty}\""))
            }
            Self::Scalar { message, scalar } => (message, format!("Failed to parse \"{scalar}\"")),
        };
        ApiError::BadValue { message, detail: Some(detail) }.at(vec![pos])
    }
}

/// A value as it was given.
#[derive(Clone, Copy)]
enum Given<'a> {
    /// In the document.
    Literal(&'a Value),
    /// Without variables.
    Constant(&'a Constant),
}

impl<'a> Given<'a> {
    /// The value that a variable stands for; none where that is not given.
    fn of_variable(self, variables: &'a Variables) -> Option<Self> {
        match self {
            Self::Literal(Value::Variable(name)) => variables.get(name).map(Given::Constant),
            known => Some(known),
        }
    }

    const fn is_null(self) -> bool {
        matches!(self, Self::Literal(Value::Null) | Self::Constant(Constant::Null))
    }

    fn items(self) -> Option<Vec<Self>> {
        match self {
            Self::Literal(Value::List(items)) => Some(items.iter().map(Given::Literal).collect()),
            Self::Constant(Constant::List(items)) => Some(items.iter().map(Given::Constant).collect()),
            _ => None,
        }
    }

    fn fields(self) -> Option<Vec<(&'a Name, Self)>> {
        match self {
            Self::Literal(Value::Object(fields)) => {
                Some(fields.iter().map(|(name, value)| (name, Given::Literal(value))).collect())
            }
            Self::Constant(Constant::Object(fields)) => {
                Some(fields.iter().map(|(name, value)| (name, Given::Constant(value))).collect())
            }
            _ => None,
        }
    }

    /// The value itself, if it holds no others.
    fn plain(self) -> Option<Constant> {
        match self {
            Self::Literal(Value::List(_) | Value::Object(_))
            | Self::Constant(Constant::List(_) | Constant::Object(_)) => None,
            Self::Literal(value) => value.clone().into_const(),
            Self::Constant(value) => Some(value.clone()),
        }
    }
}

fn check(given: Given<'_>, ty: &Type, variables: &Variables, int: Int) -> Result<(), Mismatch> {
    let Some(given) = given.of_variable(variables) else {
        // As if it were not written, where that may be.
        return if ty.nullable { Ok(()) } else { Err(Mismatch::Missing) };
    };
    if given.is_null() {
        return if ty.nullable { Ok(()) } else { Err(Mismatch::Null) };
    }
    match &ty.base {
        BaseType::List(item) => match given.items() {
            Some(items) => items.into_iter().try_for_each(|value| check(value, item, variables, int)),
            // One item stands for a list of it.
            None => check(given, item, variables, int),
        },
        BaseType::Named(name) => match TYPES.input(name) {
            Some(InputKind::Object(object)) => {
                let fields = given.fields().ok_or(Mismatch::Value)?;
                let known = |name: &Name| object.fields.iter().find(|field| field.node.name.node == *name);
                for (name, value) in &fields {
                    let field = known(name).ok_or(Mismatch::Value)?;
                    let ty = &field.node.ty.node;
                    match value.of_variable(variables) {
                        None if field.node.default_value.is_some() => {}
                        _ => check(*value, ty, variables, Int::Narrow)?,
                    }
                }
                let missing = object.fields.iter().any(|field| {
                    let field = &field.node;
                    let required = !field.ty.node.nullable && field.default_value.is_none();
                    required && !fields.iter().any(|(name, _)| **name == field.name.node)
                });
                if missing { Err(Mismatch::Null) } else { Ok(()) }
            }
            Some(InputKind::Enum(values)) => match given.plain() {
                Some(Constant::Enum(value)) if values.contains(&value) => Ok(()),
                Some(Constant::String(value)) if values.contains(value.as_str()) => Ok(()),
                _ => Err(Mismatch::Value),
            },
            Some(InputKind::Scalar) => scalar(name, given, int),
            // The library says that there is no such input.
            None => Ok(()),
        },
    }
}

fn scalar(name: &Name, given: Given<'_>, int: Int) -> Result<(), Mismatch> {
    if name == "_Any" {
        return Ok(());
    }
    let value = given.plain().ok_or(Mismatch::Value)?;
    let parsed = match name.as_str() {
        "Date" => Date::parse(Some(value)).err().map(message_of),
        "DateTime" => Timestamp::parse(Some(value)).err().map(message_of),
        "KatoCode" => KatoCode::parse(Some(value)).err().map(message_of),
        builtin => return if is_builtin(builtin, &value, int) { Ok(()) } else { Err(Mismatch::Value) },
    };
    parsed.map_or(Ok(()), |message| Err(Mismatch::Scalar { message, scalar: name.to_string() }))
}

fn is_builtin(name: &str, value: &Constant, int: Int) -> bool {
    match (name, value) {
        ("Int", Constant::Number(number)) => {
            number.as_i64().is_some_and(|number| int == Int::Wide || i32::try_from(number).is_ok())
        }
        ("Float", Constant::Number(_)) | ("String" | "ID", Constant::String(_)) | ("Boolean", Constant::Boolean(_)) => {
            true
        }
        ("ID", Constant::Number(number)) => number.is_i64(),
        ("Int" | "Float" | "String" | "ID" | "Boolean", _) => false,
        _ => true,
    }
}

/// The message that a scalar of ours names.
fn message_of<T: InputType>(error: async_graphql::InputValueError<T>) -> String {
    let extensions = error.into_server_error(Pos::default()).extensions;
    match extensions.as_ref().and_then(|extensions| extensions.get(MESSAGE)) {
        Some(Constant::String(message)) => message.clone(),
        _ => "error-value".to_owned(),
    }
}
