//! `tls` of a client or a server: whom to trust, who this side is, and which versions are spoken.

use super::cipher_suites::CIPHER_SUITES;
use super::keys::{Harmless, Key, ignored, not_yet, read};
use super::settings::{ClientTls, Pem, ServerTls, TlsIdentity, TlsProtocol, TlsVersion};
use super::view::{Section, View};
use preamp_base::Secret;

/// What both sides have.
const COMMON: &[Key] = &[
    read("ca_file"),
    read("ca_pem"),
    read("cert_file"),
    read("cert_pem"),
    read("key_file"),
    read("key_pem"),
    read("min_version"),
    read("max_version"),
    read("cipher_suites"),
    not_yet("tpm", Harmless::Off),
    ignored("include_insecure_cipher_suites", "the TLS library has none"),
    ignored("curve_preferences", "the TLS library's own order is used"),
    ignored("reload_interval", "changed files are used from the next connection on"),
];

const CLIENT: &[Key] = &[
    read("insecure"),
    read("insecure_skip_verify"),
    read("server_name_override"),
    read("include_system_ca_certs_pool"),
];

const SERVER: &[Key] = &[
    read("enabled"),
    read("client_ca_file"),
    ignored("client_ca_file_reload", "a changed file is used from the next connection on"),
    ignored("include_system_ca_certs_pool", "a server trusts those of `client_ca_file` only"),
];

/// Reads `tls` of a client that connects to a URL, as far as that is known.
pub(super) fn read_client_tls(view: &View, url: Option<&str>) -> ClientTls {
    let section = view.section(&[COMMON, CLIENT]);
    let flag = |key| section.get(key).and_then(|view| Some((view.boolean()?, view)));
    if let (Some((true, insecure)), Some(url)) = (flag("insecure"), url)
        && url.starts_with("https:")
    {
        insecure.warn("changes nothing: the scheme of the endpoint says whether TLS is used");
    }
    let skips = flag("insecure_skip_verify");
    if let Some((true, view)) = &skips {
        view.warn(
            "the receiver's certificate goes unchecked: anybody in between can read and change what is sent",
        );
    }
    ClientTls {
        ca: read_pem(&section, "ca_file", "ca_pem"),
        include_system_ca_certs_pool: flag("include_system_ca_certs_pool").is_some_and(|(flag, _)| flag),
        identity: read_identity(&section),
        server_name: section.text("server_name_override").map(|(name, _)| name.to_owned()),
        insecure_skip_verify: skips.is_some_and(|(skips, _)| skips),
        protocol: read_protocol(&section),
    }
}

/// Reads `tls` of a server, which can be switched off; `None` after something was reported.
pub(super) fn read_server_tls(view: &View) -> Option<Option<ServerTls>> {
    let section = view.section(&[COMMON, SERVER]);
    if section.get("enabled").and_then(|view| view.boolean()) == Some(false) {
        return Some(None);
    }
    for key in ["ca_file", "ca_pem"] {
        if let Some(view) = section.get(key) {
            view.key_error("is whom a client trusts; whom this server trusts stands in `client_ca_file`");
        }
    }
    let identity = read_identity(&section);
    if identity.is_none()
        && ["cert_file", "cert_pem", "key_file", "key_pem"].iter().all(|key| section.get(key).is_none())
    {
        view.error("lacks `cert_file` and `key_file`, which a server shows to whoever connects");
    }
    let client_ca = section.text("client_ca_file").map(|(path, view)| {
        view.names_file(path.as_ref());
        Pem::File(path.into())
    });
    Some(Some(ServerTls { identity: identity?, client_ca, protocol: read_protocol(&section) }))
}

/// A certificate and its key, which only stand together.
fn read_identity(section: &Section) -> Option<TlsIdentity> {
    let certificate = read_pem(section, "cert_file", "cert_pem");
    let key = read_pem(section, "key_file", "key_pem");
    let view_of = |keys: [&str; 2]| keys.iter().find_map(|key| section.get(key));
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsIdentity { certificate, key }),
        (Some(_), None) => {
            let view = view_of(["cert_file", "cert_pem"])?;
            view.key_error("needs the key of the certificate beside it: `key_file`");
            None
        }
        (None, Some(_)) => {
            let view = view_of(["key_file", "key_pem"])?;
            view.key_error("needs the certificate of the key beside it: `cert_file`");
            None
        }
        (None, None) => None,
    }
}

/// What stands in a file, or in the configuration itself.
fn read_pem(section: &Section, file: &str, pem: &str) -> Option<Pem> {
    match (section.text(file), section.text(pem)) {
        (Some(_), Some((_, view))) => {
            view.key_error(format!("cannot stand beside `{file}`: keep one of the two"));
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
    let default = TlsProtocol::default();
    let min = read_version(section, "min_version").unwrap_or(default.min);
    let max = read_version(section, "max_version").unwrap_or(default.max);
    if min > max
        && let Some(view) = section.get("max_version")
    {
        view.error("is below `min_version`: no version is left");
    }
    TlsProtocol { min, max, cipher_suites: read_cipher_suites(section) }
}

fn read_version(section: &Section, key: &str) -> Option<TlsVersion> {
    let (text, view) = section.text(key)?;
    match text {
        "1.2" => Some(TlsVersion::V1_2),
        "1.3" => Some(TlsVersion::V1_3),
        "1.0" | "1.1" => {
            // What the file allows beyond what there is does no harm, what it demands does.
            if key == "min_version" {
                view.warn("preamp speaks TLS 1.2 and newer only");
                return Some(TlsVersion::V1_2);
            }
            view.error("preamp speaks TLS 1.2 and newer only: write 1.2 or 1.3");
            None
        }
        _ => {
            view.error(format!("{} is no version of TLS: write \"1.2\" or \"1.3\"", view.shown()));
            None
        }
    }
}

fn read_cipher_suites(section: &Section) -> Vec<String> {
    let Some(view) = section.get("cipher_suites") else { return Vec::new() };
    let texts = view.texts();
    for (name, view) in &texts {
        if !CIPHER_SUITES.contains(name) {
            let hint = view.suggest(name, CIPHER_SUITES.iter().copied());
            view.error(format!("{} is no cipher suite of this version of preamp; {hint}", view.shown()));
        }
    }
    texts.into_iter().map(|(name, _)| name.to_owned()).collect()
}
