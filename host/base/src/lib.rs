//! What every crate of the host stands on. It knows neither WebAssembly nor an async runtime.

pub mod clock;
mod directory;
pub mod files;
mod log_limiter;
pub mod logfmt;
pub mod memory;
pub mod own_files;
pub mod printable;
mod secret;

pub use clock::Clock;
pub use directory::Directory;
pub use log_limiter::LogLimiter;
pub use secret::Secret;
