//! `sekisho verify`: offline, without settings.

use std::{fs::File, io::Read as _, path::Path};

use protocol::identity_rule::IdentityRules;
use serde::Serialize;

use super::{
    args::Verify,
    exit::Exit,
    print::to_stderr,
    report::{Failure, Head, Output},
    settings::load_identities,
};
use crate::{Believed, Place, Verified, VerifyFault, limits::BUNDLE_BYTES_MAX, verify_bundle};

#[derive(Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    head: Head,
    /// The first bad place, if there is one.
    place: Option<Place>,
    reason: Option<&'a str>,
    /// What the evidence proves, if all of it holds.
    verified: Option<&'a Verified>,
}

pub(super) fn run(verify: &Verify, output: &Output) -> Exit {
    let read = read(&verify.bundle)
        .and_then(|bundle| Ok((bundle, read(&verify.anchors)?, identities(verify.identities.as_deref())?)));
    let (bundle, anchors, identities) = match read {
        Ok(read) => read,
        Err(failure) => return output.give_up("verify", &failure, None),
    };
    let judged = verify_bundle(&bundle, verify.file.as_deref(), Believed { anchors: &anchors, identities });
    let exit = match &judged {
        Ok(_) => Exit::Done,
        Err(VerifyFault { place: Place::File, .. }) => Exit::Usage,
        Err(VerifyFault { place: Place::Anchors, .. } | VerifyFault { names_nobody: true, .. }) => {
            Exit::Material
        }
        Err(_) => Exit::Evidence,
    };
    match &judged {
        Ok(verified) => tell(verified, output),
        Err(fault) if !output.json => {
            to_stderr(&format!(
                "sekisho: 証拠が一致しません (does not verify): {}: {}",
                fault.place.name(),
                fault.reason
            ));
            to_stderr(&format!("  次にすること / next: {}", next_step(fault)));
        }
        Err(_) => {}
    }
    if output.json {
        output.object(&Object {
            head: Head::of("verify", exit),
            place: judged.as_ref().err().map(|fault| fault.place),
            reason: judged.as_ref().err().map(|fault| fault.reason.as_str()),
            verified: judged.as_ref().ok(),
        });
    }
    exit
}

fn tell(verified: &Verified, output: &Output) {
    let month = verified.claim_month.map(|month| format!(" {month}")).unwrap_or_default();
    let file = if verified.file_checked {
        "the file given is the one received"
    } else {
        "no file was given to compare"
    };
    let acknowledged =
        if verified.acknowledged { "acknowledged by the sender" } else { "no acknowledgement in it" };
    for line in [
        format!("到達確認（受領確認データ） verified: transfer {}", verified.transfer_id),
        format!("  environment  {}", verified.environment),
        format!(
            "  file         {} {}{month}, {} bytes",
            verified.file_name,
            verified.kind.japanese(),
            verified.length
        ),
        format!("  sha-256      {}", verified.sha256),
        format!("  sender       {}", verified.sender),
        format!("  receiver     {}", verified.receiver),
        format!("  received     {} (its clock: {:?})", verified.received_at, verified.clock),
        format!("  stored       {}", verified.stored_at),
        format!("  logs         {} and {}", verified.centre_log, verified.sender_log),
        format!("  {file}; {acknowledged}"),
    ] {
        output.line(&line);
    }
    if let Some(off_ms) = verified.clock_off_ms {
        let (seconds, way) = (off_ms.unsigned_abs() / 1000, if off_ms > 0 { "ahead of" } else { "behind" });
        output.line(&format!("  the sender's clock was off by {seconds} s or more, {way} the receiver's"));
    }
}

const fn next_step(fault: &VerifyFault) -> &'static str {
    if fault.names_nobody {
        return "give the rules by which this authority names its holders, [identity.NAME] of the parties' configurations, with --identities; if they were given, ask the parties for the right ones";
    }
    match fault.place {
        Place::File => "check the name of the file",
        Place::Anchors => "name the PEM file with the root certificates of evidence",
        Place::ReceiptTimes => {
            "check this machine's clock; if it is right, keep everything: the receiver dated its receipt wrongly"
        }
        Place::FileLength | Place::FileDigest => "find the file as it was sent; the evidence itself holds",
        _ => "take another copy of the bundle; if that fails too, the evidence was altered",
    }
}

fn identities(file: Option<&Path>) -> Result<IdentityRules, Failure> {
    file.map_or_else(|| Ok(IdentityRules::default()), load_identities)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BUNDLE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::usage(
            "unreadable",
            format!("cannot read {}: {error}", path.display()),
            "check the name of the file",
        )),
    }
}
