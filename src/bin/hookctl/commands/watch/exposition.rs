//! The text formats of metrics: OpenMetrics, and the older Prometheus text format, which every scraper reads. Pure.

use std::collections::BTreeMap;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The Prometheus text format 0.0.4, the default.
    Text,
    /// OpenMetrics 1.0.0, for a scraper that asks for it.
    OpenMetrics,
}

impl Format {
    /// Returns the format that an `Accept` header prefers. Without one, or if both are equal, it is the text format;
    /// OpenMetrics must be named.
    pub(super) fn of_accept(accept: &str) -> Self {
        let mut open = 0.0_f32;
        // A range that names the text format takes precedence over a wildcard.
        let mut ranges = BTreeMap::new();
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = weight(parts);
            match kind.as_str() {
                "application/openmetrics-text" => open = open.max(weight),
                "text/plain" | "text/*" | "*/*" => {
                    let known = ranges.entry(kind).or_insert(0.0_f32);
                    *known = known.max(weight);
                }
                _ => {}
            }
        }
        let text = ["text/plain", "text/*", "*/*"];
        let text = text.iter().find_map(|kind| ranges.get(*kind)).copied();
        if open > text.unwrap_or_default() {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// Returns the content type.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Converts OpenMetrics text to this format.
    pub(super) fn of_open_metrics(self, text: String) -> String {
        match self {
            Self::OpenMetrics => text,
            Self::Text => prometheus(&text),
        }
    }
}

/// Returns the weight among the parameters of a range: 1 without one, and 0 for one that is no number.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> f32 {
    parameters
        .find_map(|parameter| parameter.strip_prefix("q="))
        .map_or(1.0, |text| text.trim().parse().unwrap_or_default())
}

/// Converts OpenMetrics text. There, the name of a family lacks the suffix of its samples; here, it has that suffix, and
/// there is neither a unit nor an end mark.
fn prometheus(text: &str) -> String {
    let mut converted = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap_or((typed, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "gauge" | "histogram" | "summary" => ("", kind),
                _ => ("", "untyped"),
            };
            if let Some((_, help)) = help.take().filter(|(described, _)| *described == name) {
                converted += &format!("# HELP {name}{suffix} {help}\n");
            }
            converted += &format!("# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') {
            converted += line;
            converted.push('\n');
        }
    }
    converted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_format_is_the_default_and_open_metrics_must_be_preferred() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in [
            prometheus_2,
            prometheus_3,
            "application/openmetrics-text",
            "APPLICATION/OpenMetrics-Text; q=0.2",
        ] {
            assert_eq!(Format::of_accept(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/html,*/*;q=0.8",
            "application/json",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=x",
            "application/openmetrics-text;q=0.5,text/plain",
            "application/openmetrics-text,text/*",
        ] {
            assert_eq!(Format::of_accept(accept), Format::Text, "{accept}");
        }
    }

    #[test]
    fn families_get_the_names_of_their_samples() {
        let open = "# HELP a Times.\n# TYPE a counter\na_total{x=\"# y\"} 0\n\
            # HELP b_seconds Time.\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 1.5\n\
            # HELP c Program.\n# TYPE c info\nc_info{v=\"1\"} 1\n# EOF\n";
        let text = "# HELP a_total Times.\n# TYPE a_total counter\na_total{x=\"# y\"} 0\n\
            # HELP b_seconds Time.\n# TYPE b_seconds gauge\nb_seconds 1.5\n\
            # HELP c_info Program.\n# TYPE c_info gauge\nc_info{v=\"1\"} 1\n";
        assert_eq!(Format::Text.of_open_metrics(open.to_owned()), text);
        assert_eq!(Format::OpenMetrics.of_open_metrics(open.to_owned()), open);
    }
}
