//! Trust: the system's certificates, read once, and a gateway's own CA beside them. There is no switch that accepts anything.

use crate::{
    domain::{Reason, ReasonCode},
    store::paths,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

/// The configuration for a gateway; the system's certificates are read on the first call of the process.
///
/// # Errors
/// `TlsFailed` when `ca_file` cannot be read or holds no certificate.
pub fn config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Reason> {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    static PLAIN: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        store
    });
    let Some(file) = ca_file else {
        if let Some(made) = PLAIN.get() {
            return Ok(Arc::clone(made));
        }
        let made = build(roots.clone())?;
        return Ok(Arc::clone(PLAIN.get_or_init(|| made)));
    };
    let mut store = roots.clone();
    for cert in authority(file).map_err(|why| Reason::new(ReasonCode::TlsFailed).raw(format!("ca_file: {why}")))?.1 {
        store.add(cert).map_err(|e| Reason::new(ReasonCode::TlsFailed).raw(format!("ca_file: {e}")))?;
    }
    build(store)
}

/// The text of a `ca_file` and the certificates in it, at least one. A pipe is not waited for, and what has no end is not read to it.
///
/// # Errors
/// Why it is of no use, in a few words.
pub fn authority(file: &Path) -> Result<(Vec<u8>, Vec<CertificateDer<'static>>), String> {
    let pem = paths::settings(file).map_err(|e| paths::plain(&e))?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    // A root that takes none of them says why at once, not at the first connection.
    let mut one = RootCertStore::empty();
    for cert in &found {
        one.add(cert.clone()).map_err(|e| e.to_string())?;
    }
    if one.is_empty() { Err("no certificate in it".to_owned()) } else { Ok((pem, found)) }
}

/// A configuration that trusts nobody, for plain http, where TLS is never begun.
///
/// # Errors
/// `Internal`, if the crypto provider offers no protocol version.
pub fn none() -> Result<Arc<ClientConfig>, Reason> {
    build(RootCertStore::empty())
}

fn build(roots: RootCertStore) -> Result<Arc<ClientConfig>, Reason> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Reason::new(ReasonCode::Internal).raw(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
