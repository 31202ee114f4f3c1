//! An index of the schema's types, for checks that the library does not make.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use async_graphql::{
    Name,
    parser::{
        parse_schema,
        types::{BaseType, InputObjectType, InputValueDefinition, OperationType, Type, TypeKind, TypeSystemDefinition},
    },
};

use crate::graphql::schema::full_sdl;

/// The types of this schema.
pub static TYPES: LazyLock<TypeIndex> = LazyLock::new(|| TypeIndex::read(&full_sdl()));

/// A field of an object or an interface.
#[derive(Debug)]
pub struct FieldType {
    /// Its type.
    pub ty: Type,
    /// Its arguments.
    pub arguments: HashMap<Name, ArgumentType>,
}

/// An argument of a field.
#[derive(Debug)]
pub struct ArgumentType {
    /// Its type.
    pub ty: Type,
    /// Whether it has a default value.
    pub has_default: bool,
}

/// The kind of an input type.
#[derive(Debug)]
pub enum InputKind<'a> {
    /// An input object with these fields.
    Object(&'a InputObjectType),
    /// An enum with these values.
    Enum(&'a HashSet<Name>),
    /// A scalar.
    Scalar,
}

/// The types of a schema.
#[derive(Debug, Default)]
pub struct TypeIndex {
    fields: HashMap<Name, HashMap<Name, FieldType>>,
    /// The object types of each interface and union.
    possible_types: HashMap<Name, Vec<Name>>,
    inputs: HashMap<Name, InputObjectType>,
    enums: HashMap<Name, HashSet<Name>>,
}

impl TypeIndex {
    /// Builds the index of an SDL; empty if the SDL cannot be parsed.
    #[must_use]
    pub fn read(sdl: &str) -> Self {
        let mut index = Self::default();
        for definition in parse_schema(sdl).map(|document| document.definitions).unwrap_or_default() {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node;
            let fields = match definition.node.kind {
                TypeKind::Object(object) => {
                    for interface in object.implements {
                        index.possible_types.entry(interface.node).or_default().push(name.clone());
                    }
                    object.fields
                }
                TypeKind::Interface(interface) => {
                    index.possible_types.entry(name.clone()).or_default();
                    interface.fields
                }
                TypeKind::Union(union) => {
                    let members = union.members.into_iter().map(|member| member.node);
                    index.possible_types.entry(name.clone()).or_default().extend(members);
                    Vec::new()
                }
                TypeKind::Enum(values) => {
                    index.enums.insert(name, values.values.into_iter().map(|value| value.node.value.node).collect());
                    continue;
                }
                TypeKind::InputObject(object) => {
                    index.inputs.insert(name, object);
                    continue;
                }
                TypeKind::Scalar => continue,
            };
            let fields = fields.into_iter().map(|field| {
                let argument = |argument: InputValueDefinition| {
                    let has_default = argument.default_value.is_some();
                    (argument.name.node, ArgumentType { ty: argument.ty.node, has_default })
                };
                let arguments = field.node.arguments.into_iter().map(|one| argument(one.node)).collect();
                (field.node.name.node, FieldType { ty: field.node.ty.node, arguments })
            });
            index.fields.insert(name, fields.collect());
        }
        index
    }

    /// Returns a field of an object or interface.
    #[must_use]
    pub fn field(&self, parent: &str, field: &str) -> Option<&FieldType> {
        self.fields.get(parent)?.get(field)
    }

    /// Returns the object types of an interface or union, or `None` for any other type.
    #[must_use]
    pub fn possible_types(&self, name: &str) -> Option<&[Name]> {
        self.possible_types.get(name).map(Vec::as_slice)
    }

    /// Returns whether an object type satisfies a type condition.
    #[must_use]
    pub fn satisfies(&self, object: &str, condition: &str) -> bool {
        // Introspection types are not in the SDL, and all are objects.
        object == condition
            || !self.fields.contains_key(object)
            || self
                .possible_types(condition)
                .is_some_and(|possible_types| possible_types.iter().any(|name| name == object))
    }

    /// Returns the kind of an input type, or `None` for any other type.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<InputKind<'_>> {
        if let Some(object) = self.inputs.get(name) {
            return Some(InputKind::Object(object));
        }
        if let Some(values) = self.enums.get(name) {
            return Some(InputKind::Enum(values));
        }
        (!self.fields.contains_key(name) && !self.possible_types.contains_key(name)).then_some(InputKind::Scalar)
    }
}

/// Returns the name of the root type of an operation.
#[must_use]
pub const fn root_type(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}

/// Returns the name of a type without its list wrappers.
#[must_use]
pub fn base_type_name(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => base_type_name(item),
    }
}
