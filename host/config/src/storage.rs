//! `extensions.file_storage` and `extensions.nats`: where queues are kept that outlive the process.

use super::keys::{Key, ignored, read};
use super::settings::{Nats, NatsCredentials};
use super::tls::read_client_tls;
use super::view::{Section, View};
use preamp_base::Directory;
use preamp_base::Secret;
use preamp_base::own_files::WRITTEN_BY_OTHERS;
use std::path::PathBuf;

/// Where queues are kept.
#[derive(Clone)]
pub(super) enum Kept {
    /// In a directory that may be for several.
    InFiles(Directory),
    InStream(Box<Nats>),
}

/// The names of the types.
pub(super) const FILE_STORAGE: &str = "file_storage";
pub(super) const NATS: &str = "nats";

/// The Collector's default.
const DIRECTORY: &str = "/var/lib/otelcol/file_storage";

const OWN_FORMAT: &str = "preamp keeps its queue in files of its own form, which shrink by themselves";

const FILES: &[Key] = &[
    read("directory"),
    ignored("timeout", "preamp does not wait for a directory that is in use"),
    ignored("compaction", OWN_FORMAT),
    read("fsync"),
    read("create_directory"),
    read("directory_permissions"),
    ignored("recreate", "what is damaged is set aside, and the rest used"),
];

/// Reads an extension of this type.
pub(super) fn read_file_storage(view: &View) -> Directory {
    let section = view.section(&[FILES]);
    if let Some(fsync) = section.get("fsync")
        && fsync.boolean() == Some(false)
    {
        fsync.warn("changes nothing: what preamp acknowledges is always on the disk first");
    }
    let directory = section.text("directory").map_or(DIRECTORY, |(directory, _)| directory);
    // The Collector makes none unless it is told to. Here only who says so gets an error.
    let is_made = section.get("create_directory").and_then(|view| view.boolean());
    Directory {
        permissions: section
            .get("directory_permissions")
            .and_then(|view| read_permissions(&view))
            .unwrap_or(Directory::PRIVATE),
        must_exist_around: is_made == Some(false),
        ..Directory::private(directory)
    }
}

/// What the owner needs, to make files and to find them again.
const OF_OWNER: u32 = 0o700;
const OF_ALL: u32 = 0o777;

/// Reads permissions as the Collector does: octal digits in a text.
fn read_permissions(view: &View) -> Option<u32> {
    let text = view.text()?;
    match u32::from_str_radix(text, 8) {
        Ok(permissions) if permissions & !OF_ALL == 0 && permissions & OF_OWNER == OF_OWNER => {
            if permissions & WRITTEN_BY_OTHERS != 0 {
                view.warn("lets other users remove what is queued: \"0700\" and \"0750\" do not");
            }
            return Some(permissions);
        }
        Ok(permissions) if permissions & !OF_ALL == 0 => view.error(format!(
            "{} keeps preamp itself out: the first digit must be 7, as in \"0750\"",
            view.shown()
        )),
        _ => view.error(format!(
            "{} is no permissions of a directory: octal digits, such as \"0750\"",
            view.shown()
        )),
    }
    None
}

const STREAM: &[Key] = &[
    read("servers"),
    read("monitoring"),
    read("sync_always"),
    read("stream"),
    read("partitions"),
    read("replicas"),
    read("lease"),
    read("quarantine_directory"),
    read("credentials_file"),
    read("token"),
    read("username"),
    read("password"),
    read("tls"),
];

/// Enough for eight processes with as many consumers each as the Collector has.
const PARTITIONS: i64 = 64;
const PARTITIONS_MAX: i64 = 1024;

/// With fewer than three servers that hold it, one that fails takes the queue with it.
const REPLICAS: i64 = 3;
const REPLICAS_MAX: i64 = 5;

/// Reads an extension of this type.
pub(super) fn read_nats(view: &View) -> Nats {
    let section = view.section(&[STREAM]);
    let number = |key: &str, least, most| section.get(key).and_then(|view| view.integer(least, most));
    let servers = read_urls(&section, "servers", &["nats", "tls"], "a NATS server");
    let monitoring = read_urls(&section, "monitoring", &["http", "https"], "a server's monitoring");
    let tls = section.get("tls").map(|view| read_client_tls(&view, None));
    let sync_always = section.get("sync_always");
    let vouched = sync_always.as_ref().and_then(View::boolean);
    if servers.is_empty() {
        view.error("names no `servers`: those of a JetStream cluster, [nats://HOST:4222, …]");
    }
    if let (Some(false), Some(sync_always)) = (vouched, &sync_always) {
        sync_always.error(
            "what a server acknowledges before it is on the disk is lost in a power cut: set `sync_interval: always` in \
             the `jetstream` section of each server",
        );
    } else if monitoring.is_empty() && vouched.is_none() {
        view.error(
            "names no `monitoring` addresses, so it cannot be known whether the servers synchronize what they \
             acknowledge: list that of each server, [http://HOST:8222, …], or vouch for it with `sync_always: true`",
        );
    }
    if let Some((stream, view)) = section.text("stream")
        && !is_stream_name(stream)
    {
        view.error(format!("{} is no name of a stream: letters, digits, `-` and `_`", view.shown()));
    }
    Nats {
        servers,
        monitoring,
        sync_always: vouched.unwrap_or_default(),
        stream: section.text("stream").map(|(stream, _)| stream.to_owned()),
        partitions: number("partitions", 1, PARTITIONS_MAX).unwrap_or(PARTITIONS) as u32,
        replicas: number("replicas", REPLICAS, REPLICAS_MAX).unwrap_or(REPLICAS) as u32,
        lease: section.get("lease").and_then(|view| view.duration()),
        quarantine_directory: section.text("quarantine_directory").map(|(path, _)| PathBuf::from(path)),
        credentials: read_nats_credentials(&section),
        tls,
    }
}

/// A list of URLs of one of these schemes.
fn read_urls(section: &Section, key: &str, schemes: &[&str], of: &str) -> Vec<String> {
    let texts = section.get(key).map(|view| view.texts()).unwrap_or_default();
    for (url, view) in &texts {
        let rest = url.split_once("://").filter(|(scheme, _)| schemes.contains(scheme)).map(|(_, rest)| rest);
        // What stands there may be a password, so it is shown neither here nor by whoever connects.
        if rest.is_some_and(|rest| rest.contains('@')) {
            view.error(format!(
                "holds a user or a password, which {of} is not told in a URL: {}",
                remedy(key)
            ));
        } else if rest.is_none() {
            let forms: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://HOST:PORT")).collect();
            view.error(format!("{} is no URL of {of}: {}", view.shown(), forms.join(", or ")));
        }
    }
    texts.into_iter().map(|(url, _)| url.to_owned()).collect()
}

/// What to do about a password in a URL.
fn remedy(key: &str) -> &'static str {
    match key {
        "servers" => "take it out, and set `username` and `password`, `token` or `credentials_file`",
        _ => {
            "take it out; an address that asks for one cannot be used, and `sync_always: true` vouches in its place"
        }
    }
}

fn is_stream_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn read_nats_credentials(section: &Section) -> NatsCredentials {
    let ways = ["credentials_file", "token", "username"].into_iter().filter_map(|key| section.text(key));
    if let Some((_, second)) = ways.clone().nth(1) {
        second.key_error(
            "is a second way to say who preamp is: keep one of credentials_file, token and username",
        );
    }
    let password = section.text("password");
    if let Some((file, _)) = section.text("credentials_file") {
        return NatsCredentials::File(PathBuf::from(file));
    }
    if let Some((token, _)) = section.text("token") {
        return NatsCredentials::Token(Secret::new(token.to_owned()));
    }
    match (section.text("username"), password) {
        (Some((name, _)), Some((password, _))) => {
            NatsCredentials::User { name: name.to_owned(), password: Secret::new(password.to_owned()) }
        }
        (Some((_, lonely)), None) => {
            lonely.key_error("lacks its `password`");
            NatsCredentials::Anonymous
        }
        (None, Some((_, lonely))) => {
            lonely.key_error("lacks its `username`");
            NatsCredentials::Anonymous
        }
        (None, None) => NatsCredentials::Anonymous,
    }
}
