//! The rows that have a goal, as a picture: one bar for each ratio, and a mark where its goal lies.

use std::{fmt::Write as _, fs::File, io::Write as _, path::Path};

use crate::rows::Row;

const WIDTH: f64 = 1240.0;
const TEXT_WIDTH: f64 = 700.0;
const LINE: f64 = 26.0;
const TOP: f64 = 60.0;
const BAR: f64 = 14.0;

/// The whole picture.
pub fn svg(rows: &[Row]) -> String {
    let shown: Vec<&Row> = rows.iter().filter(|row| row.goal.is_some()).collect();
    let goal = |row: &Row| row.goal.as_deref().and_then(|goal| goal.get(2..)?.parse::<f64>().ok());
    let most = shown.iter().flat_map(|row| [row.ratio, goal(row).unwrap_or_default()]).fold(1.0, f64::max);
    let x = |ratio: f64| TEXT_WIDTH + ratio / most * (WIDTH - TEXT_WIDTH - 80.0);
    let height = TOP + shown.len() as f64 * LINE + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"24\" font-size=\"16\">Sekisho / peer; the black mark is the goal, the grey line is 1</text>\n\
         <line x1=\"{one}\" x2=\"{one}\" y1=\"40\" y2=\"{height}\" stroke=\"#bbb\"/>\n",
        one = x(1.0)
    );
    for (number, row) in shown.iter().enumerate() {
        let y = TOP + number as f64 * LINE;
        let colour = if row.met == Some(true) { "#2a7f4f" } else { "#b3423a" };
        let label = escape(&format!("{}: {} / {}", row.suite, row.figure, row.peer));
        let (text, goal) = (y + BAR - 3.0, x(goal(row).unwrap_or_default()));
        // Writing into a string does not fail.
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{label}</text>\n\
             <rect x=\"{TEXT_WIDTH}\" y=\"{y}\" width=\"{}\" height=\"{BAR}\" fill=\"{colour}\"/>\n\
             <line x1=\"{goal}\" x2=\"{goal}\" y1=\"{}\" y2=\"{}\" stroke=\"black\" stroke-width=\"2\"/>\n\
             <text x=\"{}\" y=\"{text}\">{:.2} ({})</text>\n",
            TEXT_WIDTH - 8.0,
            x(row.ratio) - TEXT_WIDTH,
            y - 3.0,
            y + BAR + 3.0,
            x(row.ratio).max(goal) + 6.0,
            row.ratio,
            escape(row.goal.as_deref().unwrap_or_default()),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Writes it.
pub fn store(rows: &[Row], file: &Path) -> anyhow::Result<()> {
    let mut out = File::options().write(true).create(true).truncate(true).open(file)?;
    Ok(out.write_all(svg(rows).as_bytes())?)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{About, Goal};

    #[test]
    fn only_rows_with_a_goal_are_drawn_and_their_text_is_escaped() {
        let row = |peer, goal| {
            let about = About { suite: "s", figure: "f", unit: "s", peer, goal };
            Row::new(&about, &[1.0].into_iter().collect(), &[2.0].into_iter().collect()).unwrap()
        };
        let drawn = svg(&[row("a & b", Some(Goal::AtMost(0.6))), row("nobody", None)]);
        assert!(drawn.contains("a &amp; b") && drawn.contains("0.50 (&lt;=0.60)"), "{drawn}");
        assert!(!drawn.contains("nobody"));
    }
}
