//! What is done to a resource, as one ladder of levels.

use std::fmt;

/// An action, lowest first: each implies all that stand before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Action {
    /// `none`, level 0: grants nothing and is never granted.
    None,
    /// `read`, level 10.
    Read,
    /// `create`, level 20.
    Create,
    /// `update` or `write`, level 30.
    Update,
    /// `delete`, level 40.
    Delete,
    /// `manage`, level 50.
    Manage,
    /// `admin`, level 60.
    Admin,
    /// `owner` or `*`, level 90.
    Owner,
    /// `superadmin`, level 100: the one action that `*` does not reach.
    Superadmin,
}

impl Action {
    /// Every action, lowest first.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::Read,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Manage,
        Self::Admin,
        Self::Owner,
        Self::Superadmin,
    ];

    /// Reads a name, compared exactly: `DELETE`, `publish` and the empty name are unknown.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "write" => Some(Self::Update),
            "*" => Some(Self::Owner),
            _ => Self::ALL.into_iter().find(|action| action.as_str() == name),
        }
    }

    /// Gives the name: `update` for what may be spelt `write` too, `owner` for `*`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Manage => "manage",
            Self::Admin => "admin",
            Self::Owner => "owner",
            Self::Superadmin => "superadmin",
        }
    }

    /// Gives the level, 0 to 100.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Read => 10,
            Self::Create => 20,
            Self::Update => 30,
            Self::Delete => 40,
            Self::Manage => 50,
            Self::Admin => 60,
            Self::Owner => 90,
            Self::Superadmin => 100,
        }
    }

    /// Says whether who may do `self` may do `requested`. Nobody may do [`Action::None`].
    #[must_use]
    pub fn grants(self, requested: Self) -> bool {
        requested != Self::None && self >= requested
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn the_levels_are_these() {
        let levels = Action::ALL.map(|action| (action.as_str(), action.level()));
        let pinned = [
            ("none", 0),
            ("read", 10),
            ("create", 20),
            ("update", 30),
            ("delete", 40),
            ("manage", 50),
            ("admin", 60),
            ("owner", 90),
            ("superadmin", 100),
        ];
        assert_eq!(levels, pinned);
        assert!(Action::ALL.is_sorted_by_key(|action| action.level()));
        assert!(Action::ALL.is_sorted());
    }

    #[test]
    fn a_higher_action_grants_a_lower_one_and_none_is_never_granted() {
        for granted in Action::ALL {
            assert_eq!(Action::parse(granted.as_str()), Some(granted));
            for requested in Action::ALL {
                let expected = requested.level() > 0 && granted.level() >= requested.level();
                assert_eq!(granted.grants(requested), expected, "{granted} {requested}");
            }
        }
    }

    #[test]
    fn write_is_update_and_a_star_is_owner() {
        assert_eq!(Action::parse("write"), Some(Action::Update));
        assert_eq!(Action::parse("*"), Some(Action::Owner));
    }

    #[test]
    fn other_names_are_unknown() {
        for name in ["", "DELETE", "Read", " read", "read ", "publish", "**", "reader"] {
            assert_eq!(Action::parse(name), None, "{name}");
        }
    }
}
