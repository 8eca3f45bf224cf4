//! Linux's table of TCP sockets (`/proc/self/net/tcp`, `tcp6`): one row of it, taken apart.
//!
//! Columns, by the kernel's `get_tcp4_sock`: number, local address, remote address, state, queues (`tx:rx`, bytes in
//! hexadecimal; of a connection `tx` is `write_seq - snd_una`), active timer and its end, `icsk_retransmits` (hexadecimal),
//! user, `icsk_probes_out` (decimal; its heading says "timeout"), inode.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the kernel is doing for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Retransmissions of unacknowledged data since the last acknowledgement.
    pub(crate) retransmits: u32,
    /// Probes (keepalive or zero window) that wait for an answer.
    pub(crate) probes: u32,
    /// Bytes given to the kernel that the far end has not acknowledged.
    pub(crate) unacknowledged: u32,
}

/// The row of the connection between these addresses, if the table has it.
pub(crate) fn find(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<Row> {
    let (local, remote) = (canonical(local), canonical(remote));
    // The first line is the heading.
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let matches = address(columns.next()?)? == local && address(columns.next()?)? == remote;
        if !matches {
            return None;
        }
        // Behind the state; before the timer.
        let (to_send, _) = columns.nth(1)?.split_once(':')?;
        let unacknowledged = u32::from_str_radix(to_send, 16).ok()?;
        let retransmits = u32::from_str_radix(columns.nth(1)?, 16).ok()?;
        let probes = columns.nth(1)?.parse().ok()?;
        Some(Row { retransmits, probes, unacknowledged })
    })
}

/// IPv4 addresses may stand in the IPv6 table, and the other way round.
fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// `0100007F:1F90`: words of 32 bits, each as it stands in this machine's memory.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = ip.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut octets = [0; 16];
            for (at, four) in octets.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *four = word(at)?;
            }
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some((ip.to_canonical(), port))
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    const HEADING: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn row(tail: &str) -> String {
        format!("{HEADING}   0: 0100007F:1F90 0200007F:C350 01 0001000A:00000007 {tail}\n")
    }

    fn found(table: &str) -> Option<Row> {
        find(table, "127.0.0.1:8080".parse().unwrap(), "127.0.0.2:50000".parse().unwrap())
    }

    #[test]
    fn queues_and_retransmits_are_hexadecimal_and_probes_decimal() {
        let table = row("01:00000014 0000000A  1000       12 4711 2 ffff 20 4 30 10 -1");
        assert_eq!(found(&table), Some(Row { retransmits: 10, probes: 12, unacknowledged: 65_546 }));
    }

    #[test]
    fn another_port_is_another_connection() {
        let table = row("00:00000000 00000000  1000        0 4711 1 ffff 20 4 30 10 -1");
        assert_eq!(find(&table, "127.0.0.1:8081".parse().unwrap(), "127.0.0.2:50000".parse().unwrap()), None);
    }

    #[test]
    fn an_ipv4_connection_is_found_in_the_ipv6_table() {
        let table = format!(
            "{HEADING}   0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000200007F:C350 01 \
             00000000:00000000 02:00000010 00000000     0        1 5\n"
        );
        assert_eq!(found(&table), Some(Row { retransmits: 0, probes: 1, unacknowledged: 0 }));
    }

    #[test]
    fn a_table_of_another_form_yields_nothing() {
        for table in
            ["", HEADING, &row("zz"), "x\n0: 0100007F 0200007F:C350", &row("00:00000000 0000000G 0 0 1")]
        {
            assert_eq!(found(table), None, "{table:?}");
        }
    }
}
