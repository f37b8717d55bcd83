//! A sparkline of a webhook's deliveries: one bar an hour, as inline SVG.

use std::fmt::Write as _;

use super::html::Html;
use crate::render::Hour;

/// The height of the drawing, and the distance and width of its bars.
const HEIGHT: u64 = 20;
const STEP: usize = 4;
const WIDTH: usize = 3;

/// Appends the sparkline. The label says in words what it shows.
pub(super) fn sparkline(html: &mut Html, hours: &[Hour]) {
    let most = hours.iter().map(total).max().unwrap_or_default();
    if most == 0 {
        return;
    }
    let mut failed_hours = 0;
    let [mut delivered, mut waiting, mut failed] = [String::new(), String::new(), String::new()];
    for (index, hour) in hours.iter().enumerate() {
        let mut bottom = HEIGHT;
        failed_hours += u64::from(hour.failed > 0);
        for (count, path) in [
            (hour.failed, &mut failed),
            (hour.waiting, &mut waiting),
            (hour.delivered, &mut delivered),
        ] {
            let height = scaled(count, most).min(bottom);
            if height > 0 {
                bottom -= height;
                // Writing to a `String` cannot fail.
                let _ = write!(
                    path,
                    "M{} {bottom}h{WIDTH}v{height}h-{WIDTH}z",
                    index * STEP
                );
            }
        }
    }
    html.raw("<svg class=\"spark\" role=\"img\" width=\"96\" height=\"20\" viewBox=\"0 0 96 20\" aria-label=\"");
    html.raw("At most ").number(most).raw(" events an hour; ");
    match failed_hours {
        0 => html.raw("no hour with failures"),
        1 => html.raw("1 hour with failures"),
        count => html.number(count).raw(" hours with failures"),
    };
    html.raw("\">");
    for (class, path) in [("ok", delivered), ("wait", waiting), ("bad", failed)] {
        if !path.is_empty() {
            html.raw("<path class=\"").text(class).raw("\" d=\"");
            html.text(&path).raw("\"/>");
        }
    }
    html.raw("</svg>");
}

const fn total(hour: &Hour) -> u64 {
    hour.delivered + hour.waiting + hour.failed
}

/// Returns the height of a count. What happened is never invisible.
fn scaled(count: u64, most: u64) -> u64 {
    (count.saturating_mul(HEIGHT) / most).max(u64::from(count > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_among_thousands_can_be_seen() {
        let mut hours = vec![Hour::default(); 24];
        if let Some(last) = hours.last_mut() {
            *last = Hour {
                delivered: 5_000,
                waiting: 0,
                failed: 1,
            };
        }
        let mut html = Html::default();
        sparkline(&mut html, &hours);
        let html = html.finish();
        assert!(
            html.contains("class=\"bad\" d=\"M92 19h3v1h-3z\""),
            "{html}"
        );
        assert!(html.contains("class=\"ok\" d=\"M92 0h3v19h-3z\""), "{html}");
        assert!(html.contains("1 hour with failures"), "{html}");
    }

    #[test]
    fn nothing_is_drawn_without_events() {
        let mut html = Html::default();
        sparkline(&mut html, &[Hour::default(); 24]);
        assert_eq!(html.finish(), "");
    }
}
