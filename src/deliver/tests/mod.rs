//! Each rule of delivery as a row of a table: what the receiver answers, and what is done about it.
//!
//! A batch is a text here, each letter of which is a series; upper case stands for remote write 2.0.

mod rules;
mod script;
mod shared;
