//! Content that is not what its manifest says: turned down with its documented code, and dropped.

use protocol::{kind::Kind, problem::Problem, transfer_id::TransferKey};
use tests::{
    files::claims_file,
    lab::institution,
    papers::new_id,
    setting::Setting,
    wire::{Engine, send_head},
};

#[tokio::test]
async fn content_that_is_not_as_declared_is_turned_down_and_dropped() {
    Engine::each(async |engine| {
        let setting = Setting::new(20_000, &[]).await;
        let (key, caller) = (setting.offered().await, setting.caller.with(engine));
        let length = setting.content.len() as u64;
        let head = |key: &TransferKey, replace: &str, with: &str| {
            let text = String::from_utf8(send_head(key, 0, length)).unwrap();
            assert!(text.contains(replace), "{text}");
            text.replace(replace, with).into_bytes()
        };
        let declared = format!("content-length: {length}\r\n");
        let unknown = TransferKey { id: new_id(), ..key.clone() };
        caller
            .expect_all(vec![
                ("no length", head(&key, &declared, ""), Problem::LengthRequired),
                ("no offset", head(&key, "upload-offset: 0\r\n", ""), Problem::BadUploadHeader),
                (
                    "two offsets",
                    head(&key, "upload-offset: 0", "upload-offset: 0\r\nupload-offset: 0"),
                    Problem::BadUploadHeader,
                ),
                ("offset -1", head(&key, "upload-offset: 0", "upload-offset: -1"), Problem::BadUploadHeader),
                ("offset +0", head(&key, "upload-offset: 0", "upload-offset: +0"), Problem::BadUploadHeader),
                ("not complete", head(&key, "?1", "?0"), Problem::BadUploadHeader),
                (
                    "other content type",
                    head(&key, "application/partial-upload", "text/plain"),
                    Problem::UnsupportedMediaType,
                ),
                ("other offset", send_head(&key, 1, length - 1), Problem::WrongOffset),
                ("one byte too many", send_head(&key, 0, length + 1), Problem::LengthMismatch),
                ("one byte too few", send_head(&key, 0, length - 1), Problem::LengthMismatch),
                ("unknown id", send_head(&unknown, 0, length), Problem::NotFound),
            ])
            .await;
        // The right length of other bytes: once for another try, then for good.
        let mut other = setting.content.clone();
        other[100] ^= 1;
        assert_eq!(caller.send(&key, &other).await.problem(), Problem::DigestMismatch);
        assert_eq!(setting.caller.state(&key).await.phase, "aborted");
        let last = caller.send(&key, &other).await;
        assert_eq!((last.status, last.problem()), (422, Problem::DigestMismatch));
        assert_eq!(setting.caller.state(&key).await.phase, "refused");
        assert_eq!(caller.send(&key, &setting.content).await.problem(), Problem::DigestMismatch);
        setting.expect_nothing_left().await;
    })
    .await;
}

#[tokio::test]
async fn a_claims_file_that_is_not_what_its_manifest_says_is_refused_for_good_before_the_commit() {
    Engine::each(async |engine| {
        let setting = Setting::new(20_000, &[]).await;
        let whole = &setting.content;
        let replaced = |from: &[u8], to: &[u8]| {
            let at = whole.windows(from.len()).position(|window| window == from).unwrap();
            [&whole[..at], to, &whole[at + from.len()..]].concat()
        };
        let last_record = whole.windows(4).rposition(|window| window == b"\nGO,").unwrap() + 1;
        for (what, content, kind, problem) in [
            ("end cut off", whole[..whole.len() - 1].to_vec(), Kind::Medical, Problem::ClaimsIncomplete),
            ("last record cut off", whole[..last_record].to_vec(), Kind::Medical, Problem::ClaimsIncomplete),
            ("empty", Vec::new(), Kind::Medical, Problem::ClaimsIncomplete),
            ("no claims file at all", b"GIF89a".to_vec(), Kind::Medical, Problem::ClaimsIncomplete),
            (
                "another institution's",
                claims_file(Kind::Medical, &institution(Kind::Medical, 2), 9_000, 1),
                Kind::Medical,
                Problem::ClaimsCodeMismatch,
            ),
            (
                "another payer's",
                replaced(b"UK,1,13", b"UK,2,13"),
                Kind::Medical,
                Problem::ClaimsPayerMismatch,
            ),
            ("another kind", whole.clone(), Kind::Dental, Problem::ClaimsKindMismatch),
        ] {
            let manifest = setting.papers.manifest(kind, &content);
            assert_eq!(setting.caller.offer(&setting.papers.sign(&manifest)).await.status, 201, "{what}");
            let answer = setting.caller.with(engine).send(&manifest.key(), &content).await;
            assert_eq!((answer.problem(), answer.status), (problem, 422), "{engine:?}: {what}");
            let state = setting.caller.state(&manifest.key()).await;
            assert_eq!(state.phase, "refused", "{what}");
            assert!(state.refusal.is_some(), "the refusal of {what} is signed");
        }
        let mut month = setting.papers.manifest(Kind::Medical, whole);
        month.claim_month = Some("202609".parse().unwrap());
        assert_eq!(setting.caller.offer(&setting.papers.sign(&month)).await.status, 201);
        assert_eq!(
            setting.caller.with(engine).send(&month.key(), whole).await.problem(),
            Problem::ClaimsMonthMismatch
        );
        setting.expect_nothing_left().await;
        // None of it stands in the way of the right file.
        let manifest = setting.papers.manifest(Kind::Medical, whole);
        assert_eq!(setting.caller.offer(&setting.papers.sign(&manifest)).await.status, 201);
        assert_eq!(setting.caller.with(engine).send(&manifest.key(), whole).await.status, 200);
    })
    .await;
}
