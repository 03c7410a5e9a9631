//! Certificates made by OpenSSL, in a temporary folder, and their fingerprints as OpenSSL computes them.
//!
//! Runs `openssl req` and `openssl x509`. From our own code it uses only the parser of fingerprints.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dtls_core::{Certificate, Fingerprint};

use crate::program::Program;

/// The kinds of key that a WebRTC certificate may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyKind {
    P256,
    P384,
    Ed25519,
    Rsa2048,
}

/// The files of one certificate and its key.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// One certificate of each kind, or why there is none.
pub(crate) struct Certificates {
    folder: PathBuf,
    files: BTreeMap<KeyKind, Result<Files, String>>,
}

impl Certificates {
    pub(crate) fn generate() -> Self {
        let folder = std::env::temp_dir().join(format!("interop-{}", std::process::id()));
        let made = fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()));
        let kinds = [KeyKind::P256, KeyKind::P384, KeyKind::Ed25519, KeyKind::Rsa2048];
        let files = kinds.map(|kind| (kind, made.clone().and_then(|()| generate(&folder, kind))));
        Self { folder, files: files.into_iter().collect() }
    }

    /// The folder of the files, removed with this value.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn files(&self, kind: KeyKind) -> Result<&Files, String> {
        match self.files.get(&kind) {
            Some(files) => files.as_ref().map_err(Clone::clone),
            None => Err(format!("no {kind:?} certificate")),
        }
    }

    /// The certificate's fingerprint as OpenSSL prints it.
    pub(crate) fn fingerprint(&self, kind: KeyKind) -> Result<Fingerprint, String> {
        fingerprint_of(&read(&self.files(kind)?.certificate)?)
    }

    /// The same certificate and key as our own identity.
    pub(crate) fn ours(&self, kind: KeyKind) -> Result<Certificate, String> {
        let files = self.files(kind)?;
        let pem = format!("{}{}", read(&files.certificate)?, read(&files.key)?);
        Certificate::from_pem(&pem)
            .map_err(|error| format!("our side does not take a {kind:?} certificate: {error}"))
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The fingerprint of the first certificate in a text, as OpenSSL computes it.
pub(crate) fn fingerprint_of(pem: &str) -> Result<Fingerprint, String> {
    let arguments = ["x509", "-noout", "-fingerprint", "-sha256"];
    let printed = Program::run(Command::new("openssl").args(arguments), pem.as_bytes())?;
    let (_, hex) = printed.trim().split_once('=').ok_or_else(|| format!("no fingerprint in `{printed}`"))?;
    format!("sha-256 {hex}").parse().map_err(|error| format!("`{hex}` is no fingerprint: {error}"))
}

fn generate(folder: &Path, kind: KeyKind) -> Result<Files, String> {
    let files = Files {
        certificate: folder.join(format!("{kind:?}.pem")),
        key: folder.join(format!("{kind:?}.key")),
    };
    let key: &[&str] = match kind {
        KeyKind::P256 => &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        KeyKind::P384 => &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        KeyKind::Ed25519 => &["ed25519"],
        KeyKind::Rsa2048 => &["rsa:2048"],
    };
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=WebRTC", "-newkey"]).args(key);
    command.arg("-keyout").arg(&files.key).arg("-out").arg(&files.certificate);
    Program::run(&mut command, b"")?;
    Ok(files)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
