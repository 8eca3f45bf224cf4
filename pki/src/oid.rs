//! Our private object identifiers, as the content bytes of their DER form.
//!
//! Both stand under 2.25, where a random UUID is an arc that nobody has to register (ITU-T X.667). Such arcs have 128
//! bits: builders that hold arcs as 64-bit numbers cannot write them, so this module also writes the two short
//! extension values that need them.

/// Extended key usage of evidence certificates: signs manifests, receipts, refusals and acknowledgements.
/// 2.25.131545210460333120896907066840624312184
pub const EVIDENCE: &[u8] = &[
    0x69, 0x81, 0xc5, 0xf6, 0xd7, 0xe7, 0x9a, 0x9d, 0x9a, 0xad, 0xcf, 0x8b, 0xc3, 0xb5, 0x86, 0xc5, 0xe7,
    0xca, 0xde, 0x78,
];

/// [`EVIDENCE`] with dots, for people and other tools.
pub const EVIDENCE_DOTTED: &str = "2.25.131545210460333120896907066840624312184";

/// Certificate policy "TEST ONLY": marks every certificate of a lab authority. Production refuses it.
/// 2.25.131820539731484732703175240219793784255
pub const TEST_ONLY: &[u8] = &[
    0x69, 0x81, 0xc6, 0xab, 0xdb, 0x99, 0x99, 0x9f, 0x82, 0x8d, 0xe3, 0xb9, 0xe2, 0xee, 0xb9, 0xa0, 0xa2,
    0x9d, 0xfb, 0x3f,
];

/// [`TEST_ONLY`] with dots, for people and other tools.
pub const TEST_ONLY_DOTTED: &str = "2.25.131820539731484732703175240219793784255";

/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1 (RFC 5280 section 4.2.1.12).
pub const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2 (RFC 5280 section 4.2.1.12).
pub const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// Arcs of the extended key usage extension, 2.5.29.37.
pub const EXTENDED_KEY_USAGE_ARCS: &[u64] = &[2, 5, 29, 37];

/// Arcs of the certificate policies extension, 2.5.29.32.
pub const CERTIFICATE_POLICIES_ARCS: &[u64] = &[2, 5, 29, 32];

/// The value of an extended key usage extension (RFC 5280 section 4.2.1.12) with these purposes, in DER.
pub fn extended_key_usage(purposes: &[&[u8]]) -> Vec<u8> {
    tagged(SEQUENCE, &purposes.iter().flat_map(|oid| tagged(OBJECT_IDENTIFIER, oid)).collect::<Vec<u8>>())
}

/// The value of a certificate policies extension (RFC 5280 section 4.2.1.4) with this one policy, in DER.
pub fn certificate_policies(policy: &[u8]) -> Vec<u8> {
    tagged(SEQUENCE, &tagged(SEQUENCE, &tagged(OBJECT_IDENTIFIER, policy)))
}

const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

pub(crate) fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => der.push(short),
        _ => {
            let length: Vec<u8> =
                content.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            // At most eight bytes of a `usize`.
            der.push(0x80 | length.len() as u8);
            der.extend_from_slice(&length);
        }
    }
    der.extend_from_slice(content);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes base-128 arcs by hand, so that the constants are not checked by what wrote them.
    fn dotted(content: &[u8]) -> String {
        let mut arcs = Vec::new();
        let mut arc: u128 = 0;
        for byte in content {
            arc = arc << 7 | u128::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                arcs.push(arc);
                arc = 0;
            }
        }
        assert_eq!(arcs.remove(0), 2 * 40 + 25);
        format!("2.25.{}", arcs.iter().map(u128::to_string).collect::<Vec<_>>().join("."))
    }

    #[test]
    fn the_bytes_are_those_of_the_dotted_forms() {
        assert_eq!(dotted(EVIDENCE), EVIDENCE_DOTTED);
        assert_eq!(dotted(TEST_ONLY), TEST_ONLY_DOTTED);
    }

    #[test]
    fn lengths_over_127_take_the_long_form() {
        assert_eq!(tagged(SEQUENCE, &[0; 200])[..3], [SEQUENCE, 0x81, 200]);
        assert_eq!(tagged(SEQUENCE, &[0; 300])[..4], [SEQUENCE, 0x82, 1, 44]);
    }
}
