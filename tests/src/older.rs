//! A centre of an older version, which knows no engine for content: somebody who holds the certificate of a centre of today,
//! agrees on nothing but `http/1.1`, and passes on to it what is said.

use std::{net::SocketAddr, sync::Arc};

use pki::tls::ALPN;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{io::copy_bidirectional, net::TcpListener, task::JoinSet};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, server::WebPkiClientVerifier},
};

use crate::{setting::Setting, wire::Engine};

/// It. Ends with what it passes on.
pub struct OlderCentre {
    /// Where it listens.
    pub address: SocketAddr,
    _connections: JoinSet<()>,
}

impl OlderCentre {
    /// Before the centre of this setting, for its sender.
    pub async fn before(setting: &Setting) -> Self {
        let (acceptor, behind) = (acceptor(setting), setting.caller.with(Engine::Hyper));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut passed_on = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                passed_on.spawn(async move {
                    let Ok(mut front) = acceptor.accept(stream).await else { return };
                    let mut back = behind.line().await.stream;
                    // However it ends, both sides see it.
                    let _ = copy_bidirectional(&mut front, &mut back).await;
                });
            }
        });
        OlderCentre { address, _connections: connections }
    }
}

fn acceptor(setting: &Setting) -> TlsAcceptor {
    let tls = setting.centre.site.directory.join("tls");
    let certificates = |name: &str| {
        let certificates = CertificateDer::pem_file_iter(tls.join(name)).unwrap();
        certificates.map(Result::unwrap).collect::<Vec<_>>()
    };
    let mut roots = RootCertStore::empty();
    for name in ["root.pem", "issuing.pem"] {
        roots.add_parsable_certificates(certificates(name));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let key = PrivateKeyDer::from_pem_file(tls.join("key.pem")).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(certificates("certificate.pem"), key)
        .unwrap();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    TlsAcceptor::from(Arc::new(config))
}
