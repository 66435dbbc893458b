//! TLS as libpq means it, over rustls with ring.
//!
//! | sslmode | encrypted | an authority vouches | the certificate names the host |
//! | --- | --- | --- | --- |
//! | allow, prefer | perhaps | no | no |
//! | require | yes | no | no |
//! | verify-ca | yes | yes | no |
//! | verify-full | yes | yes | yes |
//!
//! Even where nobody vouches for the certificate, the handshake's signature is checked. A certificate that is itself
//! among the authorities is vouched for, although webpki would refuse a self-signed authority as a server.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::conninfo::ConninfoError;
use super::target::{Roots, SslMode, TlsSettings};

/// Makes the TLS side of a connection; `None` where TLS is switched off.
pub(super) fn connector(settings: &TlsSettings) -> Result<Option<MakeRustlsConnect>, ConninfoError> {
    let check = match settings.mode {
        SslMode::Disable => return Ok(None),
        SslMode::Allow | SslMode::Prefer | SslMode::Require => Check::Nothing,
        SslMode::VerifyCa => Check::Chain,
        SslMode::VerifyFull => Check::ChainAndName,
    };
    let provider = Arc::new(ring::default_provider());
    let authorities = match check {
        Check::Nothing => Vec::new(),
        Check::Chain | Check::ChainAndName => authorities(&settings.roots)?,
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.iter().cloned());
    let verifier = Verifier { check, roots, authorities, provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|error| panic!("BUG: ring has no usable TLS version: {error}"))
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &settings.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
            builder.with_client_auth_cert(chain, private).map_err(|error| unusable(certificate, &error))?
        }
    };
    if settings.direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(Some(MakeRustlsConnect::new(config)))
}

fn authorities(roots: &Roots) -> Result<Vec<CertificateDer<'static>>, ConninfoError> {
    match roots {
        Roots::None => Ok(Vec::new()),
        Roots::File(file) => certificates(file),
        Roots::System => {
            let loaded = rustls_native_certs::load_native_certs();
            match loaded.errors.first() {
                Some(error) if loaded.certs.is_empty() => Err(ConninfoError::Certificate {
                    file: "the system's certificates".to_owned(),
                    reason: error.to_string(),
                }),
                Some(_) | None => Ok(loaded.certs),
            }
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ConninfoError> {
    let found: Vec<_> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(|error| unusable(file, &error))?;
    if found.is_empty() {
        return Err(unusable(file, &"there is no certificate in it"));
    }
    Ok(found)
}

fn unusable(file: &Path, reason: &dyn std::fmt::Display) -> ConninfoError {
    ConninfoError::Certificate { file: file.display().to_string(), reason: reason.to_string() }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    roots: RootCertStore,
    authorities: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn check_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        if self.authorities.iter().any(|authority| authority.as_ref() == end_entity.as_ref()) {
            return Ok(());
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(parsed, &self.roots, intermediates, now, algorithms)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.check == Check::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let parsed = ParsedCertificate::try_from(end_entity)?;
        self.check_chain(end_entity, &parsed, intermediates, now)?;
        if self.check == Check::ChainAndName {
            verify_server_name(&parsed, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
