//! Crashes, power cuts and failing disks under load: nothing that was acknowledged is lost, and every point is accounted
//! for. The receiver is a real Prometheus, which takes samples only in their order, behind the stand-in, which checks
//! signatures; senders keep their own record of what was acknowledged.

mod clock;
mod disk_errors;
mod disk_use;
mod kills;
mod order;
mod power_cut;
mod recovery;
mod repeats;
mod rig;
mod storms;
