//! What a subject may do with its own resources, without a scope.

use std::collections::BTreeMap;

use super::action::Action;

/// Lets a subject act on resources that are its own or its workspace's.
///
/// The default lets the subject do everything up to [`Action::Owner`] with what is its own, and
/// members of a workspace nothing.
///
/// # Security
///
/// User ids are compared with user ids and workspace ids with workspace ids only: a user whose id
/// is spelt like a workspace's does not own that workspace. An empty id belongs to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerRule<'a> {
    user_id: &'a str,
    own: Action,
    workspace: Option<(&'a str, Action)>,
}

impl<'a> OwnerRule<'a> {
    /// Names the subject, with [`Action::Owner`] on what is its own.
    #[must_use]
    pub const fn new(user_id: &'a str) -> Self {
        Self { user_id, own: Action::Owner, workspace: None }
    }

    /// Sets the highest action on the subject's own resources.
    #[must_use]
    pub const fn own(self, action: Action) -> Self {
        Self { own: action, ..self }
    }

    /// Names the subject's workspace and sets the highest action on that workspace's resources;
    /// [`Action::None`] lets its members do nothing.
    #[must_use]
    pub const fn workspace(self, workspace_id: &'a str, action: Action) -> Self {
        Self { workspace: Some((workspace_id, action)), ..self }
    }

    /// Says whether the subject may do this with a resource that has these values.
    ///
    /// 1. The resource is the subject's own if it has `owner_id`, `user_id` or both, and each is
    ///    the subject's id. A `workspace_id` other than the subject's, if the subject has one,
    ///    takes it out.
    /// 2. It is the workspace's if its `workspace_id` is the subject's.
    ///
    /// An unknown action is denied.
    #[must_use]
    pub fn allows(&self, action: &str, resource: &BTreeMap<String, String>) -> bool {
        let Some(action) = Action::parse(action) else {
            return false;
        };
        let workspace = resource.get("workspace_id");
        let own = self.is_own(resource)
            && workspace.is_none_or(|id| self.workspace.is_none_or(|(held, _)| id == held));
        let shared = self
            .workspace
            .filter(|(held, _)| !held.is_empty() && workspace.is_some_and(|id| id == held));
        (own && self.own.grants(action)) || shared.is_some_and(|(_, most)| most.grants(action))
    }

    fn is_own(&self, resource: &BTreeMap<String, String>) -> bool {
        let mut owners = ["owner_id", "user_id"].into_iter().filter_map(|key| resource.get(key));
        let mut others = owners.clone();
        !self.user_id.is_empty()
            && owners.next().is_some()
            && others.all(|owner| owner == self.user_id)
    }
}
