//! The query root, with null for unknown entities.

use std::borrow::Cow;

use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerResult, Value,
    parser::types::Field,
    registry::{MetaType, Registry},
    resolver_utils::resolve_container,
};

use crate::graphql::query::Query;

/// The query root. Returns null for an unknown or malformed representation, where the library would fail all
/// of them.
pub struct QueryRoot;

impl ContainerType for QueryRoot {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        Query.resolve_field(ctx).await
    }

    async fn find_entity(&self, ctx: &Context<'_>, reference: &Value) -> ServerResult<Option<Value>> {
        let found = match reference {
            Value::Object(parts) if matches!(parts.get("__typename"), Some(Value::String(_))) => {
                Query.find_entity(ctx, reference).await?
            }
            _ => None,
        };
        Ok(Some(found.unwrap_or(Value::Null)))
    }
}

impl OutputType for QueryRoot {
    fn type_name() -> Cow<'static, str> {
        Query::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let name = Query::create_type_info(registry);
        // The library's own description is about its implementation.
        if let Some(MetaType::Scalar { description, .. }) = registry.types.get_mut("DateTime") {
            *description = Some("A point in time in RFC 3339 format, for example `2026-03-02T04:00:00Z`.".to_owned());
        }
        name
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _field: &Positioned<Field>) -> ServerResult<Value> {
        resolve_container(ctx, self).await
    }
}

impl ObjectType for QueryRoot {}
