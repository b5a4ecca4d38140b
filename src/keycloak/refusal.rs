//! What Keycloak said instead of an answer, turned into sentences that say what to do.
//!
//! Pure: it looks at statuses and bodies and asks nobody. A status alone says little (a wrong password is 401 or 400,
//! depending on the version), so `error` and `error_description` decide.

use std::fmt;

use serde::Deserialize;

use super::account::SyncAccount;
use crate::http::Answer;

/// The most characters of a remote text that go into a message.
const LONGEST_QUOTE: usize = 200;

/// What 24 and 25 add to every error; it says nothing.
const BOILERPLATE: &str = "For more on this error consult the server log at the debug level.";

/// Why Keycloak cannot be used, in words.
///
/// It prints as the message, then, on a line of its own, the hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What happened, on one line, starting in lower case.
    pub message: String,
    /// What to do about it, on one line.
    pub hint: Option<String>,
}

impl Refusal {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: on_one_line(message),
            hint: Some(on_one_line(hint)),
        }
    }

    pub(super) fn without_hint(message: impl Into<String>) -> Self {
        Self {
            message: on_one_line(message),
            hint: None,
        }
    }
}

/// Whatever a remote text in it holds, it is printed as one line.
fn on_one_line(text: impl Into<String>) -> String {
    text.into().replace(['\n', '\r'], " ")
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n{hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// The body of an error, if it is one of the shapes that Keycloak writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ErrorBody {
    /// `error`, or `errorMessage`.
    pub error: String,
    /// `error_description`.
    pub description: String,
}

impl ErrorBody {
    /// Reads the body; `None` if it is not a JSON object with an error in it: HTML of a proxy, or nothing.
    pub fn read(answer: &Answer) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire {
            error: Option<String>,
            error_message: Option<String>,
            #[serde(rename = "error_description")]
            description: Option<String>,
        }
        let read = |bytes: &[u8]| serde_json::from_slice::<Wire>(bytes).ok();
        let wire = read(&answer.body).or_else(|| read(behind_a_list(&answer.body)?))?;
        Some(Self {
            error: wire.error.or(wire.error_message)?,
            description: wire
                .description
                .filter(|text| text != BOILERPLATE)
                .unwrap_or_default(),
        })
    }

    /// Whether the server has no such resource at all, as opposed to the resource not knowing the object.
    pub fn is_unknown_resource(&self) -> bool {
        // RESTEasy Classic (<= 22) and Reactive (>= 23).
        self.error.starts_with("RESTEASY003210")
            || self.error == "Unable to find matching target resource method"
    }

    /// The error as one short line.
    pub fn shown(&self) -> String {
        one_line(if self.description.is_empty() {
            &self.error
        } else {
            &self.description
        })
    }
}

/// The error that 21 puts behind a list which it had begun to send, as in `[]{"error":"unknown_error"}`.
fn behind_a_list(body: &[u8]) -> Option<&[u8]> {
    let start = br#"{"error""#;
    let at = body
        .windows(start.len())
        .rposition(|window| window == start)?;
    body.starts_with(b"[").then(|| &body[at..])
}

/// An answer that was not wanted, as one short line: the status, and what its body says or is.
pub(super) fn shown_answer(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    match ErrorBody::read(answer) {
        Some(body) => format!("{status}: {}", body.shown()),
        None => format!("{status} with {}", shown_body_kind(answer)),
    }
}

/// What a body is that nobody can read.
pub(super) fn shown_body_kind(answer: &Answer) -> &'static str {
    let text = String::from_utf8_lossy(answer.body.get(..200).unwrap_or(&answer.body));
    let is_html = answer
        .header("content-type")
        .is_some_and(|kind| kind.contains("html"))
        || text.trim_start().starts_with('<');
    if is_html {
        "an HTML page"
    } else if answer.body.is_empty() {
        "an empty body"
    } else {
        "a body that is not Keycloak's"
    }
}

/// Returns a remote text on one line, without control characters, and shortened.
pub(super) fn one_line(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= LONGEST_QUOTE {
        words
    } else {
        words
            .chars()
            .take(LONGEST_QUOTE - 1)
            .chain(std::iter::once('…'))
            .collect()
    }
}

/// Explains why the token endpoint gave no token.
pub(super) fn explain_login(answer: &Answer, account: &SyncAccount, base: &str) -> Refusal {
    let who = account.who();
    let realm = &account.auth_realm;
    let status = answer.status.as_u16();
    if answer.status.is_redirection() {
        return explain_redirect(answer, base);
    }
    let Some(body) = ErrorBody::read(answer) else {
        return Refusal::new(
            format!(
                "the login of {who} at {base} was answered {}",
                shown_answer(answer)
            ),
            "No Keycloak answers there, or a proxy in front of it does not let /realms/ through.",
        );
    };
    if status >= 500 {
        return Refusal::new(
            format!(
                "Keycloak could not answer the login of {who}: {}",
                shown_answer(answer)
            ),
            "Keycloak's own log says why.",
        );
    }
    let refused = format!(
        "Keycloak refused the login of {who} in realm {realm}: {}",
        body.shown()
    );
    let (error, description) = (body.error.as_str(), body.description.as_str());
    let says = |text: &str| description.contains(text);
    let hint = match error {
        "Realm does not exist" => {
            return Refusal::new(
                format!("realm {realm} does not exist at {base}"),
                "Check keycloak_auth_realm (or keycloak_realm); upper and lower case differ.",
            );
        }
        "invalid_grant" if says("Account disabled") => format!("Enable {who} in realm {realm}."),
        "invalid_grant" if says("not fully set up") => format!(
            "{who} needs an e-mail address, a first and a last name, a password that is not temporary, and no required \
             actions."
        ),
        "invalid_grant" if says("prohibited") => "A client policy of the realm forbids logins by password: use a service \
             account (KEYCLOAK_CLIENT_ID, KEYCLOAK_CLIENT_SECRET)."
            .to_owned(),
        "invalid_grant" => "A wrong password, an unknown or locked account and one that needs a one-time code look the same. It is \
             not tried again, so as not to lock the account."
            .to_owned(),
        "invalid_client" if says("consent") => "Switch off \"Consent required\" of the client admin-cli, or use a service account \
             (KEYCLOAK_CLIENT_ID, KEYCLOAK_CLIENT_SECRET)."
            .to_owned(),
        _ if says("direct access grants") => "Switch on \"Direct access grants\" of the client admin-cli, or use a service account \
             (KEYCLOAK_CLIENT_ID, KEYCLOAK_CLIENT_SECRET)."
            .to_owned(),
        _ if says("retrieve service account") => format!(
            "{} must have \"Client authentication\" and \"Service accounts roles\" switched on.",
            account.client()
        ),
        "invalid_client" => unknown_client(account),
        // <= 19 says this of an unknown client, with 400; from 20 on the text of a wrong secret has one word more.
        "unauthorized_client" if description == "Invalid client credentials" => unknown_client(account),
        "unauthorized_client" => format!(
            "Check KEYCLOAK_CLIENT_SECRET. {} must be confidential (\"Client authentication\" on) and have \"Service \
             accounts roles\" switched on.",
            account.client()
        ),
        "invalid_request" if says("HTTPS required") => {
            "The realm accepts logins over https only: set keycloak_url to https://….".to_owned()
        }
        "invalid_request" if says("disabled") => {
            format!("Enable the user of the {who} in realm {realm}.")
        }
        "access_denied" if says("Realm not enabled") => format!("Enable realm {realm} in the admin console."),
        "unsupported_grant_type" => "This Keycloak does not offer this kind of login.".to_owned(),
        _ if status == 405 => {
            "The request may have been redirected on its way: set keycloak_url to the address it ends at.".to_owned()
        }
        _ => return Refusal::without_hint(format!("{refused} ({status}, {})", one_line(error))),
    };
    Refusal::new(refused, hint)
}

fn unknown_client(account: &SyncAccount) -> String {
    format!(
        "{} does not exist in realm {} or is disabled.",
        account.client(),
        account.auth_realm
    )
}

/// Explains a redirect, which is never followed: it would carry the password or the token to wherever it points.
pub(super) fn explain_redirect(answer: &Answer, base: &str) -> Refusal {
    match answer.header("location").map(one_line) {
        Some(location) => Refusal::new(
            format!("{base} redirects to {location}"),
            "Set keycloak_url to the address that it ends at (https://…); redirects are not followed.",
        ),
        None => Refusal::without_hint(format!(
            "{base} redirects ({}) without saying where to",
            answer.status.as_u16()
        )),
    }
}

/// Explains an answer of a server, proxy or Keycloak without an admin API at an admin address.
pub(super) fn explain_not_exposed(answer: &Answer, base: &str) -> Refusal {
    Refusal::new(
        format!(
            "the Admin REST API is not exposed at {base}/admin/ ({})",
            shown_answer(answer)
        ),
        "The login works, so Keycloak is there: a proxy in front of it keeps /admin/ closed. Set keycloak_url to an address \
         that lets it through.",
    )
}

/// Explains a token that is refused although it is new.
pub(super) fn explain_unaccepted_token(
    answer: &Answer,
    account: &SyncAccount,
    base: &str,
) -> Refusal {
    Refusal::new(
        format!(
            "Keycloak issues tokens to {} and does not accept them at {base}/admin/ ({})",
            account.who(),
            shown_answer(answer)
        ),
        "Either the address has another host name inside than outside (hostname settings, proxy headers), the clocks of its \
         nodes differ, or somebody signs the account out all the time.",
    )
}

/// Explains an error of Keycloak's own. Where people were asked about, it is as a rule not Keycloak that is out of order: an LDAP that does
/// not answer is 400 or 500, and the words are about something else ("Cannot parse the JSON").
pub(super) fn explain_failure(answer: &Answer, is_about_people: bool) -> Refusal {
    let message = format!("Keycloak answered {}", shown_answer(answer));
    let status = answer.status.as_u16();
    if is_about_people && (status == 400 || status >= 500) {
        Refusal::new(
            message,
            "If people come from a user federation (LDAP), it may be out of order: test its connection in the admin console (User \
             federation). Keycloak's own log says why.",
        )
    } else {
        Refusal::without_hint(message)
    }
}

/// Explains a 403 of Keycloak itself.
pub(super) fn explain_missing_role(account: &SyncAccount, role: &str, what: &str) -> Refusal {
    let message = format!(
        "the account {} may not {what} in realm {} (403)",
        account.who(),
        account.realm
    );
    match (account.grant_command(role), account.role_client()) {
        (Some(command), Some(client)) => Refusal::new(
            message,
            format!("It needs the role {role} of the client {client}: {command}"),
        ),
        _ => Refusal::new(
            message,
            format!(
                "The rights of an account of realm {} end there: use an account of realm {}, or of master.",
                account.auth_realm, account.realm
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::keycloak::account::AccountKind;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            attempts: 1,
            after_unknown: false,
            took: std::time::Duration::ZERO,
        }
    }

    fn account(kind: AccountKind) -> SyncAccount {
        SyncAccount {
            kind,
            auth_realm: "acme".to_owned(),
            realm: "acme".to_owned(),
        }
    }

    fn person() -> SyncAccount {
        account(AccountKind::User("azure-sync".to_owned()))
    }

    fn client() -> SyncAccount {
        account(AccountKind::Client("sync".to_owned()))
    }

    #[test]
    fn every_refusal_of_a_login_becomes_a_sentence_that_says_what_to_do() {
        let oauth = |error: &str, description: &str| {
            format!(r#"{{"error":"{error}","error_description":"{description}"}}"#)
        };
        let rows = [
            (
                person(),
                401,
                oauth("invalid_grant", "Invalid user credentials"),
            ),
            (
                person(),
                400,
                oauth("invalid_grant", "Invalid user credentials"),
            ),
            (person(), 400, oauth("invalid_grant", "Account disabled")),
            (
                person(),
                400,
                oauth("invalid_grant", "Account is not fully set up"),
            ),
            (
                person(),
                400,
                oauth(
                    "invalid_grant",
                    "resource owner password credentials grant is prohibited.",
                ),
            ),
            (
                person(),
                400,
                oauth(
                    "unauthorized_client",
                    "Client not allowed for direct access grants",
                ),
            ),
            (
                person(),
                400,
                oauth("invalid_client", "Client requires user consent"),
            ),
            (
                client(),
                400,
                oauth("unauthorized_client", "Invalid client credentials"),
            ),
            (
                client(),
                401,
                oauth(
                    "invalid_client",
                    "Invalid client or Invalid client credentials",
                ),
            ),
            (
                client(),
                401,
                oauth("unauthorized_client", "Invalid client secret"),
            ),
            (
                client(),
                401,
                oauth(
                    "unauthorized_client",
                    "Invalid client or Invalid client credentials",
                ),
            ),
            (
                client(),
                401,
                oauth(
                    "unauthorized_client",
                    "Client secret not provided in request",
                ),
            ),
            (
                client(),
                401,
                oauth(
                    "unauthorized_client",
                    "Client not enabled to retrieve service account",
                ),
            ),
            (
                client(),
                401,
                oauth(
                    "unauthorized_client",
                    "Public client not allowed to retrieve service account",
                ),
            ),
            (
                client(),
                401,
                oauth("invalid_request", "User 'service-account-sync' disabled"),
            ),
            (
                person(),
                404,
                r#"{"error":"Realm does not exist"}"#.to_owned(),
            ),
            (person(), 404, oauth("Realm does not exist", BOILERPLATE)),
            (person(), 403, oauth("access_denied", "Realm not enabled")),
            (person(), 403, oauth("invalid_request", "HTTPS required")),
            (
                person(),
                400,
                oauth("invalid_request", "Missing form parameter: grant_type"),
            ),
            (
                person(),
                400,
                oauth("unsupported_grant_type", "Unsupported grant_type"),
            ),
            (
                person(),
                405,
                r#"{"error":"HTTP 405 Method Not Allowed"}"#.to_owned(),
            ),
            (person(), 500, r#"{"error":"unknown_error"}"#.to_owned()),
            (person(), 404, "<html>nginx</html>".to_owned()),
            (person(), 502, String::new()),
        ];
        let table: Vec<String> = rows
            .iter()
            .map(|(account, status, body)| {
                let refusal =
                    explain_login(&answer(*status, body), account, "https://auth.acme.example");
                format!("{status} {body}\n{refusal}\n")
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn a_redirect_says_where_it_points() {
        let mut redirect = answer(301, "");
        redirect.headers.insert(
            "location",
            "https://auth.acme.example/realms/acme".parse().unwrap(),
        );
        let refusal = explain_login(&redirect, &person(), "http://auth.acme.example");
        assert_eq!(
            refusal.message,
            "http://auth.acme.example redirects to https://auth.acme.example/realms/acme"
        );
    }

    #[test]
    fn a_hostile_text_stays_on_one_short_line() {
        let body = ErrorBody {
            error: format!("a\n\u{1b}[31m\r\n b{}", "x".repeat(1000)),
            description: String::new(),
        };
        let shown = body.shown();
        assert!(shown.starts_with("a [31m b"), "{shown}");
        assert_eq!(shown.chars().count(), LONGEST_QUOTE);
        assert!(!shown.chars().any(char::is_control));
    }

    #[test]
    fn a_missing_role_names_the_command_that_grants_it() {
        let refusal = explain_missing_role(&client(), "view-users", "read groups");
        insta::assert_snapshot!(refusal, @r"
        the account service account sync may not read groups in realm acme (403)
        It needs the role view-users of the client realm-management: kcadm.sh add-roles -r acme --uusername service-account-sync --cclientid realm-management --rolename view-users
        ");
        let elsewhere = SyncAccount {
            auth_realm: "other".to_owned(),
            ..client()
        };
        insta::assert_snapshot!(explain_missing_role(&elsewhere, "view-users", "read groups"), @r"
        the account service account sync may not read groups in realm acme (403)
        The rights of an account of realm other end there: use an account of realm acme, or of master.
        ");
    }
}
