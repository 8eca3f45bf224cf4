//! What the load could do if no product stood in its way: the same bodies into a bare TLS server on the product's core
//! that decrypts and throws away. A figure near this one would say more about the load than about the product.

use std::{net::SocketAddr, sync::Arc, thread};

use rustix::thread::{CpuSet, sched_setaffinity};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{io::BufReader, net::TcpListener, sync::oneshot};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, version::TLS13},
};

use super::{backend, kit::Kit, product::SERVER_CORE};

/// Bytes read from a connection at once.
const READ_AT_ONCE: usize = 256 * 1024;

/// A sink; dropped, its thread ends.
pub struct Sink {
    /// Where it listens.
    pub address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Sink {
    /// Begins to listen.
    pub fn start(kit: &Kit) -> anyhow::Result<Self> {
        let chain =
            CertificateDer::pem_file_iter(kit.tls().join("certificate.pem"))?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(kit.tls().join("key.pem"))?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("sink".to_owned()).spawn(move || {
            let mut set = CpuSet::new();
            set.set(SERVER_CORE);
            sched_setaffinity(None, &set)?;
            runtime.block_on(async {
                tokio::select! {
                    ended = serve(listener, TlsAcceptor::from(Arc::new(config))) => ended,
                    _ = stopped => Ok(()),
                }
            })
        })?;
        Ok(Sink { address, _stop: stop })
    }
}

async fn serve(listener: std::net::TcpListener, acceptor: TlsAcceptor) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        // Read in large pieces below TLS, so that it is not the sink that is slow.
        let stream = BufReader::with_capacity(READ_AT_ONCE, stream);
        tokio::spawn(async move { backend::serve(acceptor.accept(stream).await?).await });
    }
}
