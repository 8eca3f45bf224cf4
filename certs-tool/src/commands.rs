//! Doing what the command line asks, and saying what was done.

use std::path::{Path, PathBuf};

use pki::{
    inspect::{CertificateFacts, CrlFacts},
    pem::{self, PemFault},
    policy::Policy,
};
use protocol::{moment::Moment, one_line::in_one_line};
use serde_json::{Value, json};

use crate::{
    cli::{Cli, Command, Inspect, Issue, Revoke},
    fault::LabFault,
    issue::Validity,
    lab::Lab,
    revocation::{PublishedList, serial_in},
    serial::Serial,
};

/// What was done: the same facts for people and for programs.
pub struct Report {
    /// Lines for people.
    pub text: String,
    /// One object for programs.
    pub json: Value,
}

/// Does what the command line asks.
pub fn run(cli: &Cli, now: Moment) -> Result<Report, LabFault> {
    match &cli.command {
        Command::Init(init) => {
            let lab = Lab::init_with(&init.lab.dir, init.environment, init.key_type, now)?;
            Ok(report_lab(&lab))
        }
        Command::Issue(issue) => run_issue(issue, now),
        Command::Revoke(revoke) => run_revoke(revoke, now),
        Command::Crl(crl) => {
            let lists = Lab::open(&crl.lab.dir)?.crl_with(crl.made_up, crl.life(), now)?;
            Ok(report_lists(&lists))
        }
        Command::Inspect(inspect) => run_inspect(inspect),
    }
}

/// What went wrong with all its causes: one line for people, one object for programs.
pub fn describe(fault: &LabFault, json: bool) -> String {
    let message = in_one_line(fault);
    if json {
        json!({ "error": message, "exit_code": fault.exit_code() }).to_string()
    } else {
        format!("sekisho-certs: {message}")
    }
}

fn report_lab(lab: &Lab) -> Report {
    let path = |path: PathBuf| path.display().to_string();
    Report {
        text: format!(
            "lab made in {}\n  anchor           {}\n  issuing          {}\n  revocation lists {}\n",
            lab.dir().display(),
            path(lab.root_pem()),
            path(lab.issuing_pem()),
            path(lab.crls_pem()),
        ),
        json: json!({
            "dir": lab.dir().display().to_string(),
            "environment": lab.environment(),
            "anchor": path(lab.root_pem()),
            "issuing": path(lab.issuing_pem()),
            "crls": path(lab.crls_pem()),
        }),
    }
}

fn run_issue(issue: &Issue, now: Moment) -> Result<Report, LabFault> {
    let lab = Lab::open(&issue.lab.dir)?;
    let (from, to) = issue.life();
    let validity = Validity::new(from.from(now).ok_or(LabFault::Time)?, to.from(now).ok_or(LabFault::Time)?)?;
    let identity = &issue.identity;
    let code = identity.codes().first().map(|code| code.as_str()).unwrap_or_default();
    let usual = || lab.dir().join(format!("{}-{}-{code}", issue.profile.name(), identity.role()));
    let out = issue.out.clone().unwrap_or_else(usual);
    let names: Vec<&str> = issue.names.iter().map(String::as_str).collect();
    let issued = lab.issue_with(issue.profile, identity, &names, &out, validity, issue.key_type)?;
    Ok(Report {
        text: format!(
            "certificate {}\nkey         {}\nserial      {}\nidentity    {}\nvalid       {} to {}\n",
            issued.cert_path.display(),
            issued.key_path.display(),
            issued.serial,
            issued.identity,
            issued.validity.not_before(),
            issued.validity.not_after(),
        ),
        json: json!({
            "certificate": issued.cert_path.display().to_string(),
            "key": issued.key_path.display().to_string(),
            "serial": issued.serial,
            "profile": issue.profile.name(),
            "identity": issued.identity,
            "not_before": issued.validity.not_before(),
            "not_after": issued.validity.not_after(),
        }),
    })
}

fn run_revoke(revoke: &Revoke, now: Moment) -> Result<Report, LabFault> {
    let lab = Lab::open(&revoke.lab.dir)?;
    let file = Path::new(&revoke.certificate);
    // A file of that name is meant before a number of that spelling.
    let serial: Serial = match revoke.certificate.parse() {
        Ok(serial) if !file.exists() => serial,
        _ => serial_in(file)?,
    };
    let revocation = lab.revoke(&serial, revoke.reason, now)?;
    let since = if revocation.already { "was already revoked at" } else { "revoked at" };
    Ok(Report {
        text: format!(
            "{} {since} {}\nrevocation lists {}\n",
            revocation.serial,
            revocation.at,
            lab.crls_pem().display()
        ),
        json: json!({
            "serial": revocation.serial,
            "revoked_at": revocation.at,
            "already": revocation.already,
            "crls": lab.crls_pem().display().to_string(),
        }),
    })
}

fn report_lists(lists: &[PublishedList]) -> Report {
    let lines = lists.iter().map(|list| {
        let PublishedList { issuer, number, next_update, revoked, path } = list;
        format!("{}: number {number}, {revoked} revoked, next by {next_update}, {issuer}\n", path.display())
    });
    let objects: Vec<Value> = lists
        .iter()
        .map(|list| {
            json!({
                "issuer": list.issuer,
                "number": list.number,
                "next_update": list.next_update,
                "revoked": list.revoked,
                "file": list.path.display().to_string(),
            })
        })
        .collect();
    Report { text: lines.collect(), json: json!({ "lists": objects }) }
}

fn run_inspect(inspect: &Inspect) -> Result<Report, LabFault> {
    let file = &inspect.file;
    let unreadable = || LabFault::Unreadable { path: file.clone() };
    match pem::certificates(file) {
        Ok(certificates) => {
            let facts: Option<Vec<CertificateFacts>> =
                certificates.iter().map(|der| CertificateFacts::of(der, &Policy::default())).collect();
            let facts = facts.ok_or_else(unreadable)?;
            Ok(Report {
                text: facts.iter().map(certificate_text).collect(),
                json: json!({ "certificates": facts.iter().map(certificate_json).collect::<Vec<_>>() }),
            })
        }
        Err(PemFault::Nothing { .. }) => {
            let lists: Vec<CrlFacts> =
                pem::crls(file)?.iter().map(CrlFacts::of).collect::<Result<_, _>>().map_err(LabFault::Crl)?;
            Ok(Report {
                text: lists.iter().map(list_text).collect(),
                json: json!({ "lists": lists.iter().map(list_json).collect::<Vec<_>>() }),
            })
        }
        Err(other) => Err(other.into()),
    }
}

fn certificate_text(facts: &CertificateFacts) -> String {
    let description = &facts.description;
    let identity = match &facts.identity {
        Ok(identity) => identity.to_uri(),
        Err(fault) => format!("none: {fault}"),
    };
    let mut text = format!(
        "certificate {}\n  issuer      {}\n  serial      {}\n  valid       {} to {}\n  key         {}\n  fingerprint {}\n",
        description.subject,
        description.issuer,
        description.serial,
        description.not_before,
        description.not_after,
        facts.key,
        description.fingerprint,
    );
    if facts.is_authority {
        text.push_str("  authority   yes\n");
    } else {
        text.push_str(&format!("  identity    {identity}\n  purposes    {}\n", facts.purposes.join(" ")));
        if !facts.hosts.is_empty() {
            text.push_str(&format!("  hosts       {}\n", facts.hosts.join(" ")));
        }
    }
    text.push_str(if facts.is_test_only { "  mark        TEST ONLY\n" } else { "  mark        none\n" });
    text
}

fn certificate_json(facts: &CertificateFacts) -> Value {
    let description = &facts.description;
    json!({
        "subject": description.subject,
        "issuer": description.issuer,
        "serial": description.serial,
        "not_before": description.not_before,
        "not_after": description.not_after,
        "fingerprint": description.fingerprint,
        "key": facts.key,
        "identity": facts.identity.as_ref().ok(),
        "authority": facts.is_authority,
        "test_only": facts.is_test_only,
        "purposes": facts.purposes,
        "hosts": facts.hosts,
    })
}

fn list_text(facts: &CrlFacts) -> String {
    let mut text = format!(
        "revocation list of {}\n  number  {}\n  valid   {} to {}\n  revoked {}\n",
        facts.issuer,
        facts.number,
        facts.this_update,
        facts.next_update,
        facts.revoked.len()
    );
    for (serial, since) in &facts.revoked {
        text.push_str(&format!("    {serial} since {since}\n"));
    }
    text
}

fn list_json(facts: &CrlFacts) -> Value {
    let revoked: Vec<Value> =
        facts.revoked.iter().map(|(serial, since)| json!({ "serial": serial, "since": since })).collect();
    json!({
        "issuer": facts.issuer,
        "number": facts.number.to_string(),
        "this_update": facts.this_update,
        "next_update": facts.next_update,
        "revoked": revoked,
    })
}
