//! `tls` of a client or a server: whom to trust, who this side is, and which versions are spoken.

use super::cipher_suites::CIPHER_SUITES;
use super::definition::{Harmless, Sort, Tables, ignored, not_yet};
use super::settings::{ClientTls, Pem, ServerTls, TlsIdentity, TlsProtocol, TlsVersion};
use super::view::keys::{Key, Text, keys};
use super::view::{Section, of_nothing};
use preamp_base::Secret;

/// All keys of `tls` of a client, and of a server.
pub(super) const CLIENT: Tables = &[common::TABLE, client::TABLE];
pub(super) const SERVER: Tables = &[common::TABLE, server::TABLE];

keys! {
    /// What both sides have.
    mod common {
        /// The authorities that are trusted instead of the system's. A client only.
        ca_file: Text.sort(Sort::Path),
        /// The same, in the configuration itself.
        ca_pem: Text,
        /// The certificate of this side, and those that lead to its authority. It needs its key beside it.
        cert_file: Text.sort(Sort::Path),
        /// The same, in the configuration itself.
        cert_pem: Text,
        /// The private key of the certificate.
        key_file: Text.sort(Sort::Path),
        /// The same, in the configuration itself.
        key_pem: Text.sort(Sort::Secret),
        /// The oldest version of TLS that is spoken: 1.2 or 1.3.
        min_version: Text.or("1.2"),
        /// The newest version of TLS that is spoken: 1.2 or 1.3.
        max_version: Text.or("1.3"),
        /// The cipher suites that are offered, by their IANA names.
        cipher_suites: Texts.says("all of the library"),
    } and [
        not_yet("tpm", Harmless::Off),
        ignored("include_insecure_cipher_suites", "the TLS library has none"),
        ignored("curve_preferences", "the TLS library's own order is used"),
        ignored("reload_interval", "changed files are used from the next connection on"),
    ]
}

keys! {
    /// What a client has.
    mod client {
        /// Changes nothing: the scheme of the URL says whether TLS is used.
        insecure: Flag.or(false),
        /// Takes any certificate of the server. Anybody in between can then read and change what is sent.
        insecure_skip_verify: Flag.or(false),
        /// The name that the server's certificate must be for.
        server_name_override: Text.says("the host of the URL"),
        /// Trusts the authorities of the system beside those of `ca_file`.
        include_system_ca_certs_pool: Flag.or(false),
    }
}

keys! {
    /// What a server has.
    mod server {
        /// Speaks TLS. Without the section there is none.
        enabled: Flag.or(true),
        /// Clients need a certificate of these authorities.
        client_ca_file: Text.sort(Sort::Path),
    } and [
        ignored("client_ca_file_reload", "a changed file is used from the next connection on"),
        ignored("include_system_ca_certs_pool", "a server trusts those of `client_ca_file` only"),
    ]
}

/// Reads `tls` of a client that connects to a URL, as far as that is known.
pub(super) fn read_client_tls(section: &Section, url: Option<&str>) -> ClientTls {
    if let (Some(insecure), Some(url)) = (section.on(&client::insecure), url)
        && url.starts_with("https:")
    {
        insecure.warn("changes nothing: the scheme of the endpoint says whether TLS is used");
    }
    let skips = section.on(&client::insecure_skip_verify);
    if let Some(view) = &skips {
        view.warn(
            "the receiver's certificate goes unchecked: anybody in between can read and change what is sent",
        );
    }
    ClientTls {
        ca: read_pem(section, &common::ca_file, &common::ca_pem),
        include_system_ca_certs_pool: section.value(&client::include_system_ca_certs_pool),
        identity: read_identity(section),
        server_name: section.text(&client::server_name_override).map(|(name, _)| name.to_owned()),
        insecure_skip_verify: skips.is_some(),
        protocol: read_protocol(section),
    }
}

/// Reads `tls` of a server, which can be switched off; `None` after something was reported.
pub(super) fn read_server_tls(section: &Section) -> Option<Option<ServerTls>> {
    if !section.value(&server::enabled) {
        return Some(None);
    }
    for key in [&common::ca_file, &common::ca_pem] {
        if let Some(view) = section.get(key) {
            view.key_error("is whom a client trusts; whom this server trusts stands in `client_ca_file`");
        }
    }
    let identity = read_identity(section);
    let parts = [common::cert_file, common::cert_pem, common::key_file, common::key_pem];
    if identity.is_none() && parts.iter().all(|key| section.get(key).is_none()) {
        section.view().error("lacks `cert_file` and `key_file`, which a server shows to whoever connects");
    }
    let client_ca = section.text(&server::client_ca_file).map(|(path, view)| {
        view.names_file(path.as_ref());
        Pem::File(path.into())
    });
    Some(Some(ServerTls { identity: identity?, client_ca, protocol: read_protocol(section) }))
}

/// A certificate and its key, which only stand together.
fn read_identity(section: &Section) -> Option<TlsIdentity> {
    use common::{cert_file, cert_pem, key_file, key_pem};
    let certificate = read_pem(section, &cert_file, &cert_pem);
    let key = read_pem(section, &key_file, &key_pem);
    let view_of = |keys: [&Key<Text>; 2]| keys.iter().find_map(|key| section.get(key));
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsIdentity { certificate, key }),
        (Some(_), None) => {
            let view = view_of([&cert_file, &cert_pem])?;
            view.key_error("needs the key of the certificate beside it: `key_file`");
            None
        }
        (None, Some(_)) => {
            let view = view_of([&key_file, &key_pem])?;
            view.key_error("needs the certificate of the key beside it: `cert_file`");
            None
        }
        (None, None) => None,
    }
}

/// What stands in a file, or in the configuration itself.
fn read_pem(section: &Section, file: &Key<Text>, pem: &Key<Text>) -> Option<Pem> {
    match (section.text(file), section.text(pem)) {
        (Some(_), Some((_, view))) => {
            view.key_error(format!("cannot stand beside `{}`: keep one of the two", file.definition.name));
            None
        }
        (Some((path, view)), None) => {
            view.names_file(path.as_ref());
            Some(Pem::File(path.into()))
        }
        (None, Some((text, _))) => Some(Pem::Text(Secret::new(text.to_owned()))),
        (None, None) => None,
    }
}

fn read_protocol(section: &Section) -> TlsProtocol {
    let min = read_version(section, &common::min_version);
    let max = read_version(section, &common::max_version);
    if min > max
        && let Some(view) = section.get(&common::max_version)
    {
        view.error("is below `min_version`: no version is left");
    }
    TlsProtocol { min, max, cipher_suites: read_cipher_suites(section) }
}

impl Default for TlsProtocol {
    fn default() -> Self {
        of_nothing(read_protocol)
    }
}

fn read_version(section: &Section, key: &Key<Text>) -> TlsVersion {
    let text = section.text_or_default(key);
    if let (None, Some((_, view))) = (version_of(text), section.text(key)) {
        match text {
            // What the file allows beyond what there is does no harm, what it demands does.
            "1.0" | "1.1" if key.definition.name == common::min_version.definition.name => {
                view.warn("preamp speaks TLS 1.2 and newer only");
            }
            "1.0" | "1.1" => view.error("preamp speaks TLS 1.2 and newer only: write 1.2 or 1.3"),
            _ => view.error(format!("{} is no version of TLS: write \"1.2\" or \"1.3\"", view.shown())),
        }
    }
    version_of(text).or(key.preset().and_then(version_of)).unwrap_or(TlsVersion::V1_2)
}

fn version_of(text: &str) -> Option<TlsVersion> {
    match text {
        "1.2" => Some(TlsVersion::V1_2),
        "1.3" => Some(TlsVersion::V1_3),
        _ => None,
    }
}

fn read_cipher_suites(section: &Section) -> Vec<String> {
    let Some(view) = section.get(&common::cipher_suites) else { return Vec::new() };
    let texts = view.texts();
    for (name, view) in &texts {
        if !CIPHER_SUITES.contains(name) {
            let hint = view.suggest(name, CIPHER_SUITES.iter().copied());
            view.error(format!("{} is no cipher suite of this version of preamp; {hint}", view.shown()));
        }
    }
    texts.into_iter().map(|(name, _)| name.to_owned()).collect()
}
