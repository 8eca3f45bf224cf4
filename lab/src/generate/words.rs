//! Made-up words in Shift_JIS, encoded once. Whoever reads a generated file must see at once that nobody in it is real.
//!
//! 表 予 十 能 ソ are among them on purpose: their second byte is `5C`, a backslash to careless programs.

use std::io;

use encoding_rs::SHIFT_JIS;

const FAMILY_NAMES: [&str; 12] =
    ["架空", "見本", "例示", "仮名", "模擬", "試験", "雛形", "空想", "表示", "予行", "十例", "能書"];
const GIVEN_NAMES: [(&str, &str); 12] = [
    ("太郎", "タロウ"),
    ("花子", "ハナコ"),
    ("一郎", "イチロウ"),
    ("二郎", "ジロウ"),
    ("三郎", "サブロウ"),
    ("良子", "ヨシコ"),
    ("和子", "カズコ"),
    ("正", "タダシ"),
    ("実", "ミノル"),
    ("桜", "サクラ"),
    ("楓", "カエデ"),
    ("ソラ", "ソラ"),
];
const DISEASES: [&str; 10] = [
    "架空性頭痛",
    "模擬感冒",
    "見本性胃炎",
    "仮想高血圧症",
    "例示性腰痛症",
    "試験的湿疹",
    "表在性模擬皮膚炎",
    "空想性不眠症",
    "予行性花粉症",
    "雛形糖尿病の疑い",
];
const REMARKS: [&str; 6] = [
    "試験用の記録であり実在の患者ではない",
    "前回の見本検査から３月を経過したため再度実施",
    "模擬処方につき一包化を指示",
    "架空の紹介状に基づく",
    "予定どおり経過を観察",
    "効能又は効果の表示に従い投与",
];
const PRODUCTS: [&str; 5] = [
    "架空カテーテル　Ａ型　１２Ｆｒ",
    "見本ガーゼ　滅菌",
    "模擬ステント　３．０ｍｍ",
    "試験用縫合糸",
    "例示酸素　定置式",
];
const INSTITUTIONS: [&str; 3] = ["架空総合病院", "見本クリニック", "模擬中央薬局"];
/// One sentence of a 症状詳記; an SJ record repeats it.
const NARRATIVE: &str = "本文は試験のために作成した架空の症状詳記であり、実在の患者、医師及び医療機関とは関係がない。\
    入院後の経過は良好で、模擬検査の結果を表に示す。";

/// The tables, ready to be copied into records.
pub(super) struct Words {
    /// 氏名, with its カタカナ氏名 at the same place of the other table.
    pub(super) names: Vec<Vec<u8>>,
    pub(super) readings: Vec<Vec<u8>>,
    pub(super) diseases: Vec<Vec<u8>>,
    pub(super) remarks: Vec<Vec<u8>>,
    pub(super) products: Vec<Vec<u8>>,
    pub(super) institutions: Vec<Vec<u8>>,
    pub(super) narrative: Vec<u8>,
}

impl Words {
    /// The tables; a planted marker is everybody's name.
    pub(super) fn new(planted: Option<&str>) -> io::Result<Self> {
        let (mut names, mut readings) = (Vec::new(), Vec::new());
        match planted {
            Some(marker) => {
                names.push(planted_name(marker)?);
                readings.push(Vec::new());
            }
            None => {
                for family in FAMILY_NAMES {
                    for (given, reading) in GIVEN_NAMES {
                        names.push(encode(&format!("{family}\u{3000}{given}"))?);
                        readings.push(encode(&format!("ミホン\u{3000}{reading}"))?);
                    }
                }
            }
        }
        let table = |words: &[&str]| words.iter().map(|word| encode(word)).collect::<io::Result<Vec<_>>>();
        Ok(Words {
            names,
            readings,
            diseases: table(&DISEASES)?,
            remarks: table(&REMARKS)?,
            products: table(&PRODUCTS)?,
            institutions: table(&INSTITUTIONS)?,
            narrative: encode(NARRATIVE)?,
        })
    }
}

/// Width of the 氏名 field in bytes.
const NAME_MAX: usize = 40;

fn planted_name(marker: &str) -> io::Result<Vec<u8>> {
    let name = encode(marker)?;
    if name.len() > NAME_MAX || marker.contains(|c: char| c == ',' || c == '"' || c.is_control()) {
        return Err(invalid(
            "a planted name has at most 40 bytes, and neither comma, quote nor control character",
        ));
    }
    Ok(name)
}

fn encode(text: &str) -> io::Result<Vec<u8>> {
    let (bytes, _, replaced) = SHIFT_JIS.encode(text);
    if replaced { Err(invalid("a planted name must be in Shift_JIS")) } else { Ok(bytes.into_owned()) }
}

/// An order that cannot be carried out.
pub(super) fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_full_width_shift_jis_without_separators() {
        let words = Words::new(None).unwrap();
        let tables =
            [words.names, words.readings, words.diseases, words.remarks, words.products, words.institutions];
        for word in tables.iter().flatten().chain([&words.narrative]) {
            assert!(!word.is_empty() && word.len().is_multiple_of(2), "{word:?}");
            assert!(word.chunks(2).all(|character| character[0] >= 0x81 && character[1] >= 0x40), "{word:?}");
        }
    }

    #[test]
    fn names_and_diseases_fit_their_fields() {
        let words = Words::new(None).unwrap();
        for word in words.names.iter().chain(&words.diseases).chain(&words.institutions) {
            assert!(word.len() <= NAME_MAX);
        }
        assert!(words.narrative.len() * 13 <= 2400, "the longest SJ record the generator writes");
    }

    #[test]
    fn a_marker_that_breaks_the_format_is_refused() {
        let long = "x".repeat(41);
        for bad in ["a,b", "a\"b", "a\r\nb", "a\u{1A}", "🩺", long.as_str()] {
            assert!(Words::new(Some(bad)).is_err(), "{bad:?}");
        }
    }
}
