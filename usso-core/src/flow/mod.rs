//! The flows: one file each, named after what people do. A flow never uses another flow.

pub mod audit;
pub mod password;
pub mod user_admin;
