//! Serial numbers: random, positive, 128 bits (RFC 5280 section 4.1.2.2 allows 20 octets).

use std::{fmt, str::FromStr};

use rcgen::SerialNumber;
use serde::{Deserialize, Serialize};

use crate::fault::LabFault;

/// A serial number, written in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(Vec<u8>);

impl Serial {
    /// A number that nobody can guess and that will not come twice.
    pub fn random() -> Result<Self, LabFault> {
        let mut bytes = pki::random::random_bytes::<16>().map_err(LabFault::Random)?;
        // Positive, and always of full length: the first bit is 0, the second 1.
        bytes[0] = bytes[0] & 0x3f | 0x40;
        Ok(Serial(bytes.to_vec()))
    }

    pub(crate) fn to_rcgen(&self) -> SerialNumber {
        SerialNumber::from_slice(&self.0)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Serial {
    type Err = NotASerial;
    /// Takes hexadecimal digits, also in capitals and with colons between octets, as other tools print them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let digits = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits };
        let octets = digits.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|_| NotASerial)?;
            if pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                u8::from_str_radix(pair, 16).map_err(|_| NotASerial)
            } else {
                Err(NotASerial)
            }
        });
        let octets = octets.collect::<Result<Vec<u8>, _>>()?;
        let octets: Vec<u8> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
        if octets.is_empty() || octets.len() > 20 { Err(NotASerial) } else { Ok(Serial(octets)) }
    }
}

impl TryFrom<String> for Serial {
    type Error = NotASerial;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.to_string()
    }
}

/// Not 1 to 20 octets in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial number is 1 to 20 octets in hexadecimal, not zero")]
pub struct NotASerial;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_serial_is_positive_and_of_sixteen_octets() {
        for _ in 0..100 {
            let serial = Serial::random().unwrap();
            assert_eq!(serial.0.len(), 16);
            assert_eq!(serial.0[0] & 0xc0, 0x40);
        }
    }

    #[test]
    fn the_spellings_of_other_tools_are_read() {
        let serial: Serial = "0A:bc:D0".parse().unwrap();
        assert_eq!(serial.to_string(), "0abcd0");
        assert_eq!("ABCD0".parse(), Ok(serial));
    }

    #[test]
    fn what_is_no_serial_is_refused() {
        for bad in ["", "00", "xyz", "+1", &"11".repeat(21), "centre.pem", "１２"] {
            assert!(bad.parse::<Serial>().is_err(), "{bad:?} was accepted");
        }
    }
}
