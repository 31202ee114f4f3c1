//! The served SDL: checked in, described, and consistent with the contract.

use std::{collections::BTreeSet, path::Path};

use async_graphql_parser::{
    parse_schema,
    types::{FieldDefinition, InputValueDefinition, ServiceDocument, TypeDefinition, TypeKind, TypeSystemDefinition},
};

fn served() -> String {
    kezdesu::graphql::sdl()
}

fn types(document: &ServiceDocument) -> Vec<&TypeDefinition> {
    let mut found = Vec::new();
    for definition in &document.definitions {
        if let TypeSystemDefinition::Type(node) = definition {
            found.push(&node.node);
        }
    }
    found
}

fn name(definition: &TypeDefinition) -> &str {
    definition.name.node.as_str()
}

fn fields(definition: &TypeDefinition) -> Vec<&FieldDefinition> {
    match &definition.kind {
        TypeKind::Object(object) => object.fields.iter().map(|field| &field.node).collect(),
        TypeKind::Interface(interface) => interface.fields.iter().map(|field| &field.node).collect(),
        _ => Vec::new(),
    }
}

fn inputs(definition: &TypeDefinition) -> Vec<&InputValueDefinition> {
    match &definition.kind {
        TypeKind::InputObject(object) => object.fields.iter().map(|field| &field.node).collect(),
        _ => Vec::new(),
    }
}

fn values(definition: &TypeDefinition) -> Vec<String> {
    match &definition.kind {
        TypeKind::Enum(set) => set.values.iter().map(|value| value.node.value.node.to_string()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_checked_in_schema_matches_the_served_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/schema.graphql");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text == served(), "api/schema.graphql is outdated: run `make schema`");
}

#[test]
fn everything_in_the_schema_has_a_description() {
    let sdl = served();
    let document = parse_schema(&sdl).unwrap();
    let mut bare = Vec::new();
    for definition in types(&document) {
        let kind = name(definition);
        if definition.description.is_none() {
            bare.push(kind.to_owned());
        }
        for field in fields(definition) {
            if field.description.is_none() {
                bare.push(format!("{kind}.{}", field.name.node));
            }
            let arguments = field.arguments.iter().filter(|argument| argument.node.description.is_none());
            bare.extend(arguments.map(|argument| format!("{kind}.{}({})", field.name.node, argument.node.name.node)));
        }
        let parts = inputs(definition).into_iter().filter(|part| part.description.is_none());
        bare.extend(parts.map(|part| format!("{kind}.{}", part.name.node)));
        if let TypeKind::Enum(set) = &definition.kind {
            let values = set.values.iter().filter(|value| value.node.description.is_none());
            bare.extend(values.map(|value| format!("{kind}.{}", value.node.value.node)));
        }
    }
    assert!(bare.is_empty(), "without a description: {bare:#?}");
}

fn argument(one: &InputValueDefinition) -> String {
    let default = one.default_value.as_ref().map(|value| format!(" = {}", value.node)).unwrap_or_default();
    format!("{}: {}{default}", one.name.node, one.ty.node)
}

/// Returns the keys, sharing directives and interfaces of a type.
fn standing(definition: &TypeDefinition) -> BTreeSet<String> {
    let directives = definition.directives.iter().map(|directive| &directive.node);
    let keys = directives.filter(|directive| matches!(directive.name.node.as_str(), "key" | "shareable")).map(|own| {
        let fields = own.arguments.iter().map(|(_, value)| value.node.to_string());
        format!("@{}({})", own.name.node, fields.collect::<String>())
    });
    let implements = match &definition.kind {
        TypeKind::Object(object) => object.implements.as_slice(),
        TypeKind::Interface(interface) => interface.implements.as_slice(),
        _ => &[],
    };
    keys.chain(implements.iter().map(|name| name.node.to_string())).collect()
}

/// Returns what differs from the contract, and what is not implemented yet.
fn differences(contract: &ServiceDocument, served: &ServiceDocument) -> (Vec<String>, BTreeSet<String>) {
    let (mut wrong, mut later) = (Vec::new(), BTreeSet::new());
    let ours = types(served);
    for wanted in types(contract).into_iter().filter(|wanted| !wanted.extend) {
        let kind = name(wanted);
        let Some(own) = ours.iter().find(|own| name(own) == kind) else {
            later.insert(kind.to_owned());
            continue;
        };
        let missing = &standing(wanted) - &standing(own);
        wrong.extend(missing.iter().map(|one| format!("{kind}: {one}")));
        for field in fields(wanted) {
            let path = format!("{kind}.{}", field.name.node);
            let Some(served) = fields(own).into_iter().find(|served| served.name == field.name) else {
                later.insert(path);
                continue;
            };
            if served.ty.node != field.ty.node {
                wrong.push(format!("{path}: {} instead of {}", served.ty.node, field.ty.node));
            }
            for one in &field.arguments {
                let wanted = argument(&one.node);
                if !served.arguments.iter().any(|own| argument(&own.node) == wanted) {
                    wrong.push(format!("{path}({wanted})"));
                }
            }
        }
        for part in inputs(wanted) {
            match inputs(own).into_iter().find(|own| own.name == part.name) {
                None => {
                    later.insert(format!("{kind}.{}", part.name.node));
                }
                Some(served) if argument(served) != argument(part) => {
                    wrong.push(format!("{kind}: {} instead of {}", argument(served), argument(part)));
                }
                Some(_) => {}
            }
        }
        let missing = values(wanted).into_iter().filter(|value| !values(own).contains(value));
        later.extend(missing.map(|value| format!("{kind}.{value}")));
    }
    (wrong, later)
}

#[test]
fn the_schema_matches_the_contract_except_unimplemented_parts() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/design/schema.graphql");
    let Ok(contract) = std::fs::read_to_string(file) else {
        eprintln!("SKIPPED: ../shared/design/schema.graphql is not here, so the contract is not checked");
        return;
    };
    let sdl = served();
    let (wrong, later) = differences(&parse_schema(contract).unwrap(), &parse_schema(&sdl).unwrap());
    assert!(wrong.is_empty(), "differs from the contract: {wrong:#?}");
    let left: BTreeSet<String> = include_str!("unimplemented.txt").lines().map(str::to_owned).collect();
    assert_eq!(later, left, "it is now:\n{}\n", later.iter().cloned().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_root_field_is_tagged_public_or_internal() {
    let sdl = served();
    let document = parse_schema(&sdl).unwrap();
    let mut wrong = Vec::new();
    for root in types(&document).into_iter().filter(|root| matches!(name(root), "Query" | "Mutation")) {
        for field in fields(root) {
            let tags = field.directives.iter().filter(|directive| directive.node.name.node == "tag");
            let names: Vec<_> = tags.map(|tag| tag.node.arguments[0].1.node.to_string()).collect();
            let own = field.name.node.starts_with('_');
            if !own && names != ["\"public\""] && names != ["\"internal\""] {
                wrong.push(format!("{}.{}: {names:?}", name(root), field.name.node));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
