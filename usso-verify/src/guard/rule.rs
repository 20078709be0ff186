//! What a route needs of its caller.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::refusal::Refusal;
use crate::access::{Denied, Values};
use crate::principal::Principal;
use crate::scope::{Decision, Scope, ScopeError, Scopes};
use crate::step_up::Requirement;

/// What a route needs of its caller. All of it must be there. A new one needs only that there is a
/// caller.
///
/// ```
/// use std::time::Duration;
/// use usso_verify::guard::{Rule, require};
/// use usso_verify::step_up::Requirement;
///
/// let files = require("read:files")?;
/// // A caller with `read:users?user_id=7` may read /users/7 and no other.
/// let own = require("read:users?user_id={id}")?;
/// let payment = Rule::new()
///     .role("member")
///     .workspace("{workspace}")
///     .authentication(Requirement::new().max_age(Duration::from_secs(300)));
/// assert!(require("raed:files").is_err());
/// # Ok::<(), usso_verify::guard::InvalidRule>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Rule {
    scopes: Vec<Needed>,
    roles: Vec<String>,
    tenant: Option<Text>,
    workspace: Option<Text>,
    service: bool,
    authentication: Option<Requirement>,
}

/// A scope that is needed, with what the resource is like.
#[derive(Clone, Debug)]
struct Needed {
    action: String,
    path: String,
    values: Vec<(String, Text)>,
}

/// A text that is written down, or in the path of the request.
#[derive(Clone, Debug)]
enum Text {
    Given(String),
    Parameter(String),
}

/// Makes a [`Rule`] that needs a scope; see [`Rule::scope`].
///
/// # Errors
///
/// [`InvalidRule`], every variant.
pub fn require(scope: &str) -> Result<Rule, InvalidRule> {
    Rule::new().scope(scope)
}

/// A [`Rule`] with a name, for the handlers that say in their signature what they need.
///
/// ```
/// use usso_verify::guard::{InvalidRule, Policy, Rule, require};
///
/// struct ReadOwn;
///
/// impl Policy for ReadOwn {
///     fn rule() -> Result<Rule, InvalidRule> {
///         require("read:users?user_id={id}")
///     }
/// }
/// # assert!(ReadOwn::rule().is_ok());
/// ```
pub trait Policy {
    /// Gives the rule. It is asked for with each request.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`] if it is not one; every request is answered with 500 then.
    fn rule() -> Result<Rule, InvalidRule>;
}

impl Rule {
    /// Makes one that needs only that there is a caller.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a scope, as scopes are written: `read:files`. A value after `?` says what the resource is
    /// like, so that a caller whose scope has that condition meets it; `{id}` there takes the value
    /// from the path of the request.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`], every variant.
    ///
    /// # Security
    ///
    /// Paths of scopes are laid from the right unless the verifier was told otherwise: see
    /// [`VerifierBuilder::scope_matching`](crate::VerifierBuilder::scope_matching).
    pub fn scope(mut self, scope: &str) -> Result<Self, InvalidRule> {
        self.add_scope(scope)?;
        Ok(self)
    }

    pub(crate) fn add_scope(&mut self, scope: &str) -> Result<(), InvalidRule> {
        let (head, query) =
            scope.split_once('?').map_or((scope, ""), |(head, query)| (head, query));
        let read = Scope::parse(head);
        let read = read.map_err(|error| InvalidRule::Scope(scope.to_owned(), error))?;
        let (_, path) =
            head.split_once(':').ok_or_else(|| InvalidRule::Action(scope.to_owned()))?;
        if path.contains(['{', '}', '*', ':']) || path.contains(char::is_whitespace) {
            return Err(InvalidRule::Path(scope.to_owned()));
        }
        let bad_value = || InvalidRule::Value(scope.to_owned());
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let values = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').ok_or_else(bad_value)?;
            let plain = |text: &str| !text.is_empty() && !text.contains(['%', '+', '*', '?', '[']);
            if !plain(key) || !plain(value) {
                return Err(bad_value());
            }
            Ok((key.to_owned(), Text::read(value).ok_or_else(bad_value)?))
        });
        let values = values.collect::<Result<Vec<(String, Text)>, _>>()?;
        let twice = |(place, (key, _)): (usize, &(String, Text))| {
            values.iter().take(place).any(|(earlier, _)| earlier == key)
        };
        if values.iter().enumerate().any(twice) {
            return Err(bad_value());
        }
        let (action, path) = (read.action().as_str().to_owned(), read.path().to_owned());
        if let Decision::Invalid(error) = Scopes::default().decide(&path, &action, &[]) {
            return Err(InvalidRule::Scope(scope.to_owned(), error));
        }
        self.scopes.push(Needed { action, path, values });
        Ok(())
    }

    /// Adds a role.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Needs a token that is limited to this workspace; `{workspace}` takes its id from the path of
    /// the request.
    pub fn workspace(mut self, workspace: &str) -> Self {
        self.workspace = Some(Text::of(workspace));
        self
    }

    /// Needs a caller of this tenant; `{tenant}` takes its id from the path of the request.
    ///
    /// # Security
    ///
    /// With several issuers see [`Principal::require_tenant`].
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(Text::of(tenant));
        self
    }

    /// Needs a service account.
    pub fn service(mut self) -> Self {
        self.service = true;
        self
    }

    /// Needs a strong or recent authentication (RFC 9470).
    pub fn authentication(mut self, requirement: Requirement) -> Self {
        self.authentication = Some(requirement);
        self
    }

    /// Says whether it takes something from the path of the request.
    #[must_use]
    pub fn reads_path(&self) -> bool {
        let of_path = |text: &Text| matches!(text, Text::Parameter(_));
        let values = self.scopes.iter().flat_map(|needed| &needed.values);
        self.tenant.iter().chain(&self.workspace).any(of_path)
            || values.into_iter().any(|(_, text)| of_path(text))
    }

    pub(super) fn check(
        &self,
        caller: &Principal,
        clock: impl FnOnce() -> (u64, Duration),
        parameter: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Refusal> {
        if let Some(tenant) = &self.tenant {
            caller.require_tenant(&tenant.resolve(&parameter)?)?;
        }
        if let Some(workspace) = &self.workspace {
            caller.require_workspace(&workspace.resolve(&parameter)?)?;
        }
        if self.service {
            caller.require_service()?;
        }
        for role in &self.roles {
            caller.require_role(role)?;
        }
        for Needed { action, path, values } in &self.scopes {
            let mut resource = Values::new();
            for (key, text) in values {
                resource.insert(key.clone(), text.resolve(&parameter)?.into_owned());
            }
            caller.require_with(action, path, std::slice::from_ref(&resource))?;
        }
        if let Some(requirement) = &self.authentication {
            let (now, leeway) = clock();
            caller.require_authentication(requirement, now, leeway)?;
        }
        Ok(())
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl Text {
    /// Reads `{name}` as a part of the path.
    fn of(text: &str) -> Self {
        let name = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match name {
            Some(name) => Self::Parameter(name.to_owned()),
            None => Self::Given(text.to_owned()),
        }
    }

    /// Reads a value; `None` if it is empty, or has braces other than around all of it.
    fn read(text: &str) -> Option<Self> {
        let read = Self::of(text);
        let (Self::Given(inner) | Self::Parameter(inner)) = &read;
        (!inner.is_empty() && !inner.contains(['{', '}'])).then_some(read)
    }

    /// # Errors
    ///
    /// [`Refusal::PathParameter`] if the path has no such part, or an empty one;
    /// [`Refusal::PathMalformed`] if it would be another path for whoever resolves it.
    fn resolve(&self, parameter: impl Fn(&str) -> Option<String>) -> Result<Cow<'_, str>, Refusal> {
        let name = match self {
            Self::Given(text) => return Ok(Cow::Borrowed(text)),
            Self::Parameter(name) => name,
        };
        let value = parameter(name).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| Refusal::PathParameter(name.clone()))?;
        let mut segments = value.split(['/', '\\']);
        if segments.any(|segment| matches!(segment, "." | "..")) || value.contains(char::is_control)
        {
            return Err(Refusal::PathMalformed);
        }
        Ok(Cow::Owned(value))
    }
}

impl TryFrom<&str> for Rule {
    type Error = InvalidRule;

    /// Reads a scope that is needed.
    fn try_from(scope: &str) -> Result<Self, InvalidRule> {
        require(scope)
    }
}

/// Why a rule was not made: a mistake of the program. Each variant has the scope as it was written.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidRule {
    /// The scope has no action.
    Action(String),
    /// The path of the scope has a wildcard, braces, a colon or a space: what is needed must be one
    /// thing.
    Path(String),
    /// The scope cannot be read.
    Scope(String, ScopeError),
    /// A value after `?` is empty, encoded, there twice, or has braces other than around all of it.
    Value(String),
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(scope) => {
                write!(f, "the needed scope {scope:?} has no action; write one, as in `read:files`")
            }
            Self::Path(scope) => write!(
                f,
                "the needed scope {scope:?} has a wildcard, braces, a colon or a space in its path; \
                 write one scope, as in `read:media/files`"
            ),
            Self::Scope(scope, ScopeError::ActionUnknown) => write!(
                f,
                "the action of the needed scope {scope:?} is unknown; write `read`, `create`, \
                 `write`, `update`, `delete`, `manage`, `admin` or `owner`"
            ),
            Self::Scope(scope, error) => {
                write!(f, "the needed scope {scope:?} cannot be read: {error}")
            }
            Self::Value(scope) => write!(
                f,
                "write the values of the needed scope {scope:?} as `name=value` or \
                 `name={{parameter}}`, each name once"
            ),
        }
    }
}

/// As it is displayed: a `main` that returns it prints this.
impl fmt::Debug for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for InvalidRule {}

impl From<std::convert::Infallible> for InvalidRule {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
