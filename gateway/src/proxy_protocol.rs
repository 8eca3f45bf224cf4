//! Where a connection through a balancer comes from: the PROXY protocol, version 2 (HAProxy's specification, section 2.2).
//!
//! Only its binary form is read, only for TCP, only from balancers that the configuration names, and strictly: what is not
//! understood ends the connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes behind the fixed part. Addresses take 36; the rest is for what balancers add, which is skipped.
const REST_BYTES_MAX: u16 = 512;

/// Why a header does not count.
#[derive(Debug, thiserror::Error)]
pub enum ProxyFault {
    /// The connection ended, or broke, before the header was whole.
    #[error("the balancer's header did not come whole")]
    Cut(#[source] std::io::Error),
    /// Not a header of version 2 for a TCP connection.
    #[error("the balancer's header is not of PROXY protocol version 2 for TCP")]
    Malformed,
}

/// Reads the header and not a byte more. `None`: the balancer itself asks whether we are there.
pub async fn read_header<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Option<SocketAddr>, ProxyFault> {
    let mut fixed = [0; 16];
    stream.read_exact(&mut fixed).await.map_err(ProxyFault::Cut)?;
    let [head @ .., version_and_command, family, high, low] = fixed;
    let length = u16::from_be_bytes([high, low]);
    if head != SIGNATURE || length > REST_BYTES_MAX {
        return Err(ProxyFault::Malformed);
    }
    let mut rest = vec![0; usize::from(length)];
    stream.read_exact(&mut rest).await.map_err(ProxyFault::Cut)?;
    match (version_and_command, family) {
        (0x20, _) => Ok(None),
        (0x21, 0x11) => source_v4(&rest).map(Some).ok_or(ProxyFault::Malformed),
        (0x21, 0x21) => source_v6(&rest).map(Some).ok_or(ProxyFault::Malformed),
        _ => Err(ProxyFault::Malformed),
    }
}

/// Source address, destination address, source port, destination port.
fn source_v4(rest: &[u8]) -> Option<SocketAddr> {
    let address: [u8; 4] = rest.get(..4)?.try_into().ok()?;
    let port: [u8; 2] = rest.get(8..10)?.try_into().ok()?;
    rest.get(10..12)?;
    Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(address)), u16::from_be_bytes(port)))
}

fn source_v6(rest: &[u8]) -> Option<SocketAddr> {
    let address: [u8; 16] = rest.get(..16)?.try_into().ok()?;
    let port: [u8; 2] = rest.get(32..34)?.try_into().ok()?;
    rest.get(34..36)?;
    Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)), u16::from_be_bytes(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[tokio::test]
    async fn the_source_is_read_and_what_follows_is_left_alone() {
        let v4 = header(0x21, 0x11, &[198, 51, 100, 7, 192, 0, 2, 10, 0x12, 0x34, 0x01, 0xbb]);
        let bytes = [v4, b"hello".to_vec()].concat();
        let mut stream = bytes.as_slice();
        assert_eq!(read_header(&mut stream).await.unwrap(), Some("198.51.100.7:4660".parse().unwrap()));
        assert_eq!(stream, b"hello");
        let mut rest = [0; 36];
        rest[15] = 1;
        rest[33] = 9;
        let v6 = header(0x21, 0x21, &rest);
        assert_eq!(read_header(&mut v6.as_slice()).await.unwrap(), Some("[::1]:9".parse().unwrap()));
        assert_eq!(read_header(&mut header(0x20, 0, &[]).as_slice()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn whatever_is_not_understood_is_refused() {
        let good = header(0x21, 0x11, &[0; 12]);
        for end in 0..good.len() {
            assert!(matches!(read_header(&mut &good[..end]).await, Err(ProxyFault::Cut(_))), "{end}");
        }
        for bad in [
            header(0x11, 0x11, &[0; 12]),
            header(0x22, 0x11, &[0; 12]),
            header(0x21, 0x12, &[0; 12]),
            header(0x21, 0x11, &[0; 11]),
            header(0x21, 0x21, &[0; 35]),
            header(0x21, 0x11, &[0; 513]),
            b"PROXY TCP4 198.51.100.7 192.0.2.10 4660 443\r\n".to_vec(),
        ] {
            assert!(matches!(read_header(&mut bad.as_slice()).await, Err(ProxyFault::Malformed)), "{bad:?}");
        }
    }
}
