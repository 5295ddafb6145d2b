//! The component itself: its contract, what it is made of, and the pool of its instances.

#[path = "component/contract.rs"]
mod contract;
#[path = "component/growth.rs"]
mod growth;
#[path = "component/imports.rs"]
mod imports;
#[path = "component/pool.rs"]
mod pool;
