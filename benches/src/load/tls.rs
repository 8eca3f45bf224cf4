//! TLS as a load client speaks it: exactly one cipher suite and one group, so that every server is measured with the
//! same. The server's chain is verified by the library alone; whom it names is no question of a benchmark.

use std::sync::Arc;

use lab::site::SenderSite;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, cipher_suite, kx_group},
    },
    version::TLS13,
};

/// The cipher suite of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// TLS_AES_256_GCM_SHA384.
    Aes256,
    /// TLS_AES_128_GCM_SHA256.
    Aes128,
}

/// The key exchange of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// X25519.
    X25519,
    /// X25519MLKEM768, which the OpenSSL of Debian 12 does not speak.
    Hybrid,
}

impl Suite {
    /// As rows name it.
    pub const fn name(self) -> &'static str {
        match self {
            Suite::Aes256 => "AES-256-GCM",
            Suite::Aes128 => "AES-128-GCM",
        }
    }
}

impl Group {
    /// As rows name it.
    pub const fn name(self) -> &'static str {
        match self {
            Group::X25519 => "X25519",
            Group::Hybrid => "X25519MLKEM768",
        }
    }
}

/// What connections with this sender's certificate are made with; without a sender, with none.
pub fn config(
    sender: Option<&SenderSite>,
    root: &std::path::Path,
    suite: Suite,
    group: Group,
) -> anyhow::Result<Arc<ClientConfig>> {
    let cipher_suites = vec![match suite {
        Suite::Aes256 => cipher_suite::TLS13_AES_256_GCM_SHA384,
        Suite::Aes128 => cipher_suite::TLS13_AES_128_GCM_SHA256,
    }];
    let kx_groups = vec![match group {
        Group::X25519 => kx_group::X25519,
        Group::Hybrid => kx_group::X25519MLKEM768,
    }];
    let provider = CryptoProvider { cipher_suites, kx_groups, ..aws_lc_rs::default_provider() };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root)?)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots);
    let mut config = match sender {
        Some(sender) => {
            let tls = sender.directory.join("tls");
            let chain =
                CertificateDer::pem_file_iter(tls.join("certificate.pem"))?.collect::<Result<_, _>>()?;
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(tls.join("key.pem"))?)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![pki::tls::ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The same, asking for the engine that takes only what moves much.
pub fn bulk(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![pki::tls::ALPN_BULK.to_vec()];
    Arc::new(config)
}
