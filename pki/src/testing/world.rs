//! Two sides of a handshake, and a wire of buffers between them.

use std::{ops::DerefMut, path::Path, sync::Arc};

use protocol::party::Environment;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, Error as TlsError, ServerConfig, ServerConnection,
    SideData,
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{Authority, HOST, Leaf, client_params, credential, key_pem, server_params, trust};
use crate::{
    pem,
    provider::key_provider,
    tls::{Judged, TlsPolicy, TlsServer, client_config},
    trust::Trust,
};

/// A root, one good client and one good server.
pub(crate) struct World {
    pub(crate) root: Authority,
    pub(crate) client: Leaf,
    pub(crate) server: Leaf,
}

impl World {
    pub(crate) fn new() -> Self {
        let root = Authority::root("root");
        let client = root.leaf(&client_params());
        let server = root.leaf(&server_params());
        World { root, client, server }
    }

    pub(crate) fn trust(&self) -> Arc<Trust> {
        Arc::new(trust(&[&self.root.der], &[], &[&self.root.crl(1, &[])]))
    }

    pub(crate) fn server(&self, trust: Arc<Trust>, policy: TlsPolicy) -> TlsServer {
        let own = credential(&self.server, &[]);
        TlsServer::new(&own, trust, Environment::Test, policy, Arc::new(|_| ())).unwrap()
    }

    /// What one connection is accepted with.
    pub(crate) fn server_config(&self, trust: Arc<Trust>) -> Arc<ServerConfig> {
        self.accepting(trust).0
    }

    pub(crate) fn accepting(&self, trust: Arc<Trust>) -> (Arc<ServerConfig>, Judged) {
        self.server(trust, TlsPolicy::default()).connection().unwrap()
    }

    pub(crate) fn client_config(&self, trust: Arc<Trust>) -> Arc<ClientConfig> {
        self.client_by(trust, TlsPolicy::default())
    }

    pub(crate) fn client_by(&self, trust: Arc<Trust>, policy: TlsPolicy) -> Arc<ClientConfig> {
        let own = credential(&self.client, &[]);
        client_config(&own, trust, "review-agency:113".parse().unwrap(), Environment::Test, policy).unwrap()
    }
}

/// Shows one leaf's certificate and signs with the other's key; neither needs to be fit for anything.
pub(crate) fn stolen(shown: &Leaf, signing: &Leaf) -> Arc<SingleCertAndKey> {
    let key = pem::private_key_in(&key_pem(&signing.key), Path::new("key")).unwrap();
    let key = key_provider().load_private_key(key).unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![shown.der.clone()], key)))
}

/// How a handshake ended on each side.
pub(crate) struct Met {
    pub(crate) client: Result<ClientConnection, TlsError>,
    pub(crate) server: Result<ServerConnection, TlsError>,
}

/// Lets both sides talk until neither has anything to say.
pub(crate) fn meet(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> Met {
    meet_at(client, server, HOST)
}

pub(crate) fn meet_at(client: Arc<ClientConfig>, server: Arc<ServerConfig>, host: &'static str) -> Met {
    let mut client = ClientConnection::new(client, host.try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    let (client_end, server_end) = exchange(&mut client, &mut server);
    Met { client: client_end.map(|()| client), server: server_end.map(|()| server) }
}

/// Lets two sides that exist already talk until neither has anything to say.
pub(crate) fn talk(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), TlsError> {
    let (client_end, server_end) = exchange(client, server);
    client_end.and(server_end)
}

/// As [`talk`], with how it ended on each side.
pub(crate) fn exchange(
    client: &mut ClientConnection,
    server: &mut ServerConnection,
) -> (Result<(), TlsError>, Result<(), TlsError>) {
    let (mut client_end, mut server_end) = (Ok(()), Ok(()));
    while client.wants_write() || server.wants_write() {
        server_end = carry(client, server).and(server_end);
        client_end = carry(server, client).and(client_end);
    }
    (client_end, server_end)
}

/// Brings what one side has to say to the other.
pub(crate) fn carry<A: SideData, B: SideData>(
    from: &mut impl DerefMut<Target = ConnectionCommon<A>>,
    to: &mut impl DerefMut<Target = ConnectionCommon<B>>,
) -> Result<(), TlsError> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut unread = wire.as_slice();
    while !unread.is_empty() {
        to.read_tls(&mut unread).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}
