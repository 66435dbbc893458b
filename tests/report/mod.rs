//! What people see of a plan: golden texts, properties over hostile values, sizes, and the command line's own answers.

pub mod builder;
mod command_line;
mod golden;
mod help;
mod html;
mod properties;
mod sizes;
