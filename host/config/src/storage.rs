//! `extensions.file_storage` and `extensions.nats`: where queues are kept that outlive the process.

use super::definition::{Literal, Sort, Type, ignored};
use super::settings::{Nats, NatsCredentials};
use super::tls::{self, read_client_tls};
use super::view::keys::{Key, Text, Texts, keys};
use super::view::{Section, View};
use preamp_base::own_files::WRITTEN_BY_OTHERS;
use preamp_base::{Directory, Secret};
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

/// The same with their keys.
pub(super) const TYPES: &[Type] =
    &[Type::new(&[FILE_STORAGE], &[files::TABLE]), Type::new(&[NATS], &[stream::TABLE])];

const OWN_FORMAT: &str = "preamp keeps its queue in files of its own form, which shrink by themselves";

keys! {
    /// The keys of `file_storage`.
    mod files {
        /// The directory of the queues. Each exporter has a folder of its own in it.
        directory: Text.sort(Sort::Path).or("/var/lib/otelcol/file_storage"),
        /// Changes nothing: what preamp acknowledges is always on the disk first.
        fsync: Flag.or(true),
        /// Makes the directory if it is not there. With `false` that is an error, so that a disk that is not mounted
        /// is noticed.
        create_directory: Flag.or(true),
        /// The permissions of directories that are made, in octal digits.
        directory_permissions: Text.sort(Sort::Permissions).or_octal(Directory::PRIVATE),
    } and [
        ignored("timeout", "preamp does not wait for a directory that is in use"),
        ignored("compaction", OWN_FORMAT),
        ignored("recreate", "damaged files are kept under another name, and the rest is used"),
    ]
}

/// Reads an extension of this type.
pub(super) fn read_file_storage(view: &View) -> Directory {
    let section = view.section(TYPES[0].tables);
    if !section.value(&files::fsync)
        && let Some(view) = section.get(&files::fsync)
    {
        view.warn("changes nothing: what preamp acknowledges is always on the disk first");
    }
    // The Collector makes none unless it is told to. Here only who says so gets an error.
    let is_made = section.value(&files::create_directory);
    Directory {
        permissions: read_permissions(&section).unwrap_or(Directory::PRIVATE),
        must_exist_around: !is_made,
        ..Directory::private(section.text_or_default(&files::directory))
    }
}

/// What the owner needs, to make files and to find them again.
const OF_OWNER: u32 = 0o700;
const OF_ALL: u32 = 0o777;

/// Reads permissions as the Collector does: octal digits in a text.
fn read_permissions(section: &Section) -> Option<u32> {
    let Some(view) = section.get(&files::directory_permissions) else {
        let default = Literal::Octal(Directory::PRIVATE).text();
        section.note(&files::directory_permissions, &default.as_str());
        return None;
    };
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

/// The most partitions, which is what the component takes.
const PARTITIONS_MAX: i64 = 1024;

/// With fewer than three servers that hold it, one that fails takes the queue with it.
const REPLICAS_MIN: i64 = 3;
const REPLICAS_MAX: i64 = 5;

keys! {
    /// The keys of `nats`.
    pub(super) mod stream {
        /// Any servers of the JetStream cluster, `nats://HOST:PORT` or `tls://HOST:PORT`, without a user or a password.
        servers: Texts.sort(Sort::Url).required().own(),
        /// The monitoring address of each server, `http://HOST:8222`. Preamp asks there whether the server
        /// synchronizes what it acknowledges.
        monitoring: Texts.sort(Sort::Url).says("required without `sync_always`").own(),
        /// You confirm that all servers have `sync_interval: always`, where monitoring cannot be reached.
        sync_always: Flag.says("preamp asks").own(),
        /// The name of the stream.
        stream: Text.says("`preamp_` and the exporter's id").own(),
        /// The partitions, which all processes share. Enough for eight processes with the consumers of a Collector.
        partitions: Count.within(1, PARTITIONS_MAX).or(64).own(),
        /// On how many servers everything is kept.
        replicas: Count.within(REPLICAS_MIN, REPLICAS_MAX).or(REPLICAS_MIN).own(),
        /// How long a process without a sign of life keeps its partitions. At least three times `timeout`.
        lease: Time.told(Nats::usual_lease).own(),
        /// Keeps what the receiver refuses, and what becomes too old, in this directory. Each process needs its own.
        quarantine_directory: Text.sort(Sort::Path).own(),
        /// A file with a JWT and its key, as `nsc` makes it.
        credentials_file: Text.sort(Sort::Path).own(),
        /// A token.
        token: Text.sort(Sort::Secret).own(),
        /// The name of a user. It needs `password`.
        username: Text.own(),
        /// The password of the user.
        password: Text.sort(Sort::Secret).own(),
        /// TLS towards the servers.
        tls: Sub.of(tls::CLIENT).says("as the URLs and the servers say").own(),
    }
}

/// Reads an extension of this type.
pub(super) fn read_nats(view: &View) -> Nats {
    let section = view.section(TYPES[1].tables);
    let servers = read_urls(&section, &stream::servers, &["nats", "tls"], "a NATS server");
    let monitoring = read_urls(&section, &stream::monitoring, &["http", "https"], "a server's monitoring");
    let tls = section.within(&stream::tls).map(|section| read_client_tls(&section, None));
    let sync_always = section.get(&stream::sync_always);
    let vouched = section.given(&stream::sync_always);
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
    if let Some((stream, view)) = section.text(&stream::stream)
        && !is_stream_name(stream)
    {
        view.error(format!("{} is no name of a stream: letters, digits, `-` and `_`", view.shown()));
    }
    Nats {
        servers,
        monitoring,
        sync_always: vouched.unwrap_or_default(),
        stream: section.text(&stream::stream).map(|(stream, _)| stream.to_owned()),
        partitions: section.value(&stream::partitions) as u32,
        replicas: section.value(&stream::replicas) as u32,
        lease: section.given(&stream::lease),
        quarantine_directory: section
            .text(&stream::quarantine_directory)
            .map(|(path, _)| PathBuf::from(path)),
        credentials: read_nats_credentials(&section),
        tls,
    }
}

/// A list of URLs of one of these schemes.
fn read_urls(section: &Section, key: &Key<Texts>, schemes: &[&str], of: &str) -> Vec<String> {
    let texts = section.get(key).map(|view| view.texts()).unwrap_or_default();
    for (url, view) in &texts {
        let rest = url.split_once("://").filter(|(scheme, _)| schemes.contains(scheme)).map(|(_, rest)| rest);
        // What stands there may be a password, so it is shown neither here nor by whoever connects.
        if rest.is_some_and(|rest| rest.contains('@')) {
            view.error(format!(
                "holds a user or a password, which {of} is not told in a URL: {}",
                remedy(key.definition.name)
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
    let ways = [&stream::credentials_file, &stream::token, &stream::username]
        .into_iter()
        .filter_map(|key| section.text(key));
    if let Some((_, second)) = ways.clone().nth(1) {
        second.key_error(
            "is a second way to say who preamp is: keep one of credentials_file, token and username",
        );
    }
    let password = section.text(&stream::password);
    if let Some((file, _)) = section.text(&stream::credentials_file) {
        return NatsCredentials::File(PathBuf::from(file));
    }
    if let Some((token, _)) = section.text(&stream::token) {
        return NatsCredentials::Token(Secret::new(token.to_owned()));
    }
    match (section.text(&stream::username), password) {
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
