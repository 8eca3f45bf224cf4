//! Figures: medians with their spread, and the rows that are printed and stored.

use std::{path::Path, time::Duration};

use serde::Serialize;

/// Times of single operations in one round: half of them, and all but a hundredth, took no longer than these microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// The median.
    pub p50_us: f64,
    /// The 99th percentile.
    pub p99_us: f64,
}

impl Latency {
    /// Of these times; not a number without any.
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |hundredths: usize| {
            times.get(times.len() * hundredths / 100).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
        };
        Latency { p50_us: at(50), p99_us: at(99) }
    }
}

/// What was measured in several rounds.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// One more round.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle one; of an even number, the mean of the two in the middle. `None` without any.
    pub fn median(&self) -> Option<f64> {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        match sorted.len() % 2 {
            0 => sorted.get(middle.checked_sub(1)?).map(|lower| f64::midpoint(*lower, upper)),
            _ => Some(upper),
        }
    }

    /// Least and most.
    pub fn spread(&self) -> Option<(f64, f64)> {
        let sorted = self.sorted();
        Some((*sorted.first()?, *sorted.last()?))
    }

    /// Each round's figure divided by another's of the same round.
    pub fn over(&self, other: &Figures) -> Figures {
        Figures(self.0.iter().zip(&other.0).map(|(own, other)| own / other).collect())
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl FromIterator<f64> for Figures {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Figures(values.into_iter().collect())
    }
}

/// A bound on a ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// Ours costs at most this share of the other's.
    AtMost(f64),
    /// Ours does at least this share of the other's.
    AtLeast(f64),
}

impl Goal {
    fn text(self) -> String {
        match self {
            Goal::AtMost(bound) => format!("<={bound:.2}"),
            Goal::AtLeast(bound) => format!(">={bound:.2}"),
        }
    }

    fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Goal::AtMost(bound) => ratio <= bound,
            Goal::AtLeast(bound) => ratio >= bound,
        }
    }
}

/// One comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was done.
    pub suite: String,
    /// What was counted.
    pub figure: String,
    /// Its unit.
    pub unit: &'static str,
    /// Our median.
    pub sekisho: f64,
    /// With what it is compared.
    pub peer: String,
    /// Its median.
    pub value: f64,
    /// `sekisho / value`.
    pub ratio: f64,
    /// The bound on the ratio, if there is one.
    pub goal: Option<String>,
    /// Whether the ratio keeps to it.
    pub met: Option<bool>,
    /// Our least and most.
    pub sekisho_spread: (f64, f64),
    /// The other's least and most.
    pub value_spread: (f64, f64),
    /// Least and most of the ratios of single rounds, where ours and the other's were measured in the same round.
    pub ratio_spread: Option<(f64, f64)>,
}

/// What a row says beside its figures.
pub struct About<'a> {
    /// [`Row::suite`].
    pub suite: &'a str,
    /// [`Row::figure`].
    pub figure: &'a str,
    /// [`Row::unit`].
    pub unit: &'static str,
    /// [`Row::peer`].
    pub peer: &'a str,
    /// [`Row::goal`].
    pub goal: Option<Goal>,
}

impl Row {
    /// The row of these figures; `None` if one side has none.
    pub fn new(about: &About<'_>, ours: &Figures, other: &Figures) -> Option<Self> {
        let (sekisho, value) = (ours.median()?, other.median()?);
        let ratio = sekisho / value;
        Some(Row {
            suite: about.suite.to_owned(),
            figure: about.figure.to_owned(),
            unit: about.unit,
            sekisho,
            peer: about.peer.to_owned(),
            value,
            ratio,
            goal: about.goal.map(Goal::text),
            met: about.goal.map(|goal| goal.is_met_by(ratio)),
            sekisho_spread: ours.spread()?,
            value_spread: other.spread()?,
            ratio_spread: ours.over(other).spread(),
        })
    }
}

/// Prints rows as a table.
pub fn print(rows: &[Row]) {
    let wide = |text: fn(&Row) -> usize| rows.iter().map(text).max().unwrap_or_default();
    let (suite, figure) = (wide(|row| row.suite.chars().count()), wide(|row| row.figure.chars().count()));
    let peer = wide(|row| row.peer.chars().count());
    for row in rows {
        let spread = |(least, most): (f64, f64)| format!("({}-{})", short(least), short(most));
        println!(
            "{:<suite$}  {:<figure$}  {:>8} {:<17}  {:<peer$}  {:>8} {:<17}  {:<10}  {:>6.2} {:>7} {}",
            row.suite,
            row.figure,
            short(row.sekisho),
            spread(row.sekisho_spread),
            row.peer,
            short(row.value),
            spread(row.value_spread),
            row.unit,
            row.ratio,
            row.goal.as_deref().unwrap_or(""),
            match row.met {
                Some(true) => "met",
                Some(false) => "NOT MET",
                None => "",
            },
        );
    }
}

/// Three digits that mean something.
pub fn short(value: f64) -> String {
    match value.abs() {
        small if small < 10.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Writes rows as a JSON list in the place of what was there.
pub fn store(rows: &[Row], file: &Path) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(rows)?;
    text.push(b'\n');
    Ok(durable::replace(file, &text, durable::Access::Shared)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: &[f64], other: &[f64], goal: Goal) -> Row {
        let about = About { suite: "s", figure: "f", unit: "s/GiB", peer: "p", goal: Some(goal) };
        Row::new(&about, &ours.iter().copied().collect(), &other.iter().copied().collect()).unwrap()
    }

    #[test]
    fn a_ratio_is_that_of_the_medians_and_judged_by_its_goal() {
        let row = row(&[1.0, 9.0, 2.0], &[4.0, 8.0], Goal::AtMost(0.33));
        assert_eq!((row.sekisho, row.value), (2.0, 6.0));
        assert_eq!((row.goal.as_deref(), row.met), (Some("<=0.33"), Some(false)));
        assert_eq!(row.sekisho_spread, (1.0, 9.0));
    }

    #[test]
    fn more_is_better_where_the_goal_is_a_floor() {
        assert_eq!(row(&[3.0], &[2.0], Goal::AtLeast(1.5)).met, Some(true));
        assert_eq!(row(&[2.9], &[2.0], Goal::AtLeast(1.5)).met, Some(false));
    }

    #[test]
    fn all_but_a_hundredth_took_no_longer_than_the_99th_percentile() {
        let times = (1..=100).rev().map(Duration::from_micros).collect();
        assert_eq!(Latency::of(times), Latency { p50_us: 51.0, p99_us: 100.0 });
    }

    #[test]
    fn without_figures_there_is_no_row() {
        let about = About { suite: "s", figure: "f", unit: "s", peer: "p", goal: None };
        assert!(Row::new(&about, &Figures::default(), &[1.0].into_iter().collect()).is_none());
    }
}
