//! Crashes, power cuts and failing disks under load: nothing that was acknowledged is lost, and every point is accounted
//! for. The receiver is a real Prometheus, which takes samples only in their order, behind the stand-in, which checks
//! signatures; senders keep their own record of what was acknowledged.

#[path = "crashes/clock.rs"]
mod clock;
#[path = "crashes/disk_errors.rs"]
mod disk_errors;
#[path = "crashes/kills.rs"]
mod kills;
#[path = "crashes/order.rs"]
mod order;
#[path = "crashes/power_cut.rs"]
mod power_cut;
#[path = "crashes/repeats.rs"]
mod repeats;
#[path = "crashes/rig.rs"]
mod rig;
#[path = "crashes/storms.rs"]
mod storms;
