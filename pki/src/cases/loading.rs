//! Cases 10 to 12, 31 and 33: files and settings that must not open the door.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use protocol::party::Environment;
use tempfile::TempDir;

use crate::{
    clock::now,
    credential::{Credential, CredentialFault},
    fault::PeerFault,
    leaf::Purpose,
    pem::{self, PemFault},
    policy::Policy,
    signatures::Signatures,
    testing::{
        self, Authority, certificates_pem, crls_pem, key_pem,
        world::{World, meet},
    },
    tls::{Groups, TlsPolicy, TlsServer, Versions, own_refusal},
    trust::{Trust, TrustFault, TrustFiles},
};

/// A root and a client of it, the files of a good trust, and that trust.
struct Place {
    directory: TempDir,
    root: Authority,
    client: testing::Leaf,
}

impl Place {
    fn new() -> Self {
        let root = Authority::root("root");
        let client = root.leaf(&testing::client_params());
        let place = Place { directory: tempfile::tempdir().unwrap(), root, client };
        place.write("anchors.pem", &certificates_pem(&[&place.root.der]));
        place.write("crls.pem", &crls_pem(&[&place.root.crl(1, &[])]));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        durable::replace(&path, content, durable::Access::Private).unwrap();
        path
    }

    fn load(&self, anchors: &Path, crls: &Path) -> Result<Trust, TrustFault> {
        let files =
            TrustFiles { anchors: vec![anchors.into()], crls: vec![crls.into()], ..TrustFiles::default() };
        Trust::load(&files, Policy::default(), now())
    }

    fn good(&self) -> Trust {
        self.load(&self.path("anchors.pem"), &self.path("crls.pem")).unwrap()
    }
}

/// The fault with everything below it, as a person sees it.
fn told(fault: &dyn Error) -> String {
    let below = fault.source().map(|source| format!(": {}", told(source))).unwrap_or_default();
    format!("{fault}{below}")
}

/// Contents that are no whole PEM file of what is wanted, made from one that is, and from one of another kind.
fn spoilt(good: &[u8], other_kind: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8(good.to_vec()).unwrap();
    vec![
        vec![],
        b"# nothing yet\n".to_vec(),
        b"\xff\xfe\x00garbage".to_vec(),
        good[..good.len() / 2].to_vec(),
        good[..good.len() - 30].to_vec(),
        text.replace("BEGIN CERTIFICATE", "BEGIN TRUSTED CERTIFICATE")
            .replace("END CERTIFICATE", "END TRUSTED CERTIFICATE")
            .replace("X509 CRL", "CRL")
            .into_bytes(),
        text.replacen('M', "!", 1).into_bytes(),
        // Base64 of a structure that ends early.
        pem::encode(if text.contains("CRL") { pem::CRL } else { pem::CERTIFICATE }, &[0x30, 0x03, 0x02])
            .into_bytes(),
        other_kind.to_vec(),
    ]
}

#[test]
fn case_10_a_missing_empty_unreadable_or_malformed_file_of_authorities_is_refused_by_name_and_the_old_ones_stay()
 {
    let place = Place::new();
    let held = place.good();
    let (good, other_kind) =
        (fs::read(place.path("anchors.pem")).unwrap(), fs::read(place.path("crls.pem")).unwrap());
    let directory = place.directory.path().to_owned();
    let mut files = vec![place.path("missing.pem"), directory];
    for (at, content) in spoilt(&good, &other_kind).iter().enumerate() {
        files.push(place.write(&format!("anchors-{at}.pem"), content));
    }
    for file in files {
        let fault = place.load(&file, &place.path("crls.pem")).unwrap_err();
        assert!(told(&fault).contains(&file.display().to_string()), "{}", told(&fault));
        // What was built before is untouched by what was refused.
        assert!(held.verify(std::slice::from_ref(&place.client.der), Purpose::TlsClient, now()).is_ok());
    }
}

#[test]
fn case_11_an_empty_cut_vanished_or_mislabelled_file_of_lists_is_refused_by_name_and_the_old_ones_stay() {
    let place = Place::new();
    let held = place.good();
    let (good, other_kind) =
        (fs::read(place.path("crls.pem")).unwrap(), fs::read(place.path("anchors.pem")).unwrap());
    let mut files = vec![place.path("vanished/crls.pem"), place.directory.path().to_owned()];
    for (at, content) in spoilt(&good, &other_kind).iter().enumerate() {
        files.push(place.write(&format!("crls-{at}.pem"), content));
    }
    for file in files {
        let fault = place.load(&place.path("anchors.pem"), &file).unwrap_err();
        assert!(told(&fault).contains(&file.display().to_string()), "{}", told(&fault));
        assert!(held.verify(std::slice::from_ref(&place.client.der), Purpose::TlsClient, now()).is_ok());
    }
}

#[test]
fn case_11_one_bad_list_among_good_ones_is_refused_with_the_name_of_its_file() {
    let place = Place::new();
    let forged = place.write("forged.pem", &crls_pem(&[&Authority::root("root").crl(9, &[])]));
    let files = TrustFiles {
        anchors: vec![place.path("anchors.pem")],
        crls: vec![place.path("crls.pem"), forged.clone()],
        ..TrustFiles::default()
    };
    let fault = Trust::load(&files, Policy::default(), now()).unwrap_err();
    assert!(matches!(&fault, TrustFault::Crl { file, .. } if *file == forged));
    assert!(told(&fault).contains("not signed by its issuer's key"), "{}", told(&fault));
}

#[test]
fn case_12_no_combination_of_settings_lets_in_a_client_without_a_certificate() {
    let world = World::new();
    let bare = |version| {
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(world.root.der.clone()).unwrap();
        let client = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]);
        let mut client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
        client.alpn_protocols = vec![crate::tls::ALPN.to_vec()];
        std::sync::Arc::new(client)
    };
    let mut handshakes = 0;
    for signatures in [Signatures::Usual, Signatures::WithMlDsa, Signatures::Guideline] {
        for versions in [Versions::Tls13, Versions::Tls13AndTls12] {
            for groups in [Groups::HybridFirst, Groups::Guideline] {
                let policy = Policy { signatures, ..Policy::default() };
                let trust = testing::trust_by(policy, &[&world.root.der], &[], &[&world.root.crl(1, &[])]);
                let server = world.server(std::sync::Arc::new(trust), TlsPolicy { versions, groups });
                for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
                    let met = meet(bare(version), server.connection().unwrap().0);
                    let refused = own_refusal(&met.server.unwrap_err());
                    if version.version == rustls::ProtocolVersion::TLSv1_3
                        || versions == Versions::Tls13AndTls12
                    {
                        assert_eq!(refused, Some(PeerFault::NoCert));
                        handshakes += 1;
                    }
                }
            }
        }
    }
    assert_eq!(handshakes, 3 * 2 * 3);
}

#[test]
fn case_31_a_certificate_and_a_key_from_the_two_steps_of_a_replacement_are_refused_together() {
    let place = Place::new();
    let renewed = place.root.leaf(&testing::client_params());
    let old_chain = place.write("old.pem", &certificates_pem(&[&place.client.der]));
    let new_chain = place.write("new.pem", &certificates_pem(&[&renewed.der]));
    let (old_key, new_key) =
        (place.write("old.key", &key_pem(&place.client.key)), place.write("new.key", &key_pem(&renewed.key)));
    let load = |chain: &Path, key: &Path| Credential::load(chain, key, &Policy::default());
    for (chain, key) in [(&new_chain, &old_key), (&old_chain, &new_key)] {
        assert!(matches!(load(chain, key), Err(CredentialFault::KeyMismatch)));
    }
    let held = load(&old_chain, &old_key).unwrap();
    assert!(held.check(Purpose::TlsClient, Environment::Test, now()).is_ok());
    assert!(load(&new_chain, &new_key).is_ok());
}

#[test]
fn case_31_a_server_is_not_built_from_what_is_not_fit_and_the_old_one_goes_on() {
    let world = World::new();
    let server = world.server(world.trust(), TlsPolicy::default());
    // Somebody put the client's certificate in the server's place.
    let wrong = testing::credential(&world.client, &[]);
    let observer = std::sync::Arc::new(|_: &crate::tls::Refused| ());
    assert!(
        TlsServer::new(&wrong, world.trust(), Environment::Test, TlsPolicy::default(), observer).is_err()
    );
    assert!(meet(world.client_config(world.trust()), server.connection().unwrap().0).server.is_ok());
}

#[cfg(unix)]
#[test]
fn case_33_a_key_that_group_or_others_may_read_or_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let file = place.write("key.pem", &key_pem(&place.client.key));
    let with = |mode| {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        pem::private_key(&file)
    };
    for open in [0o640, 0o604, 0o620, 0o644, 0o660, 0o777] {
        assert!(matches!(with(open), Err(PemFault::KeyOpenToOthers { mode, .. }) if mode == open));
        let told = with(open).unwrap_err().to_string();
        assert!(told.contains(&format!("chmod 600 {}", file.display())), "{told}");
    }
    for closed in [0o600, 0o400] {
        assert!(with(closed).is_ok(), "{closed:o}");
    }
}
