//! `/directoryObjects`: objects of any kind by their ids.

use serde_json::{Value, json};

use super::Graph;
use super::call::{Call, Reply};
use super::groups::require_guid;
use super::properties::{Object, READ_GROUPS, READ_USERS, Resource, Selection};
use super::refusal::{
    Refusal, bad_request, directory_bad_request, insufficient_privileges, no_such_object,
};
use super::replication::View;

/// The most ids in one request.
const MOST_IDS: usize = 1_000;

fn require_read(call: &Call) -> Result<(), Refusal> {
    if call.may(READ_USERS) || call.may(READ_GROUPS) || call.may(&["User.ReadBasic.All"]) {
        Ok(())
    } else {
        Err(insufficient_privileges())
    }
}

impl Graph {
    pub(super) fn get_objects_by_ids(&self, call: &Call) -> Result<Reply, Refusal> {
        require_read(call)?;
        let selection = Selection::of(call, Resource::Any)?;
        let body = call.object()?;
        let ids = texts(body.get("ids"))
            .ok_or_else(|| bad_request("The property 'ids' has to be a list of object ids."))?;
        let types = match body.get("types") {
            None | Some(Value::Null) => None,
            types => Some(texts(types).ok_or_else(|| {
                bad_request("The property 'types' has to be a list of names of types.")
            })?),
        };
        if ids.len() > MOST_IDS {
            return Err(directory_bad_request(format!(
                "Too many identifiers were given: {}. At most {MOST_IDS} are allowed.",
                ids.len()
            )));
        }
        ids.iter().try_for_each(|id| require_guid(id))?;
        let value: Vec<Value> = ids
            .iter()
            .filter_map(|id| Object::find(&self.world, id))
            .filter(|object| self.has_arrived(object.id(), View::Object, call.now))
            .filter(|object| {
                let name = object.odata_type().trim_start_matches("#microsoft.graph.");
                types.as_ref().is_none_or(|types| {
                    types
                        .iter()
                        .any(|kind| *kind == name || *kind == "directoryObject")
                })
            })
            .map(|object| Value::Object(object.render_typed(call, selection.as_ref())))
            .collect();
        let context = Selection::in_context(selection.as_ref());
        Ok(Reply::json(json!({
            "@odata.context": format!("{}/v1.0/$metadata#directoryObjects{context}", self.base_url),
            "value": value,
        })))
    }

    pub(super) fn get_object(&self, call: &Call, id: &str) -> Result<Reply, Refusal> {
        require_read(call)?;
        require_guid(id)?;
        let selection = Selection::of(call, Resource::Any)?;
        let object = Object::find(&self.world, id)
            .filter(|object| self.has_arrived(object.id(), View::Object, call.now))
            .ok_or_else(|| no_such_object(id))?;
        let mut body = object.render_typed(call, selection.as_ref());
        body.insert(
            "@odata.context".to_owned(),
            json!(format!(
                "{}/v1.0/$metadata#directoryObjects/$entity",
                self.base_url
            )),
        );
        Ok(Reply::json(Value::Object(body)))
    }
}

fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    value?.as_array()?.iter().map(Value::as_str).collect()
}
