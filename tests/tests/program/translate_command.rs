//! `preamp translate` and `preamp diff`, on what real SDKs sent and on files as a Collector writes them.

mod diff;
mod files;
mod translate;
