//! The program under faults and load: killed, without power, on failing disks, cut off, and in a cluster.

mod crashes;
mod durable_cost;
mod hostile_load;
mod long_run;
mod outage;
mod scale_out;
