//! One attempt to fetch the keys: what to send, and what an answer amounts to.

use super::discovery::{self, Form};
use super::document::Document;
use super::freshness;
use super::location::Location;
use super::policy::Policy;
use super::report::Failure;
use super::snapshot::{Snapshot, is_etag};
use crate::fetch::{FetchError, Request, Response};

/// An attempt under way: send [`request`](Self::request), then give it back with what came of it.
#[derive(Debug)]
#[must_use = "an attempt that is not concluded blocks others for a minute"]
pub struct Attempt {
    id: u64,
    started: u64,
    pub(super) stage: Stage,
    request: Request,
    conditional: bool,
}

/// What is being fetched.
#[derive(Debug)]
pub(super) enum Stage {
    /// The JWKS at this address.
    Keys(String),
    /// The metadata of the issuer.
    Metadata(Form),
}

/// What to do about a wish for other keys.
#[derive(Debug)]
#[must_use]
pub enum Decision {
    /// Ask for the keys once more, now: they changed meanwhile.
    Again,
    /// The last attempt failed, and it is too soon for another: nobody knows.
    Failed,
    /// Send this.
    Fetch(Attempt),
    /// Asking again is of no use now: what the issuer answered last stands.
    Refuse,
    /// The attempt of this number is under way; ask again when it is concluded.
    Wait(u64),
}

/// What came of a request.
#[derive(Debug)]
#[must_use]
pub enum Progress {
    /// The attempt is over.
    Done(Result<(), Failure>),
    /// The attempt goes on: send this.
    Send(Attempt),
}

/// An answer that is believed.
pub(super) enum Answer {
    /// A sound set, and how long it is fresh.
    Keys(Box<Snapshot>, u64),
    /// The address of the JWKS.
    Metadata(String),
    /// The set is the same, fresh for so long.
    NotModified(u64),
}

pub(super) type Verdict = Result<Answer, Failure>;

impl Attempt {
    pub(super) fn new(
        id: u64,
        started: u64,
        stage: Stage,
        (etag, location): (Option<&str>, &Location),
    ) -> Self {
        let request = match &stage {
            Stage::Keys(url) => {
                let get = Request::get(url.as_str());
                get.header("accept", "application/jwk-set+json, application/json")
            }
            Stage::Metadata(form) => {
                let get = Request::get(discovery::address(location.as_str(), *form));
                get.header("accept", "application/json")
            }
        };
        let conditional = etag.is_some();
        let request = match etag {
            Some(etag) => request.header("if-none-match", etag),
            None => request,
        };
        Self { id, started, stage, request, conditional }
    }

    /// Gives the number of the attempt. All its requests have the same.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Gives the request to send.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// Judges an answer. The work is bounded by the length of its body, and no lock is held.
    pub(super) fn judge(
        &self,
        result: Result<Response, FetchError>,
        (location, policy): (&Location, &Policy),
    ) -> Verdict {
        let response = result.map_err(Failure::Fetch)?;
        if response.body.len() > self.request.max_body_bytes {
            return Err(Failure::Fetch(FetchError::TooLarge));
        }
        let Stage::Keys(url) = &self.stage else {
            return discovery::jwks_url(&response, location).map(Answer::Metadata);
        };
        let window = freshness::window(&response, self.started, policy);
        match response.status {
            200 => {}
            304 if self.conditional => return Ok(Answer::NotModified(window)),
            status => return Err(Failure::Status(status)),
        }
        let snapshot = Snapshot {
            document: Document::read(&response.body)?,
            etag: response.header("etag").filter(|etag| is_etag(etag)).map(str::to_owned),
            fresh_until: 0,
            generation: 0,
            trusted_until: 0,
            url: url.clone(),
            validated_at: 0,
        };
        Ok(Answer::Keys(Box::new(snapshot), window))
    }
}
