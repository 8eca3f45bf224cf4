//! Why somebody is turned away before a request is handled, for people: cause and next step, in Japanese and English, and
//! whether trying again can help. docs/refusals.md is made from this; problems of requests stand in docs/errors.md.

use pki::fault::PeerFault;

/// Can the same peer get through by trying again?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Yes, after a while, with nothing changed.
    Later,
    /// Not before the centre has changed something.
    AfterCentre,
    /// Not before the peer has changed something.
    AfterPeer,
}

/// One reason.
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// The stable word, as in counters, logs and `check --peer`.
    pub code: &'static str,
    /// What it means.
    pub cause: &'static str,
    /// What it means, in Japanese.
    pub cause_ja: &'static str,
    /// What to do.
    pub next: &'static str,
    /// What to do, in Japanese.
    pub next_ja: &'static str,
    /// Whether trying again can help.
    pub again: Again,
}

/// The alert of RFC 8446 section 6.2 that a peer sees which is refused for this; `None`: only a close.
pub fn alert(code: &str) -> Option<&'static str> {
    PeerFault::from_code(code).and_then(PeerFault::alert)
}

/// The reason of this code.
pub fn reason(code: &str) -> Option<&'static Reason> {
    CERTIFICATE.iter().chain(CONNECTION).find(|reason| reason.code == code)
}

/// Something that is counted beside refusals.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Stage and code, as `sekisho-gateway status` shows them.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What it means, in Japanese.
    pub meaning_ja: &'static str,
}

/// What is counted in the same place and turns nobody away by itself: what became of connections that were let in.
pub const COUNTED: &[Counted] = &[
    Counted {
        name: "certificate:let_in_by_grace",
        meaning: "A peer was let in although the revocation list of its issuer has ended: `danger_crl_grace` is set.",
        meaning_ja: "失効リストの期限切れ後も danger_crl_grace により接続を許可した。",
    },
    Counted {
        name: "certificate:ended_open_connection",
        meaning: "An open connection was told to end: its certificate no longer counts, or the operator said so. The \
                  log has the reason beside `open connection ended`.",
        meaning_ja: "証明書の失効または運用者の操作により接続中のものを終了させた（理由はログにある）。",
    },
    Counted {
        name: "http:malformed",
        meaning: "What came on the connection of a judged peer is no HTTP/1.1 that is taken here; it was closed.",
        meaning_ja: "受け付けられない HTTP/1.1 が届いたため切断した。",
    },
    Counted {
        name: "http:head_timeout",
        meaning: "No request, or no whole head of one, came within `link.header_max`: how an idle connection ends.",
        meaning_ja: "link.header_max 内に要求が届かなかった（待機中の接続の通常の終わり方）。",
    },
    Counted {
        name: "http:link_lost",
        meaning: "The line of an open connection is dead: its other end no longer answers.",
        meaning_ja: "接続中に回線が切れた（相手が応答しない）。",
    },
    Counted {
        name: "http:peer_closed",
        meaning: "The peer, or something on the way, closed the connection before its request or answer was whole.",
        meaning_ja: "要求または応答の途中で相手側が切断した。",
    },
];

macro_rules! reasons {
    ($($code:literal, $again:ident, $cause:literal, $cause_ja:literal, $next:literal, $next_ja:literal;)+) => {
        &[$(Reason {
            code: $code,
            again: Again::$again,
            cause: $cause,
            cause_ja: $cause_ja,
            next: $next,
            next_ja: $next_ja,
        }),+]
    };
}

/// The certificate that was shown, or its absence: counted as `certificate:CODE`.
pub const CERTIFICATE: &[Reason] = reasons! {
    "no_cert", AfterPeer,
        "No client certificate was shown.", "クライアント証明書が提示されなかった。",
        "Set certificate and key in the sender's settings.", "送信側の設定に証明書と鍵を指定する。";
    "malformed", AfterPeer,
        "The certificate cannot be read, or is not as RFC 5280 has it.", "証明書が読めない、または規格どおりでない。",
        "Install the certificate again from what the authority issued.", "認証局から発行された証明書を入れ直す。";
    "expired", AfterPeer,
        "The certificate, or an authority above it, has ended.", "証明書またはその上位認証局の有効期限が切れている。",
        "Renew the certificate; if it looks valid, check both clocks.", "証明書を更新する。期限内のはずなら双方の時計を確認する。";
    "not_yet_valid", AfterPeer,
        "The certificate is not valid yet.", "証明書の有効期間がまだ始まっていない。",
        "Check the clocks of both machines; else wait for its first day.", "双方の時計を確認する。正しければ開始日まで待つ。";
    "unknown_ca", AfterPeer,
        "No path leads from the certificate to a root that counts here.", "当方が信頼する認証局につながらない証明書である。",
        "Send the issuing authority's certificate along; use the certificate of the right authority and environment.",
        "発行元の中間証明書も設定する。正しい認証局・環境の証明書を使う。";
    "bad_signature", AfterPeer,
        "The certificate is not signed by its issuer, or its holder does not hold its key.", "署名が発行元のものでない、または鍵が証明書と合わない。",
        "Install certificate and key from the same order; if they are right, look for somebody in between.",
        "同じ発行の証明書と鍵を入れ直す。正しければ途中の第三者を疑う。";
    "weak_signature", AfterPeer,
        "The certificate is signed with SHA-1 or another algorithm that is not accepted.", "SHA-1 など認められない方式で署名された証明書である。",
        "Have it issued anew with SHA-256 or better.", "SHA-256 以上で再発行を受ける。";
    "weak_key", AfterPeer,
        "The certificate's key is too weak (RSA below 2048 bits) or of a kind that is not accepted.", "鍵が弱い（RSA 2048 ビット未満）か、認められない種類である。",
        "Have it issued anew for an ECDSA P-256 key.", "ECDSA P-256 の鍵で再発行を受ける。";
    "revoked", AfterPeer,
        "The certificate, or an authority above it, is revoked.", "証明書またはその上位認証局が失効している。",
        "Ask the authority why, and for a new certificate.", "認証局に理由を確認し、新しい証明書の発行を受ける。";
    "crl_missing", AfterCentre,
        "There is no revocation list at the centre that covers the certificate.", "この証明書を対象とする失効リストが当方にない。",
        "Centre: add the list of that issuer under `crls` and reload.", "受信側：発行元の失効リストを crls に加えて再読込みする。";
    "crl_expired", AfterCentre,
        "The revocation list that covers the certificate has ended.", "失効リストの有効期限が切れている。",
        "Centre: fetch the newest list; it counts within seconds.", "受信側：最新の失効リストを取得する（数秒で反映される）。";
    "wrong_eku", AfterPeer,
        "The certificate is not for this use: a server's or an evidence certificate in a client's place.", "用途の違う証明書である（サーバ用・署名用など）。",
        "Use the certificate that was issued for the line.", "回線用に発行された証明書を使う。";
    "wrong_ku", AfterPeer,
        "The certificate's key usage does not allow this.", "証明書の鍵用途（KeyUsage）が合わない。",
        "Have it issued with digitalSignature and nothing of an authority's.", "digitalSignature のみを持つ証明書の発行を受ける。";
    "wrong_basic_constraints", AfterPeer,
        "An authority's certificate stands in a peer's place, or the reverse.", "認証局の証明書が端末の位置にある、またはその逆である。",
        "Put the peer's own certificate first in the file.", "自分の証明書をファイルの先頭に置く。";
    "critical_extension", AfterPeer,
        "The certificate holds a critical extension that is not understood.", "解釈できない必須（critical）拡張を含む証明書である。",
        "Have it issued without it.", "その拡張のない証明書の発行を受ける。";
    "lifetime_too_long", AfterPeer,
        "The certificate is valid for longer than five years.", "有効期間が 5 年を超える証明書である。",
        "Have it issued for a shorter time.", "有効期間の短い証明書の発行を受ける。";
    "chain_too_long", AfterPeer,
        "More certificates were shown than allowed, or they are too large.", "提示された証明書の数または大きさが上限を超えている。",
        "Show the own certificate and its issuers, without the root.", "自分の証明書と中間証明書だけを（ルートなしで）提示する。";
    "name_not_allowed", AfterPeer,
        "A name in the certificate is one that its authority may not give, or not the one that was dialled.", "認証局が付与できない名前、または接続先と異なる名前である。",
        "Dial the name in the server's certificate; else have it issued anew.", "証明書に記載の名前で接続する。違う場合は再発行を受ける。";
    "bad_identity", AfterPeer,
        "The certificate names nobody by the identity rules, or more than one.", "識別規則で本人を一意に特定できない証明書である。",
        "Centre: look at it with `check --peer`; then mend the rules under [identity], or have it issued anew.",
        "受信側：check --peer で確認し、[identity] の規則を直すか再発行を受ける。";
    "wrong_environment", AfterPeer,
        "A test certificate in production, or the reverse.", "試験用の証明書を本番で（またはその逆で）使っている。",
        "Use the certificate of this environment.", "この環境用の証明書を使う。";
    "wrong_role", AfterPeer,
        "The server is not of the role that was expected.", "接続先の役割が想定と異なる。",
        "Check the centre's address and party in the settings.", "設定の接続先アドレスと機関を確認する。";
    "wrong_party", AfterPeer,
        "The server is another party than the one that was expected.", "接続先が想定した機関ではない。",
        "Check the centre's address and party in the settings.", "設定の接続先アドレスと機関を確認する。";
    "blocked", AfterCentre,
        "The centre's operator keeps this party or certificate out.", "受信側の運用者がこの機関または証明書を遮断している。",
        "Call the centre; there: `sekisho-gateway blocked`, `unblock`.", "受信側に連絡する（受信側：blocked で確認、unblock で解除）。";
    "role_not_here", AfterPeer,
        "Parties of this role do not come in at this address.", "この役割の機関が接続する宛先ではない。",
        "Use the address for your role; centre: `roles` of the listener.", "役割に合った宛先に接続する（受信側：待受けの roles）。";
    "identity_changed", Later,
        "The rules under [identity] were changed, and the certificate now names somebody else: the open connection ended.",
        "[identity] の規則が変更され、証明書の示す本人が変わったため、接続中に切断した。",
        "Connect again; centre: look at the rules with `check --peer`.", "接続し直す（受信側：check --peer で規則を確認する）。";
    "other", AfterPeer,
        "The certificate's path could not be built.", "証明書の検証経路を構成できなかった。",
        "Centre: look at it with `check --peer`.", "受信側：check --peer で確認する。";
};

/// Before the certificate is seen, or beside it: counted as `connection:CODE`.
pub const CONNECTION: &[Reason] = reasons! {
    "not_allowed", AfterCentre,
        "The connection comes from a network that may not connect.", "許可されていないネットワークからの接続である。",
        "Use the approved line; centre: `listen.allowed_prefixes`.", "承認された回線から接続する（受信側：listen.allowed_prefixes）。";
    "tls12_refused", AfterPeer,
        "An open connection speaks TLS 1.2, which its listener no longer takes.", "TLS 1.2 の接続中に、待受けが TLS 1.2 を受け付けなくなった。",
        "Speak TLS 1.3; centre: `listen.tls12`.", "TLS 1.3 を使う（受信側：listen.tls12）。";
    "prefix_full", Later,
        "As many connections from this network as there may be.", "同じネットワークからの接続数が上限に達している。",
        "Close connections that are not used; centre: `limits.connections_per_prefix_max`, `exempt_prefixes`.",
        "不要な接続を閉じる（受信側：limits.connections_per_prefix_max、exempt_prefixes）。";
    "handshakes_too_fast", Later,
        "Connections from this network begin too fast.", "同じネットワークからの接続開始が速すぎる。",
        "Keep connections open instead of opening new ones.", "接続を使い回す。";
    "handshake_gave_way", Later,
        "The handshake took long while many were under way, and gave its place to others.", "混雑中に接続手続きが長引き、他の接続に譲った。",
        "Try again; if it happens often, the line is slow or the centre is under attack.", "再試行する。頻発する場合は回線遅延か攻撃を疑う。";
    "handshake_timeout", Later,
        "The handshake did not finish in time.", "接続手続きが時間内に終わらなかった。",
        "Look at the line (MTU, losses).", "回線（MTU、パケット損失）を確認する。";
    "handshake_failed", AfterPeer,
        "What came was no TLS, no version or suite that is spoken here, or broke off.", "TLS でない、対応しない版・暗号である、または途中で切れた。",
        "Speak TLS 1.3; `openssl s_client` shows what happens.", "TLS 1.3 を使う。openssl s_client で確認できる。";
    "identity_full", Later,
        "As many connections of this identity as there may be.", "この利用者の接続数が上限に達している。",
        "Close connections that are not used; centre: `limits.connections_per_identity_max`.",
        "不要な接続を閉じる（受信側：limits.connections_per_identity_max）。";
    "balancer_header_malformed", AfterCentre,
        "A balancer did not say by PROXY protocol v2 where the connection comes from.", "負荷分散装置が PROXY protocol v2 で接続元を通知していない。",
        "Centre: switch it on at the balancer, or take it out of `listen.proxy_protocol_from`.",
        "受信側：分散装置で有効にするか、listen.proxy_protocol_from から外す。";
    "balancer_header_timeout", Later,
        "A balancer's header did not come in time.", "負荷分散装置の通知が時間内に届かなかった。",
        "Centre: look at the balancer.", "受信側：分散装置を確認する。";
    "balancer_headers_full", Later,
        "Too many connections of balancers wait for their header.", "通知待ちの分散装置接続が多すぎる。",
        "Centre: look at the balancer.", "受信側：分散装置を確認する。";
    "accept_failed", Later,
        "The system could not accept a connection, mostly for want of file descriptors.", "接続を受け付けられなかった（主にファイル記述子の不足）。",
        "Centre: raise LimitNOFILE.", "受信側：LimitNOFILE を上げる。";
    "link_timers_failed", AfterCentre,
        "The timers that notice a dead line could not be set.", "回線断検知のタイマを設定できなかった。",
        "Centre: look at the log; the kernel refused a socket option.", "受信側：ログを確認する。";
    "ended_by_us", AfterPeer,
        "An open connection was ended because its certificate or right was withdrawn, or by the operator.", "証明書・権限の取消しまたは運用者の操作により、接続中に切断した。",
        "The log names the reason beside `open connection ended`.", "ログの open connection ended の理由を見る。";
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use protocol::problem::Problem;

    use super::*;
    use crate::gate::Closed;

    /// Every name under which something stands in a document: `stage:code`.
    fn documented() -> BTreeSet<String> {
        let of = |stage: &'static str, codes: &'static [Reason]| {
            codes.iter().map(move |reason| format!("{stage}:{}", reason.code))
        };
        let counted = COUNTED.iter().map(|counted| counted.name.to_owned());
        let problems = Problem::ALL.iter().map(|problem| format!("request:{}", problem.code()));
        of("certificate", CERTIFICATE)
            .chain(of("connection", CONNECTION))
            .chain(counted)
            .chain(problems)
            .collect()
    }

    /// Is it written as a reason is: small letters with `_` between them?
    fn is_code(text: &str) -> bool {
        text.contains('_') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    }

    #[test]
    fn whatever_the_program_counts_stands_in_a_document() {
        let documented = documented();
        let (mut seen, mut judged, mut files) = (0, 0, 0);
        let mut directories = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap_or_default();
                files += 1;
                // A stage with a word right behind it.
                for (stage, name) in [
                    ("Connection", "connection"),
                    ("Certificate", "certificate"),
                    ("Http", "http"),
                    ("Request", "request"),
                ] {
                    for behind in text.split(&format!("Stage::{stage},")).skip(1) {
                        let Some(word) = behind.trim_start().strip_prefix('"') else { continue };
                        let code = word.split('"').next().unwrap_or_default();
                        assert!(
                            documented.contains(&format!("{name}:{code}")),
                            "{name}:{code} of {}",
                            path.display()
                        );
                        seen += 1;
                    }
                }
                // A word with which a judged connection is turned away.
                if path.ends_with("in_force/listener.rs") {
                    let words = text.split("Err(\"").skip(1);
                    for code in words.map(|behind| behind.split('"').next().unwrap_or_default()) {
                        let known = documented.iter().any(|name| name.split(':').nth(1) == Some(code));
                        assert!(known, "{code} of {}", path.display());
                        judged += 1;
                    }
                }
                // A word that is counted a few lines further down.
                if text.contains("counters.count_from(") {
                    for code in text.split('"').skip(1).step_by(2).filter(|word| is_code(word)) {
                        let known = documented.iter().any(|name| name.split(':').nth(1) == Some(code));
                        assert!(known, "{code} of {}", path.display());
                        seen += 1;
                    }
                }
            }
        }
        assert!(
            seen > 20 && judged > 1 && files > 40,
            "{seen} words in {files} files: the test no longer finds what is counted"
        );
    }

    #[test]
    fn every_fault_of_a_certificate_and_every_word_of_the_gate_has_its_line_once() {
        let known: Vec<&str> = CERTIFICATE.iter().chain(CONNECTION).map(|reason| reason.code).collect();
        assert_eq!(known.iter().collect::<BTreeSet<_>>().len(), known.len());
        let gate = [Closed::NotAllowed, Closed::PrefixFull, Closed::TooFast].map(Closed::reason);
        for code in PeerFault::ALL.map(PeerFault::code).into_iter().chain(gate) {
            assert!(known.contains(&code), "{code} has no line");
        }
    }
}
