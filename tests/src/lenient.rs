//! A TLS client that trusts anybody and offers only what a test wants: it finds out what the centre takes.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use pki::pem;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
        SupportedProtocolVersion,
        client::{
            ResolvesClientCert, Resumption,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, aws_lc_rs},
        sign::CertifiedKey,
    },
};

use crate::{forger::Shown, patience::patiently};

/// What the client offers; the rest is whatever the library has.
pub struct Lenient {
    /// Suites and groups.
    pub provider: CryptoProvider,
    /// Versions.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// Schemes for the server's signature.
    pub schemes: Vec<SignatureScheme>,
    /// What it shows, if the server asks.
    pub shown: Option<Shown>,
    /// The schemes that the server asked for when it asked for a certificate.
    pub asked_for: Arc<Mutex<Vec<SignatureScheme>>>,
}

impl Lenient {
    /// All that the library has.
    pub fn new(shown: Option<Shown>) -> Self {
        let provider = CryptoProvider {
            cipher_suites: aws_lc_rs::ALL_CIPHER_SUITES.to_vec(),
            kx_groups: aws_lc_rs::ALL_KX_GROUPS.to_vec(),
            ..aws_lc_rs::default_provider()
        };
        Lenient {
            schemes: provider.signature_verification_algorithms.supported_schemes(),
            provider,
            versions: rustls::ALL_VERSIONS.to_vec(),
            shown,
            asked_for: Arc::default(),
        }
    }

    /// As settings of the library.
    pub fn config(&self) -> Arc<ClientConfig> {
        let provider = Arc::new(self.provider.clone());
        let own = self.shown.as_ref().map(|Shown { chain, key }| {
            let chain = pem::certificates(chain).unwrap();
            Arc::new(CertifiedKey::from_der(chain, pem::private_key(key).unwrap(), &provider).unwrap())
        });
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(self.schemes.clone())))
            .with_client_cert_resolver(Arc::new(Own { own, asked_for: Arc::clone(&self.asked_for) }));
        config.resumption = Resumption::disabled();
        Arc::new(config)
    }

    /// Asks for the checkpoint of the centre's log: its answer, or why there is none. A client of TLS 1.3 does not know
    /// that it was let in before it reads.
    pub async fn ask(&self, centre: SocketAddr) -> io::Result<String> {
        self.say(centre, REQUEST).await
    }

    /// A connection after its handshake.
    pub async fn open(&self, centre: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(centre).await?;
        TlsConnector::from(self.config()).connect(name(), stream).await
    }

    /// As [`Lenient::ask`], with these bytes for its request, which must ask for the end of the connection.
    pub async fn say(&self, centre: SocketAddr, request: &[u8]) -> io::Result<String> {
        let mut stream = self.open(centre).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        patiently("the centre's answer", stream.read_to_end(&mut answer)).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// As [`Lenient::ask`], with its ClientHello cut into records of so many bytes, which are written to the line so many
    /// bytes at a time.
    pub async fn ask_in_crumbs(&self, centre: SocketAddr, record: usize, write: usize) -> io::Result<String> {
        let mut tls = ClientConnection::new(self.config(), name()).map_err(io::Error::other)?;
        let mut stream = TcpStream::connect(centre).await?;
        stream.set_nodelay(true)?;
        let mut hello = Vec::new();
        tls.write_tls(&mut hello)?;
        let (head, message) = hello.split_at(5);
        let cut = message.chunks(record).flat_map(|part| {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&head[..3], &length, part].concat()
        });
        for crumb in cut.collect::<Vec<u8>>().chunks(write) {
            stream.write_all(crumb).await?;
        }
        io::Write::write_all(&mut tls.writer(), REQUEST)?;
        let mut answer = Vec::new();
        loop {
            while tls.wants_write() {
                let mut bytes = Vec::new();
                tls.write_tls(&mut bytes)?;
                stream.write_all(&bytes).await?;
            }
            let mut bytes = [0; 4096];
            let count = patiently("the centre's answer", stream.read(&mut bytes)).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut came = &bytes[..count];
            while !came.is_empty() {
                tls.read_tls(&mut came)?;
                tls.process_new_packets().map_err(io::Error::other)?;
            }
            match io::Read::read_to_end(&mut tls.reader(), &mut answer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                ended => return ended.map(|_| String::from_utf8_lossy(&answer).into_owned()),
            }
        }
    }
}

const REQUEST: &[u8] = b"GET /v1/log/checkpoint HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// The name that it asks for in its hello (RFC 6066 section 3); one of the lab's centre.
fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// Takes every server.
#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// Shows its own certificate, or none, whatever it is asked for; and remembers what that was.
#[derive(Debug)]
struct Own {
    own: Option<Arc<CertifiedKey>>,
    asked_for: Arc<Mutex<Vec<SignatureScheme>>>,
}

impl ResolvesClientCert for Own {
    fn resolve(&self, _roots: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.asked_for.lock().unwrap() = schemes.to_vec();
        self.own.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}
