//! Coerces the variables of an operation and checks the values of its arguments before execution.

use async_graphql::{
    InputType, Name, Pos, Positioned, ServerError, Value as Constant, Variables,
    parser::types::{BaseType, OperationType, Type, VariableDefinition},
};
use async_graphql_value::Value;

use crate::graphql::{
    error::{ApiError, MESSAGE},
    operation_limits::MAX_ERRORS,
    scalars::{Date, KatoCode, Timestamp},
    type_index::{ArgumentType, InputKind, TYPES, base_type_name},
};

/// Returns the declared variables with their values or defaults.
///
/// # Errors
/// If a required variable is missing, or a value has the wrong type.
pub fn coerce_variables(
    definitions: &[Positioned<VariableDefinition>],
    given: &Variables,
) -> Result<Variables, Vec<ServerError>> {
    let (mut coerced, mut errors) = (Variables::default(), Vec::new());
    for Positioned { node: definition, pos } in definitions {
        let (name, ty) = (&definition.name.node, &definition.var_type.node);
        let default = definition.default_value.as_ref().map(|default| &default.node);
        let value = match given.get(name).or(default) {
            Some(value) => {
                check(InputValue::Constant(value), ty, &Variables::default(), IntRange::Int64).map(|()| Some(value))
            }
            None if ty.nullable => Ok(None),
            None => Err(Mismatch::Missing),
        };
        match value {
            Ok(Some(value)) => drop(coerced.insert(name.clone(), value.clone())),
            Ok(None) => {}
            Err(mismatch) if errors.len() < MAX_ERRORS => errors.push(mismatch.of_variable(name, ty, *pos)),
            Err(_) => {}
        }
    }
    if errors.is_empty() { Ok(coerced) } else { Err(errors) }
}

/// Checks the value of an argument, with coerced variables. The library does not check that a variable's type
/// fits the argument, so its value is checked.
///
/// # Errors
/// If the value has the wrong type, or a variable is missing.
pub fn check_argument(
    (name, value): (&Name, &Positioned<Value>),
    argument: &ArgumentType,
    (definitions, variables): (&[Positioned<VariableDefinition>], &Variables),
    range: IntRange,
) -> Result<(), ServerError> {
    let ty = &argument.ty;
    if let Value::Variable(variable) = &value.node {
        let definition = definitions.iter().find(|definition| definition.node.name.node == *variable);
        let declared = definition.map(|definition| &definition.node.var_type.node);
        match variables.get(variable) {
            None if ty.nullable || argument.has_default => return Ok(()),
            None => return Err(Mismatch::Missing.of_variable(variable, ty, value.pos)),
            // It is already checked, except for the range of integers.
            Some(_) if declared.is_some_and(|declared| declared == ty) && base_type_name(ty) != "Int" => return Ok(()),
            Some(_) => {}
        }
    }
    check(InputValue::Literal(&value.node), ty, variables, range)
        .map_err(|mismatch| mismatch.of_argument(name, ty, value.pos))
}

/// How an argument depends on the variables in it.
pub enum VariableUse<'a> {
    /// Only on whether they are present.
    Presence,
    /// On the number of items of this variable.
    Length(&'a Name),
    /// On their values.
    Value,
}

/// Types whose values never affect the cost of a field.
const COST_FREE_TYPES: [&str; 4] = ["ID", "KatoCode", "Date", "DateTime"];
/// Arguments whose values never affect the cost of a field: positions in a list or a feed.
const POSITIONS: [&str; 3] = ["after", "before", "epoch"];

/// Returns how the check of an argument and the cost of its field depend on its variables.
///
/// Only a variable of exactly the argument's type is known to be valid without a look at its value.
pub fn argument_use<'a>(
    (name, value): (&Name, &'a Value),
    argument: &ArgumentType,
    definitions: &[Positioned<VariableDefinition>],
    (operation, range): (OperationType, IntRange),
) -> VariableUse<'a> {
    let Value::Variable(variable) = value else { return VariableUse::Value };
    let definition = definitions.iter().find(|definition| definition.node.name.node == *variable);
    if definition.is_none_or(|definition| definition.node.var_type.node != argument.ty) {
        return VariableUse::Value;
    }
    let base = base_type_name(&argument.ty);
    let is_list = matches!(argument.ty.base, BaseType::List(_));
    match TYPES.input(base) {
        Some(InputKind::Scalar) if is_list && COST_FREE_TYPES.contains(&base) => VariableUse::Length(variable),
        Some(InputKind::Scalar) if is_list => VariableUse::Value,
        Some(InputKind::Scalar) if COST_FREE_TYPES.contains(&base) => VariableUse::Presence,
        Some(InputKind::Scalar) if POSITIONS.contains(&name.as_str()) => match base {
            // A 32-bit argument does not accept every integer that a variable does.
            "Int" if range == IntRange::Int32 => VariableUse::Value,
            _ => VariableUse::Presence,
        },
        // Mutations have no cost by their input.
        Some(InputKind::Object(_)) if operation == OperationType::Mutation && !is_list => VariableUse::Presence,
        _ => VariableUse::Value,
    }
}

/// Calls a function with each variable in a value.
pub fn for_each_variable(value: &Value, call: &mut impl FnMut(&Name)) {
    match value {
        Value::Variable(name) => call(name),
        Value::List(items) => items.iter().for_each(|item| for_each_variable(item, call)),
        Value::Object(fields) => fields.values().for_each(|field| for_each_variable(field, call)),
        _ => {}
    }
}

/// The range of an `Int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntRange {
    /// 32 bits, by the specification.
    Int32,
    /// 64 bits, for positions of feeds.
    Int64,
}

/// The reason that a value does not match its type.
enum Mismatch {
    /// It is missing.
    Missing,
    /// It is null or lacks a field, and must not.
    Null,
    /// It has another type.
    Value,
    /// A scalar has the wrong format; `message` is the id of the message.
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

/// An input value.
#[derive(Clone, Copy)]
enum InputValue<'a> {
    /// A literal in the document, which may contain variables.
    Literal(&'a Value),
    /// A constant.
    Constant(&'a Constant),
}

impl<'a> InputValue<'a> {
    /// Resolves a variable, or returns `None` if it is absent.
    fn resolve(self, variables: &'a Variables) -> Option<Self> {
        match self {
            Self::Literal(Value::Variable(name)) => variables.get(name).map(InputValue::Constant),
            known => Some(known),
        }
    }

    const fn is_null(self) -> bool {
        matches!(self, Self::Literal(Value::Null) | Self::Constant(Constant::Null))
    }

    fn items(self) -> Option<Vec<Self>> {
        match self {
            Self::Literal(Value::List(items)) => Some(items.iter().map(InputValue::Literal).collect()),
            Self::Constant(Constant::List(items)) => Some(items.iter().map(InputValue::Constant).collect()),
            _ => None,
        }
    }

    fn fields(self) -> Option<Vec<(&'a Name, Self)>> {
        match self {
            Self::Literal(Value::Object(fields)) => {
                Some(fields.iter().map(|(name, value)| (name, InputValue::Literal(value))).collect())
            }
            Self::Constant(Constant::Object(fields)) => {
                Some(fields.iter().map(|(name, value)| (name, InputValue::Constant(value))).collect())
            }
            _ => None,
        }
    }

    /// Returns the value unless it is a list or an object.
    fn scalar_value(self) -> Option<Constant> {
        match self {
            Self::Literal(Value::List(_) | Value::Object(_))
            | Self::Constant(Constant::List(_) | Constant::Object(_)) => None,
            Self::Literal(value) => value.clone().into_const(),
            Self::Constant(value) => Some(value.clone()),
        }
    }
}

fn check(given: InputValue<'_>, ty: &Type, variables: &Variables, range: IntRange) -> Result<(), Mismatch> {
    let Some(given) = given.resolve(variables) else {
        // An absent variable counts as an absent value.
        return if ty.nullable { Ok(()) } else { Err(Mismatch::Missing) };
    };
    if given.is_null() {
        return if ty.nullable { Ok(()) } else { Err(Mismatch::Null) };
    }
    match &ty.base {
        BaseType::List(item) => match given.items() {
            Some(items) => items.into_iter().try_for_each(|value| check(value, item, variables, range)),
            // A single value is coerced to a list.
            None => check(given, item, variables, range),
        },
        BaseType::Named(name) => match TYPES.input(name) {
            Some(InputKind::Object(object)) => {
                let fields = given.fields().ok_or(Mismatch::Value)?;
                let known = |name: &Name| object.fields.iter().find(|field| field.node.name.node == *name);
                for (name, value) in &fields {
                    let field = known(name).ok_or(Mismatch::Value)?;
                    let ty = &field.node.ty.node;
                    match value.resolve(variables) {
                        None if field.node.default_value.is_some() => {}
                        _ => check(*value, ty, variables, IntRange::Int32)?,
                    }
                }
                let missing = object.fields.iter().any(|field| {
                    let field = &field.node;
                    let required = !field.ty.node.nullable && field.default_value.is_none();
                    required && !fields.iter().any(|(name, _)| **name == field.name.node)
                });
                if missing { Err(Mismatch::Null) } else { Ok(()) }
            }
            Some(InputKind::Enum(values)) => match given.scalar_value() {
                Some(Constant::Enum(value)) if values.contains(&value) => Ok(()),
                Some(Constant::String(value)) if values.contains(value.as_str()) => Ok(()),
                _ => Err(Mismatch::Value),
            },
            Some(InputKind::Scalar) => scalar(name, given, range),
            // The library reports the unknown type.
            None => Ok(()),
        },
    }
}

fn scalar(name: &Name, given: InputValue<'_>, range: IntRange) -> Result<(), Mismatch> {
    if name == "_Any" {
        return Ok(());
    }
    let value = given.scalar_value().ok_or(Mismatch::Value)?;
    let error = match name.as_str() {
        "Date" => Date::parse(Some(value)).err().map(message_of),
        "DateTime" => Timestamp::parse(Some(value)).err().map(message_of),
        "KatoCode" => KatoCode::parse(Some(value)).err().map(message_of),
        builtin => return if is_builtin(builtin, &value, range) { Ok(()) } else { Err(Mismatch::Value) },
    };
    error.map_or(Ok(()), |message| Err(Mismatch::Scalar { message, scalar: name.to_string() }))
}

fn is_builtin(name: &str, value: &Constant, range: IntRange) -> bool {
    match (name, value) {
        ("Int", Constant::Number(number)) => {
            number.as_i64().is_some_and(|number| range == IntRange::Int64 || i32::try_from(number).is_ok())
        }
        ("Float", Constant::Number(_)) | ("String" | "ID", Constant::String(_)) | ("Boolean", Constant::Boolean(_)) => {
            true
        }
        ("ID", Constant::Number(number)) => number.is_i64(),
        ("Int" | "Float" | "String" | "ID" | "Boolean", _) => false,
        _ => true,
    }
}

/// Returns the message id that one of our scalars set.
fn message_of<T: InputType>(error: async_graphql::InputValueError<T>) -> String {
    let extensions = error.into_server_error(Pos::default()).extensions;
    match extensions.as_ref().and_then(|extensions| extensions.get(MESSAGE)) {
        Some(Constant::String(message)) => message.clone(),
        _ => "error-value".to_owned(),
    }
}
