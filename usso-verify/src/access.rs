//! What a verified caller may do.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::challenge::{Challenge, ErrorCode};
use crate::principal::Principal;
use crate::scope::{Decision, Scopes};
use crate::step_up::{Authentication, Requirement, StepUp};

impl Principal {
    /// Gives the caller's scopes, read once.
    #[must_use]
    pub fn parsed_scopes(&self) -> &Scopes {
        let verified = self.verified();
        verified
            .scopes
            .get_or_init(|| Scopes::parse(&verified.user.scopes).matching(verified.matching))
    }

    /// Says whether a scope allows the action on the path; see [`scope`](crate::scope).
    ///
    /// # Security
    ///
    /// Paths are laid from the right unless the verifier was told otherwise: see
    /// [`VerifierBuilder::scope_matching`](crate::VerifierBuilder::scope_matching) before a part of
    /// `path` is a user's to choose.
    #[must_use]
    pub fn can(&self, action: &str, path: &str) -> bool {
        self.parsed_scopes().check_access(path, action, &[])
    }

    /// Decides as [`can`](Self::can) does, and says why.
    #[must_use]
    pub fn decide(&self, action: &str, path: &str) -> Decision {
        self.parsed_scopes().decide(path, action, &[])
    }

    /// Requires that a scope allows the action on the path.
    ///
    /// # Errors
    ///
    /// [`Denied::Scope`].
    pub fn require(&self, action: &str, path: &str) -> Result<(), Denied> {
        let needed = || Denied::Scope(format!("{action}:{path}"));
        self.can(action, path).then_some(()).ok_or_else(needed)
    }

    /// Says whether a scope allows the action on a resource that has these values: `alternatives`
    /// of which one must be met, as a scope such as `read:invoices?user_id=…` asks for.
    #[must_use]
    pub fn can_with(&self, action: &str, path: &str, alternatives: &[Values]) -> bool {
        self.parsed_scopes().check_access(path, action, alternatives)
    }

    /// Requires what [`can_with`](Self::can_with) says.
    ///
    /// # Errors
    ///
    /// [`Denied::Scope`].
    pub fn require_with(
        &self,
        action: &str,
        path: &str,
        alternatives: &[Values],
    ) -> Result<(), Denied> {
        let needed = || Denied::Scope(format!("{action}:{path}"));
        self.can_with(action, path, alternatives).then_some(()).ok_or_else(needed)
    }

    /// Requires exactly this role.
    ///
    /// # Errors
    ///
    /// [`Denied::Role`].
    pub fn require_role(&self, role: &str) -> Result<(), Denied> {
        self.has_role(role).then_some(()).ok_or_else(|| Denied::Role(role.to_owned()))
    }

    /// Requires that the token is limited to this workspace.
    ///
    /// # Errors
    ///
    /// [`Denied::Workspace`].
    pub fn require_workspace(&self, workspace: &str) -> Result<(), Denied> {
        let inside = self.workspace_id.as_deref() == Some(workspace);
        inside.then_some(()).ok_or(Denied::Workspace)
    }

    /// Requires a caller of this tenant.
    ///
    /// # Security
    ///
    /// The claim `tenant_id` is what the issuer writes. Where one of several issuers is not trusted
    /// for every tenant, pin it to its own: [`Issuer::tenant`](crate::Issuer::tenant).
    ///
    /// # Errors
    ///
    /// [`Denied::Tenant`].
    pub fn require_tenant(&self, tenant: &str) -> Result<(), Denied> {
        let inside = self.tenant_id.as_deref() == Some(tenant);
        inside.then_some(()).ok_or(Denied::Tenant)
    }

    /// Requires a service account.
    ///
    /// # Errors
    ///
    /// [`Denied::Service`].
    pub fn require_service(&self) -> Result<(), Denied> {
        self.is_service().then_some(()).ok_or(Denied::Service)
    }

    /// Requires a strong or recent authentication, as of `now` in seconds since the epoch, with so
    /// much leeway for clocks that differ.
    ///
    /// # Errors
    ///
    /// [`Denied::StepUp`], with what to ask the client for.
    ///
    /// # Spec
    ///
    /// RFC 9470 §3.
    pub fn require_authentication(
        &self,
        requirement: &Requirement,
        now: u64,
        leeway: Duration,
    ) -> Result<(), Denied> {
        let made =
            Authentication { acr: self.acr.as_deref(), amr: &self.amr, auth_time: self.auth_time };
        requirement.check(&made, now, leeway).map_err(Denied::StepUp)
    }
}

/// What a resource is like: its owner, its workspace, by the names that scopes use.
pub type Values = BTreeMap<String, String>;

/// Why a verified caller may not do something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denied {
    /// The caller lacks this role.
    Role(String),
    /// No scope of the caller allows this.
    Scope(String),
    /// The caller is no service account.
    Service,
    /// The caller must authenticate again, or better.
    StepUp(StepUp),
    /// The caller is of another tenant.
    Tenant,
    /// The token is not limited to this workspace.
    Workspace,
}

impl Denied {
    /// Gives the stable public code: `access.` or `step_up.`, and the problem.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Role(_) => "access.role",
            Self::Scope(_) => "access.scope",
            Self::Service => "access.service",
            Self::StepUp(step_up) => step_up.problem.code(),
            Self::Tenant => "access.tenant",
            Self::Workspace => "access.workspace",
        }
    }

    /// Gives the HTTP status: 401 if another authentication would do, else 403.
    ///
    /// # Spec
    ///
    /// RFC 6750 §3.1, RFC 9470 §3.
    #[must_use]
    pub const fn status(&self) -> u16 {
        if let Self::StepUp(_) = self { 401 } else { 403 }
    }

    /// Gives the challenge that goes with the status.
    ///
    /// # Spec
    ///
    /// RFC 6750 §3, RFC 9470 §3.
    pub fn challenge(&self) -> Challenge {
        let challenge = match self {
            Self::StepUp(step_up) => Challenge::bearer().step_up(step_up),
            Self::Scope(scope) if is_scope_token(scope) => {
                Challenge::bearer().error(ErrorCode::InsufficientScope).scope([scope])
            }
            _ => Challenge::bearer().error(ErrorCode::InsufficientScope),
        };
        challenge.error_description(self.to_string())
    }
}

/// RFC 6749 §3.3: what may be written as a scope. A path with a space in it may not.
pub(crate) fn is_scope_token(scope: &str) -> bool {
    scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Role(role) => return write!(f, "the role {role:?} is missing"),
            Self::Scope(scope) => return write!(f, "no scope allows {scope:?} here"),
            Self::Service => "only for service accounts",
            Self::StepUp(step_up) => return step_up.fmt(f),
            Self::Tenant => "the caller is of another tenant",
            Self::Workspace => "the token is not for this workspace",
        })
    }
}

impl std::error::Error for Denied {}
