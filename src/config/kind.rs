//! What the value of a key may be: how it is read, and beside it how a JSON Schema says it.
//!
//! A schema says less than reading finds out, and nothing that reading does not hold to: what is read fits the schema.

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::model::{Address, GroupPath, Language, UserType};
use crate::settings::{DisplayNameTemplate, Limit};

use super::mistake::Wrong;
use super::table::Value;
use super::value;

/// What a value may be.
#[derive(Clone, Copy)]
pub(super) struct Kind<R> {
    /// Reads it.
    pub read: R,
    /// The JSON Schema of it.
    pub schema: fn() -> Json,
}

/// How most values are read.
pub(super) type Read<T> = fn(&Value<'_, '_>) -> Result<T, Wrong>;

impl<R> Kind<R> {
    /// The same where what was read has to pass a check that only reading can make.
    pub fn checked<'a, 't: 'a, T>(
        self,
        check: impl FnOnce(T) -> Result<T, Wrong>,
    ) -> Kind<impl FnOnce(&Value<'a, 't>) -> Result<T, Wrong>>
    where
        R: FnOnce(&Value<'a, 't>) -> Result<T, Wrong>,
    {
        let Self { read, schema } = self;
        Kind {
            read: |value: &Value<'a, 't>| read(value).and_then(check),
            schema,
        }
    }
}

pub(super) const LOGFILE: Kind<Read<PathBuf>> = Kind {
    read: value::file,
    schema: || {
        let mut schema = text();
        schema["description"] = "The file that the log is appended to; unless the path is absolute, it begins in the folder where the program runs. Default: no log.".into();
        schema
    },
};

pub(super) const FILE: Kind<Read<PathBuf>> = Kind {
    read: value::file,
    schema: text,
};

pub(super) const NAME: Kind<Read<String>> = Kind {
    read: value::name,
    schema: text,
};

pub(super) const KEYCLOAK_GROUP: Kind<Read<GroupPath>> = Kind {
    read: value::keycloak_group,
    schema: text,
};

pub(super) const REALM: Kind<Read<String>> = Kind {
    read: value::realm,
    schema: text,
};

pub(super) const SWITCH: Kind<Read<bool>> = Kind {
    read: value::switch,
    schema: || json!({ "type": "boolean" }),
};

/// One of the words that an enum of unit variants is written as.
pub(super) const fn word<T: DeserializeOwned>() -> Kind<Read<T>> {
    Kind {
        read: value::word,
        schema: || json!({ "enum": value::words::<T>() }),
    }
}

pub(super) const USER_TYPE: Kind<Read<Option<UserType>>> = Kind {
    read: value::user_type,
    schema: || json!({ "enum": value::USER_TYPES }),
};

/// A number up to a largest, or `off`.
pub(super) const fn limit<const MOST: u32>() -> Kind<Read<Limit>> {
    Kind {
        read: value::limit::<MOST>,
        schema: || {
            json!({ "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": MOST },
                { "const": "off" },
            ] })
        },
    }
}

pub(super) const DISPLAY_NAME: Kind<Read<DisplayNameTemplate>> = Kind {
    read: value::display_name,
    schema: || json!({ "type": "string", "pattern": r"\{(first_name|last_name|username|email)\}" }),
};

pub(super) const PROTECTED_ACCOUNT: Kind<Read<String>> = Kind {
    read: value::protected_account,
    schema: || {
        const ID: &str = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
        const PART: &str = r#"[^@\s\u0000-\u001f\u007f"(),:;<>\[\\\]*]+"#;
        json!({ "type": "string", "pattern": format!("^({ID}|{PART}@{PART})$") })
    },
};

pub(super) const PUBLIC_DOMAIN: Kind<Read<String>> = Kind {
    read: value::public_domain,
    schema: || json!({ "type": "string", "pattern": r"\." }),
};

pub(super) const KEYCLOAK_URL: Kind<Read<String>> = Kind {
    read: value::keycloak_url,
    schema: url,
};

pub(super) const HOST_URL: Kind<Read<String>> = Kind {
    read: value::host_url,
    schema: url,
};

pub(super) const REDIRECT_URL: Kind<Read<String>> = Kind {
    read: value::redirect_url,
    schema: url,
};

pub(super) const MESSAGE: Kind<Read<String>> = Kind {
    read: value::message,
    schema: text,
};

pub(super) const LANGUAGE: Kind<Read<Language>> = Kind {
    read: value::language,
    schema: || json!({ "type": "string", "pattern": "^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?$" }),
};

/// The address of one mailbox.
pub(super) const MAILBOX: Kind<Read<Address>> = Kind {
    read: value::mailbox,
    schema: || json!({ "type": "string", "pattern": r"^[^@\s]+@[^@\s]+\.[^@\s]+$" }),
};

/// Numbers without quotes are read as names, as the original script did.
fn text() -> Json {
    json!({ "type": ["string", "integer"], "minLength": 1, "minimum": 0 })
}

fn url() -> Json {
    json!({ "type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://" })
}
