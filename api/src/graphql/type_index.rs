//! What the schema says of its types, for the checks that the library does not make.

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
    /// Whether it may be left out, whatever its type is.
    pub has_default: bool,
}

/// What an input can be.
#[derive(Debug)]
pub enum InputKind<'a> {
    /// An object with these fields.
    Object(&'a InputObjectType),
    /// One of these values.
    Enum(&'a HashSet<Name>),
    /// A scalar.
    Scalar,
}

/// The types of a schema.
#[derive(Debug, Default)]
pub struct TypeIndex {
    fields: HashMap<Name, HashMap<Name, FieldType>>,
    /// The objects that each interface and union stands for.
    possible: HashMap<Name, Vec<Name>>,
    inputs: HashMap<Name, InputObjectType>,
    enums: HashMap<Name, HashSet<Name>>,
}

impl TypeIndex {
    /// Reads the types of an SDL; none of one that cannot be parsed.
    #[must_use]
    pub fn read(sdl: &str) -> Self {
        let mut index = Self::default();
        for definition in parse_schema(sdl).map(|document| document.definitions).unwrap_or_default() {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node;
            let fields = match definition.node.kind {
                TypeKind::Object(object) => {
                    for interface in object.implements {
                        index.possible.entry(interface.node).or_default().push(name.clone());
                    }
                    object.fields
                }
                TypeKind::Interface(interface) => {
                    index.possible.entry(name.clone()).or_default();
                    interface.fields
                }
                TypeKind::Union(union) => {
                    let members = union.members.into_iter().map(|member| member.node);
                    index.possible.entry(name.clone()).or_default().extend(members);
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

    /// A field of a type.
    #[must_use]
    pub fn field(&self, parent: &str, field: &str) -> Option<&FieldType> {
        self.fields.get(parent)?.get(field)
    }

    /// The objects that an interface or a union stands for; none of what is an object itself, or not known.
    #[must_use]
    pub fn possible(&self, name: &str) -> Option<&[Name]> {
        self.possible.get(name).map(Vec::as_slice)
    }

    /// Whether an object of this name fulfils a type condition.
    #[must_use]
    pub fn fulfils(&self, object: &str, condition: &str) -> bool {
        // The types of the introspection are not in the SDL. All of them are objects.
        object == condition
            || !self.fields.contains_key(object)
            || self.possible(condition).is_some_and(|possible| possible.iter().any(|name| name == object))
    }

    /// What an input type is; none where it is not known, or none.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<InputKind<'_>> {
        if let Some(object) = self.inputs.get(name) {
            return Some(InputKind::Object(object));
        }
        if let Some(values) = self.enums.get(name) {
            return Some(InputKind::Enum(values));
        }
        (!self.fields.contains_key(name) && !self.possible.contains_key(name)).then_some(InputKind::Scalar)
    }
}

/// The name of the type of an operation's root.
#[must_use]
pub const fn root(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}

/// The name in a type, whatever lists it stands in.
#[must_use]
pub fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => named(item),
    }
}
