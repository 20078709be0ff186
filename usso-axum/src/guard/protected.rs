//! An app whose doors are closed unless they are named.

use axum::Router;

use super::auth::Auth;

/// A router behind a guard. Nothing can be added to it but by [`open`](Self::open), so the order of
/// calls cannot leave a door open.
#[derive(Clone, Debug)]
#[must_use = "turn it into a router and serve that"]
pub struct Protected<S = ()> {
    router: Router<S>,
}

impl Auth {
    /// Puts everything in a router behind the guard: its routes, its nested routers and its fallback.
    pub fn protect<S>(&self, router: Router<S>) -> Protected<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        Protected { router: router.layer(self.required()) }
    }
}

impl<S> Protected<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// Adds routes that everyone may call.
    ///
    /// # Panics
    ///
    /// As [`Router::merge`]: if a route is there already, or both have a fallback.
    pub fn open(self, router: Router<S>) -> Self {
        // In this order the guarded answer to unknown addresses is the one that stays.
        Self { router: router.merge(self.router) }
    }

    /// Gives the state to the handlers, the [`Auth`] for the extractors among it.
    pub fn with_state<T>(self, state: S) -> Protected<T> {
        Protected { router: self.router.with_state(state) }
    }

    /// Gives the router, to be served. What is added to it afterwards is not guarded.
    pub fn into_router(self) -> Router<S> {
        self.router
    }
}
