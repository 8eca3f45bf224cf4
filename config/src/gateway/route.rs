//! `[route.*]`: requests that are passed on to a system behind the gateway, streamed and never stored.

use std::{cell::RefCell, net::SocketAddr, time::Duration};

use protocol::{
    kind::{Kind, System},
    party::{Environment, Party, Role},
    permission::{Action, Standing, standing},
};

use crate::{
    limits,
    reader::{Fault, Given, Key, Section, Value},
};

/// One streamed route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The operator's name for it, in logs.
    pub name: String,
    /// What the paths of its requests begin with; it ends in `/`.
    pub path: String,
    /// Where they are passed on to: plain HTTP/1.1.
    pub backend: SocketAddr,
    /// The right that a request needs.
    pub right: (System, Action),
    /// A request's content must be a claims file of this kind, and is passed on as one or broken off.
    pub claims: Option<Kind>,
    /// The largest content of a request, in bytes.
    pub body_bytes_max: u64,
    /// How long the backend may think before its answer begins.
    pub answer_max: Duration,
    /// Requests passed on at the same time.
    pub requests_max: u32,
}

impl Route {
    pub(super) fn read_all(
        root: &Section<'_>,
        environment: Option<Environment>,
        parties: Option<&[Party]>,
    ) -> Option<Vec<Self>> {
        let meaning = "Requests that are passed on to a system behind the gateway, one table for each path: streamed both \
                       ways, never stored, without a receipt. Who asks is told to it by the Client-Cert header (RFC 9440).";
        let taken = RefCell::new(Vec::<String>::new());
        root.named_sections("route", meaning, |name, section| {
            let route = Self::read(name, section, environment, parties)?;
            // Where one begins with the other, the order in the file would decide.
            let clash = |other: &String| other.starts_with(&route.path) || route.path.starts_with(other);
            if let Some(other) = taken.borrow().iter().find(|other| clash(other)) {
                let next = "give each route a path that no other begins with";
                section.refuse("path", Fault::new(format!("{:?} and {other:?} overlap", route.path), next));
            }
            taken.borrow_mut().push(route.path.clone());
            Some(route)
        })
    }

    fn read(
        name: &str,
        section: &Section<'_>,
        environment: Option<Environment>,
        parties: Option<&[Party]>,
    ) -> Option<Self> {
        let path = section.required(&Key::<PathPrefix>::new(
            "path",
            "What the paths of its requests begin with. They reach the backend as they came.",
            "\"/eligibility/\"",
        ));
        let backend = section.required(&Key::<SocketAddr>::new(
            "backend",
            "The system behind: address and port, plain HTTP/1.1. In production a loopback address, because this leg is \
             not encrypted.",
            "\"127.0.0.1:8080\"",
        ));
        let right = section.required(&Key::<Right>::new(
            "right",
            "The right in docs/permissions.md that a request needs.",
            "\"eligibility:query\"",
        ));
        let claims = section.optional(&Key::<Kind>::new(
            "claims",
            "The content of each request must be a claims file of this kind. It is checked while it passes; the backend \
             gets the last bytes of a good one only.",
            "\"medical\"",
        ));
        let body_bytes_max = section.limit(&limits::ROUTE_BODY_BYTES_MAX);
        let answer_max = section.limit(&limits::ROUTE_ANSWER_MAX);
        let requests_max = section.limit(&limits::ROUTE_REQUESTS_MAX);
        if let (Some(Environment::Production), Some(backend)) = (environment, backend)
            && !backend.ip().is_loopback()
        {
            section.refuse(
                "backend",
                Fault::new(
                    format!("{} is on another machine, and this leg is plain HTTP", backend.ip()),
                    "write a loopback address; a tunnel there may lead on",
                ),
            );
        }
        if let (Some(right), Some(parties)) = (&right, parties)
            && !right.is_anybodys(parties)
        {
            let next = "name one that docs/permissions.md has for a role of `parties`";
            section.refuse("right", Fault::new(format!("{} is nobody's here", right.show()), next));
        }
        Some(Route {
            name: name.to_owned(),
            path: path?.0,
            backend: backend?,
            right: right.map(|right| (right.0, right.1))?,
            claims: claims?,
            body_bytes_max: body_bytes_max?.0,
            answer_max: answer_max?,
            requests_max: requests_max?,
        })
    }
}

/// A path that begins and ends with `/`, of plain segments.
struct PathPrefix(String);

impl Value for PathPrefix {
    fn form() -> String {
        "a path such as \"/eligibility/\": it begins and ends with a slash, and holds letters, digits, `-`, `_` and dots; \
         not \"/\" and nothing under \"/v1/\""
            .to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let text = given.text_for::<Self>()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let segment = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
        let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let good = inner.is_some_and(|inner| inner.split('/').all(segment)) && !text.starts_with("/v1/");
        if good { Ok(PathPrefix(text.to_owned())) } else { Err(given.is_not::<Self>()) }
    }
    fn show(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// A right as system and action, whoever has it.
struct Right(System, Action);

impl Right {
    fn is_anybodys(&self, parties: &[Party]) -> bool {
        let at = |from: Role, to: Role| standing(from, to, self.0, self.1) != Standing::Never;
        Role::ALL.into_iter().any(|from| parties.iter().any(|party| at(from, party.role())))
    }
}

impl Value for Right {
    fn form() -> String {
        "a right as system:action, such as \"eligibility:query\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let (system, action) = given.text_for::<Self>()?.split_once(':').unwrap_or_default();
        let system = System::ALL.into_iter().find(|known| known.name() == system);
        let action = Action::ALL.into_iter().find(|known| known.name() == action);
        system.zip(action).map(|(system, action)| Right(system, action)).ok_or_else(|| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        format!("\"{}:{}\"", self.0.name(), self.1.name())
    }
}
