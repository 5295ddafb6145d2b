//! The component itself: its contract, what it is made of, and the pool of its instances.

mod conformance;
mod contract;
mod growth;
mod imports;
mod layouts;
mod pool;
