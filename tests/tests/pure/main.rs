//! What is a function of its input alone: the core as library and as component, against its contract, the Collector's
//! translator and other signers.

mod component;
mod instructions;
mod release;
mod signing;
mod structure;
mod translation;
