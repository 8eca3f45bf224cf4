//! Writes records: fields behind commas, CR LF at the end, nothing else.

/// Records written so far, as bytes.
#[derive(Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
}

/// Runs of empty fields are copied from here.
const COMMAS: &[u8; 64] = b",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,";

impl Records {
    /// Begins a record; [`Record::end`] ends it.
    pub(super) fn begin(&mut self, id: &[u8; 2]) -> Record<'_> {
        self.bytes.extend_from_slice(id);
        Record { bytes: &mut self.bytes }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn append(&mut self, other: &Records) {
        self.bytes.extend_from_slice(&other.bytes);
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// One record in the making.
#[must_use = "a record needs its end"]
pub(super) struct Record<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Record<'_> {
    /// A field as it is.
    pub(super) fn text(self, text: &[u8]) -> Self {
        self.bytes.push(b',');
        self.bytes.extend_from_slice(text);
        self
    }

    /// A field as it is, so many times over.
    pub(super) fn repeated(self, text: &[u8], times: u32) -> Self {
        self.bytes.push(b',');
        (0..times).for_each(|_| self.bytes.extend_from_slice(text));
        self
    }

    /// A number without leading zeros.
    pub(super) fn number(self, number: impl Into<u64>) -> Self {
        self.padded(number, 1)
    }

    /// A number of at least so many digits, at most 20.
    pub(super) fn padded(self, number: impl Into<u64>, width: usize) -> Self {
        let mut rest = number.into();
        let mut digits = [b'0'; 20];
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            if rest == 0 && used >= width {
                break;
            }
            // The remainder is below ten.
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            used += 1;
        }
        self.bytes.push(b',');
        self.bytes.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
        self
    }

    /// Nine digits that begin a code of the official masters with this class digit (1 診療行為, 6 医薬品, 7 特定器材, 8
    /// コメント) and go on with `999000`, which no master gives out.
    pub(super) fn master_code(self, class: u32, serial: u32) -> Self {
        self.padded(class * 100_000_000 + 99_900_000 + serial % 1000, 9)
    }

    /// So many empty fields, at most 64.
    pub(super) fn empty(self, count: usize) -> Self {
        self.bytes.extend_from_slice(COMMAS.get(..count).unwrap_or(COMMAS));
        self
    }

    /// 31 fields, one per day of the month, with the text on the days in the set.
    pub(super) fn days(mut self, days: Days, text: &[u8]) -> Self {
        let mut next = 1;
        for day in days.iter() {
            self = self.empty((day - next) as usize).text(text);
            next = day + 1;
        }
        self.empty((32 - next) as usize)
    }

    /// The line end.
    pub(super) fn end(self) {
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// A set of days of a month, 1 to 31.
#[derive(Clone, Copy, Default)]
pub(super) struct Days(u32);

impl Days {
    pub(super) fn insert(&mut self, day: u32) {
        if (1..=31).contains(&day) {
            self.0 |= 1 << day;
        }
    }

    pub(super) fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// The first day of the set, 1 for an empty one.
    pub(super) fn first(self) -> u32 {
        self.iter().next().unwrap_or(1)
    }

    fn iter(self) -> impl Iterator<Item = u32> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let day = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            (day < 32).then_some(day)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_out_as_written() {
        let mut records = Records::default();
        records.begin(b"SI").text(b"11").number(0u32).number(120u32).padded(7u32, 3).empty(2).end();
        records.begin(b"IY").master_code(6, 42).repeated(b"ab", 2).end();
        assert_eq!(records.as_bytes(), b"SI,11,0,120,007,,\r\nIY,699900042,abab\r\n");
    }

    #[test]
    fn days_are_always_31_fields() {
        for chosen in [&[][..], &[1], &[31], &[1, 2, 31], &[5, 17]] {
            let mut days = Days::default();
            chosen.iter().for_each(|day| days.insert(*day));
            let mut records = Records::default();
            records.begin(b"JD").days(days, b"1").end();
            let line = std::str::from_utf8(records.as_bytes()).unwrap().trim_end();
            let fields: Vec<&str> = line.split(',').skip(1).collect();
            assert_eq!(fields.len(), 31, "{chosen:?}");
            assert!((1..=31).all(|day| (fields[day as usize - 1] == "1") == chosen.contains(&day)), "{line}");
        }
    }
}
