//! usso.
