//! What a file is sent as: kind, claim month, sender. Taken from the file itself where the caller does not say, and
//! held against it where the caller does, so that a mistake shows before anything leaves.

use protocol::{
    claims::{Mismatch, Summary},
    kind::{ClaimMonth, Kind},
    party::{Party, Role},
    transfer_id::TransferId,
};

use crate::source::Examined;

/// What the caller knows of a file. Nothing needs to be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filing {
    /// What is in it; otherwise read from its first record.
    pub kind: Option<Kind>,
    /// 請求年月; otherwise read from its first record.
    pub claim_month: Option<ClaimMonth>,
    /// In whose name; otherwise the party of the settings.
    pub sender: Option<Party>,
    /// The transfer this one is to be counted instead of.
    pub replaces: Option<TransferId>,
    /// The transfer some claims of which this one corrects.
    pub corrects: Option<TransferId>,
    /// The transfer of the same content that is sent once more on purpose.
    pub resubmission_of: Option<TransferId>,
}

/// A filing with every gap filled from the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filed {
    pub kind: Kind,
    pub claim_month: ClaimMonth,
    pub sender: Party,
    pub receiver: Party,
    pub replaces: Option<TransferId>,
    pub corrects: Option<TransferId>,
    pub resubmission_of: Option<TransferId>,
}

/// How a file differs from what it was to be sent as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilingFault {
    /// Its first record fits no kind.
    #[error("the file is of no known kind: its fee table (点数表) is none of 1, 3, 4 and 6")]
    UnknownKind,
    /// It is of another kind.
    #[error("the file is not of kind {kind}: {mismatch}")]
    Kind {
        /// What it was to be sent as.
        kind: Kind,
        /// How it differs.
        mismatch: Mismatch,
    },
    /// It is for another month.
    #[error("the file is for claim month (請求年月) {in_file}, not {given}")]
    ClaimMonth {
        /// What it was to be sent as.
        given: ClaimMonth,
        /// What it says.
        in_file: ClaimMonth,
    },
    /// It is another institution's.
    #[error("the file is of institution {in_file}, not of {sender}")]
    Sender {
        /// In whose name it was to be sent.
        sender: Party,
        /// Whose it is.
        in_file: String,
    },
    /// It is for another review agency.
    #[error("the file is for review agency (審査支払機関) {in_file}, these settings send to {receiver}")]
    Receiver {
        /// Where it was to go.
        receiver: Party,
        /// For whom it is.
        in_file: String,
    },
}

impl FilingFault {
    /// The stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            FilingFault::UnknownKind => "unknown_kind",
            FilingFault::Kind { .. } => "claims_kind_mismatch",
            FilingFault::ClaimMonth { .. } => "claims_month_mismatch",
            FilingFault::Sender { .. } => "claims_code_mismatch",
            FilingFault::Receiver { .. } => "claims_payer_mismatch",
        }
    }
}

impl Filing {
    /// Fills the gaps, and holds the rest against the file.
    pub(crate) fn complete(
        self,
        examined: &Examined,
        usual_sender: &Party,
        receiver: &Party,
    ) -> Result<Filed, FilingFault> {
        let summary = &examined.summary;
        let kind = match self.kind {
            Some(kind) => {
                summary.matches_kind(kind).map_err(|mismatch| FilingFault::Kind { kind, mismatch })?;
                kind
            }
            None => kind_of(summary, &examined.file_name).ok_or(FilingFault::UnknownKind)?,
        };
        let in_file = summary.head.claim_month();
        if let Some(given) = self.claim_month.filter(|given| *given != in_file) {
            return Err(FilingFault::ClaimMonth { given, in_file });
        }
        let sender = self.sender.unwrap_or_else(|| usual_sender.clone());
        let institution = summary.head.institution();
        if sender.role() != Role::Institution || sender.code() != institution {
            return Err(FilingFault::Sender { sender, in_file: institution.to_string() });
        }
        let agency = summary.head.review_agency_code();
        if receiver.role() == Role::ReviewAgency && receiver.code() != agency {
            return Err(FilingFault::Receiver { receiver: receiver.clone(), in_file: agency.to_string() });
        }
        Ok(Filed {
            kind,
            claim_month: in_file,
            sender,
            receiver: receiver.clone(),
            replaces: self.replaces,
            corrects: self.corrects,
            resubmission_of: self.resubmission_of,
        })
    }
}

/// The kind a file's content fits. 医科 and DPC look alike when no DPC claim is in it: then its name decides.
fn kind_of(summary: &Summary, file_name: &str) -> Option<Kind> {
    let mut fitting = Kind::ALL.into_iter().filter(|kind| summary.matches_kind(*kind).is_ok());
    let first = fitting.clone().next();
    fitting.find(|kind| kind.usual_file_name().eq_ignore_ascii_case(file_name)).or(first)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use protocol::claims::ClaimsCheck;

    use super::*;
    use crate::{
        source::Fingerprint,
        testing::{CLAIM_MONTH, RECEIVER, SENDER, claims_file},
    };

    fn examined(file_name: &str) -> Examined {
        let mut check = ClaimsCheck::new();
        let content = claims_file(2);
        check.update(&content);
        Examined {
            path: Path::new("/").join(file_name),
            file_name: file_name.to_owned(),
            fingerprint: Fingerprint { size: content.len() as u64, modified: 0, inode: 0, device: 0 },
            sha256: protocol::digest::Sha256::of(&content),
            summary: check.finish().unwrap(),
        }
    }

    fn complete(filing: Filing, file_name: &str) -> Result<Filed, FilingFault> {
        filing.complete(&examined(file_name), &SENDER.parse().unwrap(), &RECEIVER.parse().unwrap())
    }

    #[test]
    fn kind_and_month_come_from_the_file() {
        let filed = complete(Filing::default(), "RECEIPTC.UKE").unwrap();
        assert_eq!((filed.kind, filed.claim_month), (Kind::Medical, CLAIM_MONTH.parse().unwrap()));
    }

    #[test]
    fn the_name_tells_a_dpc_file_without_dpc_claims() {
        assert_eq!(complete(Filing::default(), "receiptd.uke").unwrap().kind, Kind::Dpc);
    }

    #[test]
    fn what_the_caller_says_must_fit_the_file() {
        let wrong_kind = Filing { kind: Some(Kind::Dental), ..Filing::default() };
        let wrong_month = Filing { claim_month: Some("200101".parse().unwrap()), ..Filing::default() };
        let other = Filing { sender: Some("institution:1310000026".parse().unwrap()), ..Filing::default() };
        let codes = [wrong_kind, wrong_month, other]
            .map(|filing| complete(filing, "RECEIPTC.UKE").unwrap_err().code());
        assert_eq!(codes, ["claims_kind_mismatch", "claims_month_mismatch", "claims_code_mismatch"]);
    }

    #[test]
    fn a_file_for_the_other_review_agency_is_not_sent_to_this_one() {
        let fault = Filing::default()
            .complete(
                &examined("RECEIPTC.UKE"),
                &SENDER.parse().unwrap(),
                &"review-agency:213".parse().unwrap(),
            )
            .unwrap_err();
        assert_eq!(fault.code(), "claims_payer_mismatch");
    }
}
