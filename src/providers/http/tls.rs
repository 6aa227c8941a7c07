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
    let unreadable = |why: String| Reason::new(ReasonCode::TlsFailed).raw(format!("ca_file: {why}"));
    let mut store = roots.clone();
    let mut added = 0;
    let pem = paths::settings(file).map_err(|e| unreadable(paths::plain(&e)))?;
    for cert in CertificateDer::pem_slice_iter(&pem) {
        store.add(cert.map_err(|e| unreadable(e.to_string()))?).map_err(|e| unreadable(e.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(unreadable("no certificate in it".to_owned()));
    }
    build(store)
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
