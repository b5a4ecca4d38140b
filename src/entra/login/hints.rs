//! What to do about a login that Entra refused.
//!
//! The codes are not a contract (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes> says so), so they
//! only add a hint to Entra's own words.

use super::Shown;

/// Returns what to do about a refusal with a code, after the app has shown something.
pub(super) fn hint_for(code: u64, shown: &Shown) -> Option<String> {
    let own = match shown {
        Shown::Secret(_) => for_secret(code).map(str::to_owned),
        Shown::Signed(_) => for_certificate(code).map(str::to_owned),
        Shown::Vouched(_, claims) => for_federated(code, &claims.to_string()),
    };
    own.or_else(|| for_any(code).map(str::to_owned))
}

fn for_secret(code: u64) -> Option<&'static str> {
    Some(match code {
        7_000_215 => {
            "AZURE_CLIENT_SECRET must hold the secret's value, not its id; the value is shown only when the secret is made."
        }
        7_000_222 => {
            "The secret has expired: make a new one (App registrations, Certificates & secrets) and put its value into AZURE_CLIENT_SECRET."
        }
        _ => return None,
    })
}

fn for_certificate(code: u64) -> Option<&'static str> {
    Some(match code {
        // Of a certificate that is not there and of one that has expired; Entra's words say which.
        700_027 => {
            "The certificate in AZURE_CLIENT_CERTIFICATE_PATH must be one of those of the app (App registrations, Certificates & \
             secrets, Certificates) and must not have expired; upload it without its key."
        }
        700_024 | 500_133 => {
            "The assertion is dated by the clock of this machine and good for ten minutes: set the clock."
        }
        700_021 | 700_023 => {
            "The assertion was made for the app in AZURE_CLIENT_ID and the login at azure_login_url; something between here and \
             Entra changes the request."
        }
        _ => return None,
    })
}

fn for_federated(code: u64, claims: &str) -> Option<String> {
    Some(match code {
        // 70021 in general, then issuer, audience, subject, and a subject that differs in letter case only.
        70_021 | 700_211 | 700_212 | 700_213 | 7_002_137 | 7_002_138 => format!(
            "The token that was presented has the {claims}. The app needs a federated credential with exactly these, letter case \
             included (App registrations, Certificates & secrets, Federated credentials); a new one takes some minutes to count."
        ),
        700_024 | 500_133 => format!(
            "The token that was presented has expired, or this machine's clock or its issuer's is wrong; it has the {claims}."
        ),
        7_000_272 => format!(
            "Entra does not find the key that signed the token among those that its issuer publishes; it has the {claims}. After \
             a change of keys that takes a while."
        ),
        50_027 | 700_027 => format!(
            "The token that was presented is not accepted as one of its issuer; it has the {claims}."
        ),
        _ => return None,
    })
}

fn for_any(code: u64) -> Option<&'static str> {
    Some(match code {
        90_002 | 900_023 => {
            "AZURE_TENANT_ID is wrong, or the tenant is in another cloud (`azure_cloud`)."
        }
        700_016 => {
            "AZURE_CLIENT_ID is wrong, or AZURE_TENANT_ID names another tenant than the one where the app is registered, or another cloud is meant (`azure_cloud`)."
        }
        700_038 => "AZURE_CLIENT_ID must hold the application (client) id, a GUID.",
        500_011 | 70_011 | 500_014 => {
            "The Graph of another cloud is meant: look at `azure_cloud` and `azure_graph_url`."
        }
        7_000_112 | 7_000_111 => {
            "The app is disabled in this tenant: an administrator has to enable it."
        }
        53_003 | 530_003 => "A conditional access policy for workload identities blocks the app.",
        _ => return None,
    })
}
