//! What stands in a claims file stays in the claims file.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use lab::program::Process;
use protocol::kind::Kind;
use tests::{
    centre::files_below,
    files::claims_file_about,
    lab::{TestLab, institution},
    papers::Papers,
    sender::Sending,
    wire::{Caller, Ending, get, post, send_head},
};

/// Nobody has this name.
const NAME: &str = "関所試験花子";

/// Its form in a claims file (Shift_JIS).
const NAME_IN_FILE: &[u8] = b"\x8a\xd6\x8f\x8a\x8e\x8e\x8c\xb1\x89\xd4\x8eq";

/// The name in every form it could leak in.
fn forms() -> Vec<(String, Vec<u8>)> {
    let mut forms = Vec::new();
    for (encoding, bytes) in [("UTF-8", NAME.as_bytes()), ("Shift_JIS", NAME_IN_FILE)] {
        forms.push((encoding.to_owned(), bytes.to_vec()));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        forms.push((format!("{encoding} in hexadecimal"), hex.clone().into_bytes()));
        forms.push((format!("{encoding} in upper case"), hex.to_uppercase().into_bytes()));
        let escaped = |prefix: &str| {
            let escape = |byte: &u8| match byte {
                b' '..=b'~' => char::from(*byte).to_string(),
                byte => format!("{prefix}{byte:02x}"),
            };
            bytes.iter().map(escape).collect::<String>()
        };
        forms.push((format!("{encoding} as Rust shows bytes"), escaped("\\x").into_bytes()));
        forms.push((format!("{encoding} as a URL shows bytes"), escaped("%").to_uppercase().into_bytes()));
        let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
        forms.push((format!("{encoding} as a list of numbers"), list.join(", ").into_bytes()));
        for offset in 0..3 {
            // Without its ends, which depend on what stands beside it.
            let shifted = STANDARD_NO_PAD.encode([&b"   "[..offset], bytes].concat());
            let inside = &shifted[4..shifted.len() - 4];
            forms.push((format!("{encoding} in base64"), inside.as_bytes().to_vec()));
            let url = inside.replace('+', "-").replace('/', "_");
            forms.push((format!("{encoding} in base64url"), url.into_bytes()));
        }
    }
    forms
}

fn find(text: &[u8], place: &str) -> Vec<String> {
    let holds = |form: &[u8]| text.windows(form.len()).any(|window| window == form);
    let found = forms().into_iter().filter(|(_, form)| holds(form));
    found.map(|(how, _)| format!("{place}: {how}")).collect()
}

/// In every file below a directory that is not meant to hold content, and in all that the process wrote.
fn find_everywhere(directory: &Path, is_content: impl Fn(&Path) -> bool, process: &Process) -> Vec<String> {
    let mut found = Vec::new();
    for file in files_below(directory).into_iter().filter(|file| !is_content(file)) {
        found.extend(find(&std::fs::read(&file).unwrap(), &file.display().to_string()));
    }
    for (what, output) in [("standard output", &process.out), ("log", &process.err)] {
        found.extend(find(output.text().as_bytes(), what));
    }
    found
}

#[tokio::test]
async fn a_name_in_a_claims_file_appears_in_no_log_metric_error_or_ledger_row_of_the_centre() {
    let lab = TestLab::new();
    let changes = [("log.level", "\"trace\""), ("log.format", "\"json\"")];
    let centre = lab.centre(&changes).await;
    let party = institution(Kind::Medical, 1);
    let site = lab.sender("clinic", &party, centre.address, &[]);
    let (caller, papers) = (Caller::new(&site, centre.address), Papers::of(&site));
    let content = claims_file_about(Kind::Medical, &party, 30_000, NAME);
    assert_ne!(find(&content, "the file itself"), Vec::<String>::new(), "the search finds what is there");
    let offer = async |content: &[u8]| {
        let manifest = papers.manifest(Kind::Medical, content);
        assert_eq!(caller.offer(&papers.sign(&manifest)).await.status, 201);
        manifest.key()
    };
    let mut said = Vec::new();

    // Accepted, cut, altered, incomplete, in the wrong place, and where only a request belongs.
    let key = offer(&content).await;
    let mut line = caller.line().await;
    line.write(&[&send_head(&key, 0, content.len() as u64), &content[..20_000]].concat()).await;
    line.end(Ending::Fin, content[20_000]).await;
    let mut altered = content.clone();
    altered[15_000] ^= 1;
    said.push(caller.send(&key, &altered).await);
    said.push(caller.send(&key, &content).await);
    said.push(caller.ask(&get(&key.location())).await);
    let end = content.len() - 20;
    said.push(caller.send(&offer(&content[..end]).await, &content[..end]).await);
    let elsewhere = [&b"UK,1,13,1,0000001\r\n"[..], &content].concat();
    said.push(caller.send(&offer(&elsewhere).await, &elsewhere).await);
    said.push(caller.ask(&post("/v1/transfers", "application/json", &content)).await);
    said.push(caller.ask(&post("/v1/acknowledgements", "application/jose", &content)).await);
    let as_text = format!("{{\"manifest\":\"{NAME}\"}}");
    said.push(caller.ask(&post("/v1/transfers", "application/json", as_text.as_bytes())).await);
    let mut line = caller.line().await;
    line.write(&content).await;
    said.extend(line.answer().await);
    let mut line = caller.line().await;
    let smuggled =
        [b"GET /v1/log/checkpoint HTTP/1.1\r\nhost: localhost\r\nx-patient: ", NAME_IN_FILE, b"\r\n\r\n"];
    line.write(&smuggled.concat()).await;
    said.extend(line.answer().await);
    centre.delivered(&key).await;

    // In the spool it is sealed.
    let is_content =
        |file: &Path| file.starts_with(centre.site.directory.join("inbox")) && file.ends_with("content");
    let mut found = find_everywhere(&centre.site.directory, is_content, &centre.process);
    for answer in &said {
        found.extend(find(&answer.body, &format!("an answer with {}", answer.status)));
    }
    let status = serde_json::to_vec(&centre.status().await).unwrap();
    found.extend(find(&status, "the status"));
    assert_eq!(found, Vec::<String>::new());
    assert!(Path::new(&centre.site.data).join("ledger.sqlite").exists(), "there was something to search");
    assert!(centre.process.err.text().lines().count() > 20, "the log was as talkative as it can be");
}

#[tokio::test]
async fn a_name_in_a_claims_file_appears_in_no_word_log_or_evidence_of_the_sender() {
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    let party = institution(Kind::Medical, 1);
    let site = lab.sender("clinic", &party, centre.address, &[("retry.attempts", "1")]);
    let content = claims_file_about(Kind::Medical, &party, 30_000, NAME);
    // Whole; cut off; altered in its head; for another agency; and once the centre is gone.
    let (head, rest) = content.split_at(30);
    let mut other_agency = content.clone();
    other_agency[3] = b'2';
    let mut found = Vec::new();
    for (bytes, expected) in [
        (content.clone(), 0),
        (content[..content.len() - 20].to_vec(), 4),
        ([head, b",,,", rest].concat(), 4),
        (other_agency, 4),
    ] {
        let file = lab.file("RECEIPTC.UKE", &bytes);
        let mut sending = Sending::start(&site, &file);
        assert_eq!(sending.ended().await.code(), Some(expected));
        found.extend(find_everywhere(&site.directory, |_| false, &sending.process));
    }
    drop(centre);
    let file = lab.file("RECEIPTC.UKE", &claims_file_about(Kind::Medical, &party, 40_000, NAME));
    let mut sending = Sending::start(&site, &file);
    assert_eq!(sending.ended().await.code(), Some(5));
    found.extend(find_everywhere(&site.directory, |_| false, &sending.process));
    assert_eq!(found, Vec::<String>::new());
    assert!(site.data.join("log/entries.jsonl").exists(), "there was something to search");
}
