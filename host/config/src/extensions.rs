//! `extensions`: of those that the Collector has, this version serves `sigv4auth`, `bearertokenauth` and `basicauth`, the
//! health checks and `file_storage`; `nats` is its own.

use super::authorization::{self, read_authorization};
use super::definition::Type;
use super::health::{self, HEALTH_CHECK, read_health};
use super::ids::{Component, find, read_references};
use super::senders::{self, BASIC, BEARER, NEEDED, is_of_senders, read_senders};
use super::settings::{Authorization, Health, Senders};
use super::sigv4auth::{self, SIGV4AUTH, Sigv4Auth, read_sigv4auth};
use super::storage::{self, FILE_STORAGE, Kept, NATS, read_file_storage, read_nats};
use super::view::keys::NOT_YET;
use super::view::{Section, View};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// All types that do something.
const SERVED: [&str; 10] = [
    SIGV4AUTH[0],
    SIGV4AUTH[1],
    BEARER[0],
    BEARER[1],
    BASIC[0],
    BASIC[1],
    HEALTH_CHECK[0],
    HEALTH_CHECK[1],
    FILE_STORAGE,
    NATS,
];

/// The same, with their keys.
pub(super) const TYPES: &[Type] = &[
    sigv4auth::TYPES[0],
    senders::TYPES[0],
    senders::TYPES[1],
    health::TYPES[0],
    storage::TYPES[0],
    storage::TYPES[1],
];

/// Types that only serve whoever debugs the Collector itself.
const DEBUGGING: [&str; 2] = ["pprof", "zpages"];

/// How an exporter is authenticated.
pub(super) enum Authenticator<'e, 'd> {
    /// By a signature.
    Signs(&'e Sigv4Auth<'d>),
    /// By what each request shows.
    Shows(Authorization),
}

/// The extensions of a file.
pub(super) struct Extensions<'d> {
    defined: Vec<Component<'d>>,
    sigv4auths: Vec<(&'d str, Sigv4Auth<'d>)>,
    senders: Vec<(&'d str, Option<Senders>)>,
    authorizations: Vec<(&'d str, Option<Authorization>)>,
    healths: Vec<(&'d str, Option<Health>)>,
    storages: Vec<(&'d str, Kept)>,
    enabled: BTreeSet<&'d str>,
    used: RefCell<BTreeSet<&'d str>>,
}

impl<'d> Extensions<'d> {
    /// Reads what is defined; `enabled` is the list `service.extensions`.
    pub fn read(defined: Vec<Component<'d>>, enabled: &[(&'d str, View<'d>)]) -> Self {
        for (id, reference) in enabled {
            if let Some(extension) = find(&defined, id, "extension", reference) {
                check_supported(extension, reference);
            }
        }
        let of_kind = |kinds: &'static [&'static str]| {
            defined.iter().filter(move |extension| kinds.contains(&extension.kind))
        };
        let sigv4auths = of_kind(&SIGV4AUTH);
        let senders = || defined.iter().filter(|extension| is_of_senders(extension.kind));
        let authorizations = senders().map(|extension| (extension.id, read_authorization(extension)));
        let healths = of_kind(&HEALTH_CHECK);
        let storages = of_kind(&[FILE_STORAGE, NATS]);
        Extensions {
            sigv4auths: sigv4auths.map(|extension| (extension.id, read_sigv4auth(&extension.view))).collect(),
            authorizations: authorizations.collect(),
            senders: senders().map(|extension| (extension.id, read_senders(extension))).collect(),
            healths: healths.map(|extension| (extension.id, read_health(extension))).collect(),
            storages: storages.map(|extension| (extension.id, read_storage(extension))).collect(),
            defined,
            enabled: enabled.iter().map(|(id, _)| *id).collect(),
            used: RefCell::default(),
        }
    }

    /// What an exporter names to be authenticated by; `None` after it was reported why it cannot be used.
    pub fn authenticator(&self, reference: &View<'d>) -> Option<Authenticator<'_, 'd>> {
        let id = reference.text()?;
        if self.authorizations.iter().any(|(own, _)| *own == id) {
            let authorization = self.referred(reference, &self.authorizations, |_| String::new())?;
            if authorization.is_none() {
                reference.error(format!(
                    "the extension gives an exporter nothing to show: it needs {}",
                    authorization::NEEDED
                ));
            }
            return authorization.clone().map(Authenticator::Shows);
        }
        // Sending without one would drop the protection the operator asked for.
        let signer = self.referred(reference, &self.sigv4auths, |kind| {
            format!("the authenticator {kind} is {NOT_YET}; it takes sigv4auth, basicauth or bearertokenauth")
        });
        signer.map(Authenticator::Signs)
    }

    /// Who may send to a receiver that names them; `None` after it was reported why that cannot be told.
    pub fn senders(&self, reference: &View<'d>) -> Option<Senders> {
        // Taking what anybody sends would drop the protection the operator asked for.
        let senders = self.referred(reference, &self.senders, |kind| {
            format!(
                "the authenticator `{kind}` of a receiver is {NOT_YET}; it takes bearertokenauth or basicauth"
            )
        });
        let senders = senders?.clone();
        if senders.is_none() {
            reference.error(format!("the extension does not say who may send: it needs {NEEDED}"));
        }
        senders
    }

    /// The storage that an exporter names; `None` after it was reported why it cannot be used.
    pub fn storage(&self, reference: &View<'d>) -> Option<&Kept> {
        self.referred(reference, &self.storages, |kind| {
            format!("the storage {kind} is {NOT_YET}; it takes {FILE_STORAGE} or {NATS}")
        })
    }

    /// The section of an extension `nats` that an exporter names.
    pub fn nats(&self, reference: &View<'d>) -> Option<Section<'d>> {
        let id = reference.text()?;
        let extension = self.defined.iter().find(|extension| extension.id == id && extension.kind == NATS)?;
        Some(extension.view.section(storage::TYPES[1].tables))
    }

    /// What was read of the extension that is referred to, if it is one of these and switched on.
    fn referred<'s, T>(
        &'s self,
        reference: &View<'d>,
        read: &'s [(&'d str, T)],
        unsupported: impl Fn(&str) -> String,
    ) -> Option<&'s T> {
        let id = reference.text()?;
        let extension = find(&self.defined, id, "extension", reference)?;
        let Some((id, extension)) = read.iter().find(|(id, _)| *id == extension.id) else {
            reference.error(unsupported(&reference.quoted(extension.kind)));
            return None;
        };
        if !self.enabled.contains(id) {
            let extension = reference.quoted(id);
            reference.error(format!(
                "the extension {extension} is not switched on: list it in `service.extensions`"
            ));
            return None;
        }
        self.used.borrow_mut().insert(id);
        Some(extension)
    }

    /// Who tells whether the process is well.
    pub fn health(&self) -> Option<Health> {
        let mut enabled = self.healths.iter().filter(|(id, _)| self.enabled.contains(id));
        let (_, health) = enabled.next()?;
        for (second, _) in enabled {
            let second = self.defined.iter().find(|extension| extension.id == *second);
            second.iter().for_each(|extension| {
                extension.view.error("a second one that tells of health is not supported: keep one of them");
            });
        }
        health.clone()
    }

    /// Warns of extensions that nothing refers to.
    pub fn warn_of_unused(&self) {
        for extension in &self.defined {
            let is_used = self.used.borrow().contains(extension.id);
            if !self.enabled.contains(extension.id) {
                extension.view.warn("is not listed in `service.extensions` and does nothing");
            } else if SIGV4AUTH.contains(&extension.kind) && !is_used {
                extension
                    .view
                    .warn("no exporter names it in `auth.authenticator`: nothing is signed with it");
            } else if is_of_senders(extension.kind) && !is_used {
                extension
                    .view
                    .warn("no receiver and no exporter names it in `auth.authenticator`: it does nothing");
            } else if [FILE_STORAGE, NATS].contains(&extension.kind) && !is_used {
                extension.view.warn("no exporter names it in `sending_queue.storage`: nothing is kept in it");
            }
        }
    }
}

/// What authenticates an exporter among `service.extensions`, for who looks at no other extension.
pub(super) fn read_authenticators<'d>(service: Option<View<'d>>) -> Vec<(&'d str, View<'d>)> {
    let entries = service.map(|view| view.entries()).unwrap_or_default();
    let enabled = entries.into_iter().find(|(key, _)| *key == "extensions");
    let enabled = enabled.map(|(_, view)| read_references(&view)).unwrap_or_default();
    let authenticates = |id: &str| {
        let kind = id.split('/').next().unwrap_or_default();
        SIGV4AUTH.contains(&kind) || is_of_senders(kind)
    };
    enabled.into_iter().filter(|(id, _)| authenticates(id)).collect()
}

fn read_storage(extension: &Component) -> Kept {
    match extension.kind {
        NATS => Kept::InStream(Box::new(read_nats(&extension.view))),
        _ => Kept::InFiles(read_file_storage(&extension.view)),
    }
}

fn check_supported(extension: &Component, reference: &View) {
    if DEBUGGING.contains(&extension.kind) {
        let kind = reference.quoted(extension.kind);
        reference.warn(format!("the extension {kind} is ignored: it shows the Collector's own insides"));
    } else if !SERVED.contains(&extension.kind) {
        reference.error(extension.unsupported("extension", &SERVED));
    }
}
