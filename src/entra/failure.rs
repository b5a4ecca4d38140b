//! Why a request to Graph did not succeed.

use std::fmt;

use super::login::LoginFailure;
use super::refusal::{Refusal, shortened};
use crate::http;
use crate::model::ObjectId;

/// Why a request did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no token.
    Login(LoginFailure),
    /// There is no answer.
    NoAnswer(http::Error),
    /// The answer is a refusal.
    Refused(Refusal),
    /// The answer cannot be understood.
    Garbled(String),
    /// A group has a member that does not exist.
    MemberGone(ObjectId),
    /// The batch was answered without this part.
    Missing,
    /// The request would delete an object, and was not sent.
    Withheld,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login(LoginFailure(sentence)) => f.write_str(sentence),
            Self::NoAnswer(error) => error.fmt(f),
            Self::Refused(refusal) => {
                write!(f, "Graph answered {refusal}")?;
                match &refusal.request_id {
                    Some(id) => write!(f, " (request {id})"),
                    None => Ok(()),
                }
            }
            Self::Garbled(reason) => {
                write!(
                    f,
                    "Graph gave an answer that cannot be understood: {}",
                    shortened(reason, 300)
                )
            }
            Self::MemberGone(id) => write!(
                f,
                "account {id} is listed as a member of a group and does not exist; if it has just been deleted, run this again in a \
                 few minutes"
            ),
            Self::Missing => f.write_str("Graph answered a batch without one of its parts"),
            Self::Withheld => f.write_str("a request that would delete an object was not sent"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<LoginFailure> for Failure {
    fn from(failure: LoginFailure) -> Self {
        Self::Login(failure)
    }
}

impl From<http::Error> for Failure {
    fn from(error: http::Error) -> Self {
        Self::NoAnswer(error)
    }
}
