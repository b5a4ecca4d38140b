//! What a single value of the configuration may be: text, addresses of services, domains, words, numbers.

use std::net::IpAddr;
use std::path::PathBuf;

use reqwest::Url;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::http;
use crate::model::{Address, GroupPath, Language, ObjectId, UserType, fold};
use crate::render::escape;
use crate::settings::{DisplayNameTemplate, Limit};

use super::characters::{self, IN_LANGUAGES};
use super::mistake::{Wrong, suggest};
use super::table::{Value, describe};
use super::yaml::Node;

/// The longest text that a mail is given. Microsoft names no limit; a plan holds the text once for each invitation.
const LONGEST_MESSAGE: usize = 2_000;

/// Where `{tenant_id}` stands in a redirect URL.
const TENANT_PLACEHOLDER: &str = "{tenant_id}";

/// Text that is not blank. Spaces around it are kept, because a group may be called so.
pub(super) fn name(value: &Value<'_, '_>) -> Result<String, Wrong> {
    let text = match value.node {
        Node::Text(text) => text.to_string(),
        // The original script's users wrote `azure: 2024` without quotes, and nothing else can be meant by it.
        Node::Natural(number) if value.is_written(*number) => number.to_string(),
        Node::Natural(number) => return Err(read_as_number(&number.to_string())),
        Node::OtherNumber(number) => return Err(read_as_number(number)),
        Node::Switch(_) => {
            return Err(Wrong::value(
                "is read as true or false, not as text; put it in quotes",
            ));
        }
        other => {
            return Err(Wrong::value(format!(
                "must be text, not {}",
                describe(other)
            )));
        }
    };
    if text.trim().is_empty() {
        return Err(Wrong::hidden("must not be empty"));
    }
    if text.chars().any(char::is_control) {
        return Err(Wrong::value("must be one line without control characters"));
    }
    let is_shown_otherwise =
        |character: &char| escape::is_hidden(*character) && value.is_in_file(*character);
    if let Some(character) = text.chars().find(is_shown_otherwise) {
        return Err(Wrong::value(format!(
            "holds U+{:04X}, which shows nothing or changes how others are shown; leave it out, or write it in double quotes as `{}`",
            u32::from(character),
            characters::as_escape(character)
        )));
    }
    Ok(text)
}

fn read_as_number(number: &str) -> Wrong {
    // What was written may look different (`0x1F`, `1.50`), so it is not repeated.
    Wrong::hidden(format!(
        "is read as the number {number}, not as text; put it in quotes"
    ))
}

/// Text without spaces around it.
pub(super) fn text(value: &Value<'_, '_>) -> Result<String, Wrong> {
    let text = name(value)?;
    if text.trim() == text {
        Ok(text)
    } else {
        Err(Wrong::hidden("must not begin or end with a space"))
    }
}

/// The path of a file.
pub(super) fn file(value: &Value<'_, '_>) -> Result<PathBuf, Wrong> {
    text(value).map(PathBuf::from)
}

/// A group in Keycloak: its name at the top level, or its path.
pub(super) fn keycloak_group(value: &Value<'_, '_>) -> Result<GroupPath, Wrong> {
    name(value)?.parse().map_err(|_| {
        Wrong::value(
            "is not a group: write its name, or its path with single slashes between the names, none of them `.` or `..`",
        )
    })
}

/// The name of a realm.
pub(super) fn realm(value: &Value<'_, '_>) -> Result<String, Wrong> {
    let realm = text(value)?;
    if realm.contains('/') || realm == "." || realm == ".." {
        Err(Wrong::value(
            "is not the name of a realm: write it as in `…/realms/NAME`",
        ))
    } else {
        Ok(realm)
    }
}

/// `true` or `false`.
pub(super) fn switch(value: &Value<'_, '_>) -> Result<bool, Wrong> {
    let hint = match value.node {
        Node::Switch(on) => return Ok(*on),
        // YAML 1.1, which the original script was read with, took these for true and false.
        Node::Text(text) => match text.to_lowercase().as_str() {
            "yes" | "y" | "on" => " (did you mean true?)",
            "no" | "n" | "off" => " (did you mean false?)",
            "true" | "false" => ", in small letters and without quotes",
            _ => "",
        },
        _ => "",
    };
    Err(Wrong::value(format!("must be true or false{hint}")))
}

/// A number up to a largest, or `off`.
pub(super) fn limit<const MOST: u32>(value: &Value<'_, '_>) -> Result<Limit, Wrong> {
    let allowed = if MOST == u32::MAX {
        "must be a whole number from 0 on, or off".to_owned()
    } else {
        format!("must be a whole number from 0 to {MOST}, or off")
    };
    match value.node {
        Node::Natural(number) => u32::try_from(*number)
            .ok()
            .filter(|number| *number <= MOST)
            .map(Limit::AtMost)
            .ok_or(Wrong::value(allowed)),
        Node::Text(text) if text == "off" => Ok(Limit::Off),
        Node::Text(text) if text.parse::<u32>().is_ok() => {
            Err(Wrong::value(format!("{allowed}; write it without quotes")))
        }
        Node::Text(text) if text.ends_with('%') => {
            Err(Wrong::value(format!("{allowed}; write it without %")))
        }
        _ => Err(Wrong::value(allowed)),
    }
}

/// One of the words that an enum of unit variants is written as.
pub(super) fn word<T: DeserializeOwned>(value: &Value<'_, '_>) -> Result<T, Wrong> {
    let written = match value.node {
        Node::Text(text) => text.as_ref(),
        // Only so that the message lists the words.
        _ => "",
    };
    parse_word(written).map_err(|NotOneOf(words)| not_one_of(written, words))
}

/// The words that an enum of unit variants is written as.
pub(super) fn words<T: DeserializeOwned>() -> &'static [&'static str] {
    match parse_word::<T>("") {
        Ok(_) => &[],
        Err(NotOneOf(words)) => words,
    }
}

fn parse_word<T: DeserializeOwned>(written: &str) -> Result<T, NotOneOf> {
    let deserializer: StrDeserializer<'_, NotOneOf> = written.into_deserializer();
    T::deserialize(deserializer)
}

/// The words for user types.
pub(super) const USER_TYPES: [&str; 3] = ["Member", "Guest", "keep"];

/// `Member`, `Guest`, or `keep`, which is none.
pub(super) fn user_type(value: &Value<'_, '_>) -> Result<Option<UserType>, Wrong> {
    match value.node {
        Node::Text(text) if text == "Member" => Ok(Some(UserType::Member)),
        Node::Text(text) if text == "Guest" => Ok(Some(UserType::Guest)),
        Node::Text(text) if text == "keep" => Ok(None),
        Node::Text(text) => Err(not_one_of(text, &USER_TYPES)),
        _ => Err(not_one_of("", &USER_TYPES)),
    }
}

fn not_one_of(written: &str, words: &[&str]) -> Wrong {
    let hint = suggest(written, words.iter().copied())
        .map(|word| format!(" (did you mean {word}?)"))
        .unwrap_or_default();
    Wrong::value(format!("is not one of {}{hint}", words.join(", ")))
}

/// Says which words an enum knows.
#[derive(Debug)]
struct NotOneOf(&'static [&'static str]);

impl serde::de::Error for NotOneOf {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, words: &'static [&'static str]) -> Self {
        Self(words)
    }
}

impl std::fmt::Display for NotOneOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not one of {}", self.0.join(", "))
    }
}

impl std::error::Error for NotOneOf {}

/// A template of display names.
pub(super) fn display_name(value: &Value<'_, '_>) -> Result<DisplayNameTemplate, Wrong> {
    DisplayNameTemplate::parse(&text(value)?)
        .map_err(|reason| Wrong::hidden(format!("cannot be used: {reason}")))
}

/// An account that is never touched: an object id, an address or a user principal name, case folded. What could be none of them is
/// refused, because it would protect nobody and nobody would notice.
pub(super) fn protected_account(value: &Value<'_, '_>) -> Result<String, Wrong> {
    let account = fold(&text(value)?);
    let hint = if account.contains('*') {
        "; there are no wildcards, write each account"
    } else if account.parse::<ObjectId>().is_ok()
        || account.parse().is_ok_and(|it| may_be_in_entra(&it))
    {
        return Ok(account);
    } else {
        ""
    };
    Err(Wrong::value(format!(
        "is not an account: write its object id, its address or its user principal name{hint}"
    )))
}

/// A domain of e-mail addresses in Entra, case folded.
pub(super) fn public_domain(value: &Value<'_, '_>) -> Result<String, Wrong> {
    let domain = domain(value)?;
    if domain.contains('.') {
        Ok(domain)
    } else {
        Err(Wrong::value("is not a domain as in `partner.example`"))
    }
}

/// A domain of e-mail addresses in Keycloak, which may be one of an internal network, case folded.
pub(super) fn domain(value: &Value<'_, '_>) -> Result<String, Wrong> {
    let written = text(value)?;
    let folded = fold(&written);
    if is_domain(&folded) {
        return Ok(folded);
    }
    let hint = if written.contains('@') {
        "; write only what stands behind the @"
    } else if written.contains('*') {
        "; there are no wildcards, write each domain"
    } else {
        ""
    };
    Err(Wrong::value(format!(
        "is not a domain as in `partner.example`{hint}"
    )))
}

/// Whether a text has the form of a domain name, which an IP address has not.
pub(super) fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|character| character.is_alphanumeric() || matches!(character, '-' | '_'))
    };
    let last = text.rsplit('.').next().unwrap_or(text);
    text.len() <= 253
        && text.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// The address of Keycloak, without slashes at its end.
pub(super) fn keycloak_url(value: &Value<'_, '_>) -> Result<String, Wrong> {
    let url = service_url(&text(value)?)?;
    if url.contains("/realms/") {
        Err(Wrong::value(
            "must be the address of Keycloak without a realm: leave out `/realms/` and what follows",
        ))
    } else {
        Ok(url)
    }
}

/// The address of a host of Microsoft, without a slash at its end.
pub(super) fn host_url(value: &Value<'_, '_>) -> Result<String, Wrong> {
    bare_host_url(&text(value)?)
}

/// Parses the address of a service that has no path.
pub(super) fn bare_host_url(text: &str) -> Result<String, Wrong> {
    let url = service_url(text)?;
    match url.split_once("://") {
        Some((_, host)) if !host.contains('/') => Ok(url),
        _ => Err(Wrong::value(
            "must end after the host; the path is added to it",
        )),
    }
}

/// Parses the address of a service: where secrets are sent to, so never unencrypted over a network.
fn service_url(text: &str) -> Result<String, Wrong> {
    let url = parse_url(text)?;
    if text.contains(['?', '#']) {
        return Err(Wrong::hidden(
            "must not have a query (`?`) or a fragment (`#`)",
        ));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Where people land after accepting an invitation; `{tenant_id}` stands for the tenant.
pub(super) fn redirect_url(value: &Value<'_, '_>) -> Result<String, Wrong> {
    let written = text(value)?;
    let without_placeholder = written.replace(TENANT_PLACEHOLDER, "tenant-id");
    if without_placeholder.contains(['{', '}']) {
        return Err(Wrong::value(
            "may hold `{tenant_id}` and no other placeholder",
        ));
    }
    parse_url(&without_placeholder)?;
    Ok(written)
}

/// Plain text of one or more lines, without blank ones around it. What shows nothing is refused, but for what languages and emoji
/// are written with.
pub(super) fn message(value: &Value<'_, '_>) -> Result<String, Wrong> {
    let Node::Text(text) = value.node else {
        return name(value);
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(Wrong::hidden("must not be empty"));
    }
    for (line, number) in text.split('\n').zip(1..) {
        let is_refused =
            |character: &char| escape::is_hidden(*character) && !IN_LANGUAGES.contains(character);
        if let Some(character) = line.chars().find(is_refused) {
            return Err(Wrong::hidden(format!(
                "holds U+{:04X} on its line {number}, a character that shows nothing or changes how others are shown",
                u32::from(character)
            )));
        }
    }
    let length = text.chars().count();
    if length > LONGEST_MESSAGE {
        return Err(Wrong::hidden(format!(
            "has {length} characters; write at most {LONGEST_MESSAGE}"
        )));
    }
    Ok(text.to_owned())
}

/// The tag of a language.
pub(super) fn language(value: &Value<'_, '_>) -> Result<Language, Wrong> {
    text(value)?.parse().map_err(|_| {
        Wrong::value(
            "is not a language: write its ISO 639 code, with or without a region, as in en-US",
        )
    })
}

/// The address of one mailbox.
pub(super) fn mailbox(value: &Value<'_, '_>) -> Result<Address, Wrong> {
    if matches!(value.node, Node::List(_)) {
        return Err(Wrong::value("must be one address; Microsoft takes no more"));
    }
    let address: Option<Address> = text(value)?.parse().ok();
    address
        .filter(|address| may_be_in_entra(address) && address.domain().contains('.'))
        .ok_or_else(|| Wrong::value("is not an address: write one, as in `people@partner.example`"))
}

/// Whether an address is made of what Entra lets addresses and user principal names be made of.
fn may_be_in_entra(address: &Address) -> bool {
    const IN_NONE: &str = "@\"(),:;<>[\\]";
    is_domain(address.domain())
        && address.local_part().chars().all(|character| {
            !character.is_whitespace()
                && !escape::is_hidden(character)
                && !IN_NONE.contains(character)
        })
}

/// Parses an address that a secret is sent to, query and all.
pub(super) fn encrypted_url(text: &str) -> Result<Url, String> {
    parse_url(text).map_err(|wrong| wrong.predicate)
}

/// Parses the address of a service of the machine itself. Only these are asked without encryption and without a proxy.
pub(super) fn machine_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url)
            if url.scheme() == "http"
                && url.username().is_empty()
                && url.password().is_none()
                && is_near(&url) =>
        {
            Ok(url)
        }
        _ => Err(
            "must be the http:// address of a service of this machine: loopback, link-local or private"
                .to_owned(),
        ),
    }
}

/// Whether an address leads to this machine or its own network, whatever a name server says.
fn is_near(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    http::is_loopback(url)
        || match address.parse() {
            Ok(IpAddr::V4(ip)) => ip.is_link_local() || ip.is_private(),
            Ok(IpAddr::V6(ip)) => ip.is_unicast_link_local() || ip.is_unique_local(),
            Err(_) => false,
        }
}

fn parse_url(text: &str) -> Result<Url, Wrong> {
    const ALLOWED: &str =
        "must begin with https:// and a host, or with http:// and a loopback address";
    let lower = text.to_ascii_lowercase();
    let begins_well = ["https://", "http://"]
        .iter()
        .any(|scheme| lower.starts_with(scheme));
    // A password can stand before an `@`, and a token in a query: such text is not repeated.
    let wrong = |predicate: &str| {
        if text.contains(['@', '?', '#']) {
            Wrong::hidden(predicate)
        } else {
            Wrong::value(predicate)
        }
    };
    if !begins_well {
        return Err(wrong(ALLOWED));
    }
    if text.contains(|character: char| character.is_whitespace() || character == '\\') {
        return Err(wrong("must not have spaces or backslashes"));
    }
    let url = Url::parse(text).map_err(|error| wrong(&format!("is not a URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::hidden(
            "must not hold a user name or password; they come from the environment",
        ));
    }
    if url.scheme() == "http" && !http::is_loopback(&url) {
        return Err(wrong(
            "must begin with https://: http:// is for loopback addresses only (localhost, 127.0.0.1, [::1])",
        ));
    }
    Ok(url)
}
