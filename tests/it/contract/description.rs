//! An API description in `OpenAPI` 3.0, and what of a request or an answer does not fit it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jsonschema::{Draft, Validator};
use reqwest::Url;
use serde_json::{Map, Value, json};

/// Headers that say nothing about the API.
const TRANSPORT_HEADERS: [&str; 8] = [
    "accept",
    "accept-encoding",
    "authorization",
    "client-request-id",
    "content-length",
    "content-type",
    "host",
    "user-agent",
];

/// Objects with properties that the description does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undescribed {
    /// Fit where the description does not say otherwise.
    Allowed,
    /// Never fit.
    Refused,
}

/// A description, ready to hold things against.
pub struct Description {
    operations: Vec<Operation>,
}

/// What can be asked for by one method at one path.
pub struct Operation {
    name: String,
    method: String,
    template: Vec<String>,
    parameters: Vec<Value>,
    body: Option<Content>,
    responses: Vec<(String, Vec<Content>)>,
    schemas: Arc<Schemas>,
}

/// What schemas refer to, and those that were needed so far, made ready.
struct Schemas {
    components: Value,
    ready: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// A body as it is described.
#[derive(Clone)]
struct Content {
    media_type: String,
    schema: Value,
}

/// A request without what its transport needs.
pub struct Asked<'a> {
    pub method: &'a str,
    /// The path below where the API begins.
    pub path: &'a str,
    pub query: &'a str,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    pub body: Option<Value>,
}

impl Description {
    pub fn new(mut document: Value, undescribed: Undescribed) -> Self {
        let known: BTreeSet<String> = document["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
            .map(|name| format!("#/components/schemas/{name}"))
            .collect();
        to_json_schema(&mut document["components"]["schemas"], undescribed, &known);
        to_json_schema(&mut document["paths"], undescribed, &known);
        to_json_schema(
            &mut document["components"]["responses"],
            undescribed,
            &known,
        );
        let schemas = Arc::new(Schemas {
            components: document["components"].clone(),
            ready: Mutex::default(),
        });
        let operations = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| operations_of(&document, &schemas, path, methods))
            .collect();
        Self { operations }
    }

    /// The operation that is asked for. What is spelled out goes before what a parameter stands for.
    pub fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        self.operations
            .iter()
            .filter(|operation| {
                operation.method.eq_ignore_ascii_case(method) && operation.is_at(path)
            })
            .min_by_key(|operation| {
                let is_parameter = |segment: &&String| segment.starts_with('{');
                operation.template.iter().filter(is_parameter).count()
            })
    }
}

impl Operation {
    /// `get /users/{user-id}`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What of a request it does not allow. `given` are options of the query that the service itself has put into
    /// a link.
    pub fn misfits_of_request(&self, asked: &Asked<'_>, given: &[&str]) -> Vec<String> {
        let mut misfits = Vec::new();
        let options = Url::parse(&format!("http://query/?{}", asked.query)).unwrap();
        let mut seen = BTreeSet::new();
        for (name, value) in options.query_pairs() {
            if !seen.insert(name.to_string()) {
                misfits.push(format!("{name} stands twice"));
            }
            match self.parameter("query", &name) {
                Some(parameter) => misfits.extend(misfits_of_option(parameter, &name, &value)),
                None if given.contains(&name.as_ref()) => {}
                None => misfits.push(format!("{name} is no option")),
            }
        }
        for (name, _) in &asked.headers {
            let is_known = TRANSPORT_HEADERS.contains(&name.as_str())
                || self.parameter("header", name).is_some();
            if !is_known {
                misfits.push(format!("{name} is no header"));
            }
        }
        let media_type = header(&asked.headers, "content-type");
        match (&self.body, &asked.body) {
            (None, None) => {}
            (None, Some(_)) => misfits.push("there is a body".to_owned()),
            (Some(_), None) => misfits.push("there is no body".to_owned()),
            (Some(content), Some(body)) => {
                if media_type.is_none_or(|media_type| !is_of(media_type, &content.media_type)) {
                    misfits.push(format!("the body is {media_type:?}"));
                }
                misfits.extend(self.schemas.misfits(&content.schema, body));
            }
        }
        misfits
    }

    /// What of an answer it does not give. `body` is `None` for an empty one.
    pub fn misfits_of_answer(
        &self,
        status: u16,
        media_type: Option<&str>,
        body: Option<&Value>,
    ) -> Vec<String> {
        let Some(contents) = self.contents_of(status) else {
            return vec![format!("{status} is not described")];
        };
        match (contents, body) {
            ([], None) => Vec::new(),
            ([], Some(body)) => vec![format!("there is a body: {body}")],
            (_, None) => vec!["there is no body".to_owned()],
            (contents, Some(body)) => {
                let content = contents.iter().find(|content| {
                    media_type.is_some_and(|given| is_of(given, &content.media_type))
                });
                match content {
                    Some(content) => self.schemas.misfits(&content.schema, body),
                    None => vec![format!("the body is {media_type:?}")],
                }
            }
        }
    }

    fn is_at(&self, path: &str) -> bool {
        let segments: Vec<&str> = path.split('/').collect();
        let takes_the_rest = self.template.last().is_some_and(|last| last == "{path}");
        let fits_in_length = if takes_the_rest {
            segments.len() >= self.template.len()
        } else {
            segments.len() == self.template.len()
        };
        fits_in_length
            && self.template.iter().zip(segments).all(|(expected, own)| {
                (expected.starts_with('{') && !own.is_empty()) || expected == own
            })
    }

    fn parameter(&self, place: &str, name: &str) -> Option<&Value> {
        self.parameters.iter().find(|parameter| {
            let own = parameter["name"].as_str().unwrap();
            parameter["in"] == place
                && (own == name || (place == "header" && own.eq_ignore_ascii_case(name)))
        })
    }

    /// What is described for a status: for itself, or for all of its class.
    fn contents_of(&self, status: u16) -> Option<&[Content]> {
        let of = |wanted: &str| {
            let found = self.responses.iter().find(|(own, _)| own == wanted);
            found.map(|(_, contents)| contents.as_slice())
        };
        of(&status.to_string()).or_else(|| of(&format!("{}XX", status / 100)))
    }
}

impl Schemas {
    fn misfits(&self, schema: &Value, value: &Value) -> Vec<String> {
        self.ready(schema)
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    fn ready(&self, schema: &Value) -> Arc<Validator> {
        let mut ready = self.ready.lock().unwrap();
        let validator = ready.entry(schema.to_string()).or_insert_with(|| {
            let whole = json!({"components": self.components, "allOf": [schema]});
            let options = jsonschema::options().with_draft(Draft::Draft202012);
            Arc::new(options.build(&whole).unwrap())
        });
        Arc::clone(validator)
    }
}

fn operations_of(
    document: &Value,
    schemas: &Arc<Schemas>,
    path: &str,
    methods: &Value,
) -> Vec<Operation> {
    let of_all = methods["parameters"].as_array();
    methods
        .as_object()
        .unwrap()
        .iter()
        .filter(|(method, _)| *method != "parameters")
        .map(|(method, described)| {
            let own = described["parameters"].as_array();
            Operation {
                name: format!("{method} {path}"),
                method: method.clone(),
                template: path.split('/').map(str::to_owned).collect(),
                parameters: of_all
                    .into_iter()
                    .chain(own)
                    .flatten()
                    .map(|parameter| resolved(document, parameter).clone())
                    .collect(),
                body: contents_in(resolved(document, &described["requestBody"])).pop(),
                responses: described["responses"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(status, response)| {
                        (status.clone(), contents_in(resolved(document, response)))
                    })
                    .collect(),
                schemas: Arc::clone(schemas),
            }
        })
        .collect()
}

fn contents_in(described: &Value) -> Vec<Content> {
    described["content"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(media_type, content)| Content {
            media_type: media_type.clone(),
            schema: content["schema"].clone(),
        })
        .collect()
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn misfits_of_option(parameter: &Value, name: &str, value: &str) -> Vec<String> {
    let schema = &parameter["schema"];
    let misfit = |wanted: &str| vec![format!("{name} is `{value}` and no {wanted}")];
    match schema["type"].as_str() {
        Some("boolean") if !["true", "false"].contains(&value) => misfit("boolean"),
        Some("integer") => {
            let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
            match value.parse::<i64>() {
                Ok(number) if number >= least => Vec::new(),
                _ => misfit("number that is allowed"),
            }
        }
        Some("array") => match schema["items"]["enum"].as_array() {
            Some(allowed) => value
                .split(',')
                .filter(|part| !allowed.contains(&json!(part)))
                .map(|part| format!("{name} of {part}"))
                .collect(),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Writes out what `OpenAPI` 3.0 says in another way than JSON Schema: `nullable`. References to what the slice at hand does not
/// hold allow anything.
fn to_json_schema(schema: &mut Value, undescribed: Undescribed, known: &BTreeSet<String>) {
    match schema {
        Value::Array(all) => {
            for one in all {
                to_json_schema(one, undescribed, known);
            }
        }
        Value::Object(object) => {
            for one in object.values_mut() {
                to_json_schema(one, undescribed, known);
            }
            let is_dangling = |reference: &Value| {
                let reference = reference.as_str().unwrap_or_default();
                reference.starts_with("#/components/schemas/") && !known.contains(reference)
            };
            if object.get("$ref").is_some_and(is_dangling) {
                object.clear();
                return;
            }
            if object.remove("nullable") == Some(json!(true)) {
                allow_null(object);
            }
            if undescribed == Undescribed::Refused
                && object.get("type") == Some(&json!("object"))
                && object.contains_key("properties")
                && !object.contains_key("additionalProperties")
            {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        _ => {}
    }
}

fn allow_null(object: &mut Map<String, Value>) {
    if let Some(kind) = object.get_mut("type") {
        *kind = json!([kind, "null"]);
    }
    if let Some(Value::Array(allowed)) = object.get_mut("enum") {
        allowed.push(Value::Null);
    }
}

fn is_of(given: &str, described: &str) -> bool {
    let essence = given.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(described)
}

pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}
