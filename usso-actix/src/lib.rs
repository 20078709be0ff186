//! usso for actix-web.
