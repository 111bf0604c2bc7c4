//! Just enough SVG: rectangles, lines, texts and stepped areas. Horizontal places are percentages of the picture's
//! width, vertical ones pixels, so that one picture fits a phone and a wide screen and its texts keep their size.

use std::fmt::Write;

/// Text that stands in HTML or SVG, whatever it holds.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A picture that grows by shapes.
#[derive(Debug, Default)]
pub(super) struct Picture {
    shapes: String,
}

/// From where to where across, in percent of the width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Across {
    pub(super) from: f64,
    pub(super) until: f64,
}

impl Across {
    /// Wide enough to be seen.
    pub(super) fn visible(self) -> Self {
        Self {
            from: self.from,
            until: self.until.max(self.from + 0.35).min(100.0_f64.max(self.from)),
        }
    }

    fn width(self) -> f64 {
        (self.until - self.from).max(0.0)
    }
}

/// From where to where down, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Down {
    pub(super) from: u32,
    pub(super) height: u32,
}

impl Picture {
    /// A rectangle of a class; `title` shows when one points at it.
    pub(super) fn rect(&mut self, class: &str, x: Across, y: Down, title: &str) {
        let title = if title.is_empty() {
            String::new()
        } else {
            format!("<title>{}</title>", escaped(title))
        };
        let _ = write!(
            self.shapes,
            r#"<rect class="{class}" x="{:.2}%" y="{}" width="{:.2}%" height="{}">{title}</rect>"#,
            x.from,
            y.from,
            x.width(),
            y.height
        );
    }

    /// A text inside a rectangle, cut off at its right edge.
    pub(super) fn label(&mut self, class: &str, x: Across, y: Down, text: &str) {
        let _ = write!(
            self.shapes,
            r#"<svg x="{:.2}%" y="{}" width="{:.2}%" height="{}"><text class="{class}" x="6" y="{}">{}</text></svg>"#,
            x.from,
            y.from,
            x.width(),
            y.height,
            y.height - y.height / 3,
            escaped(text)
        );
    }

    /// A text; `anchor` is `start`, `middle` or `end`.
    pub(super) fn text(&mut self, class: &str, anchor: &str, x: f64, y: u32, text: &str) {
        let _ = write!(
            self.shapes,
            r#"<text class="{class}" text-anchor="{anchor}" x="{x:.2}%" y="{y}">{}</text>"#,
            escaped(text)
        );
    }

    /// A lane's heading: its name, and what is told of it.
    pub(super) fn heading(&mut self, y: u32, name: &str, told: &str) {
        let told = if told.is_empty() {
            String::new()
        } else {
            format!(r#"<tspan class="told"> · {}</tspan>"#, escaped(told))
        };
        let name = escaped(name);
        let _ = write!(
            self.shapes,
            r#"<text class="lane" x="0" y="{y}">{name}{told}</text>"#
        );
    }

    /// A line straight down.
    pub(super) fn upright(&mut self, class: &str, x: f64, y: Down) {
        let end = y.from + y.height;
        let _ = write!(
            self.shapes,
            r#"<line class="{class}" x1="{x:.2}%" x2="{x:.2}%" y1="{}" y2="{end}"/>"#,
            y.from
        );
    }

    /// A line straight across.
    pub(super) fn level(&mut self, class: &str, y: u32) {
        let _ = write!(
            self.shapes,
            r#"<line class="{class}" x1="0" x2="100%" y1="{y}" y2="{y}"/>"#
        );
    }

    /// Paths in a system of their own, `columns` wide and 100 high, stretched over the whole width.
    pub(super) fn stretched(&mut self, columns: usize, y: Down, paths: &[(&str, String)]) {
        let _ = write!(
            self.shapes,
            r#"<svg x="0" y="{}" width="100%" height="{}" viewBox="0 0 {columns} 100" preserveAspectRatio="none">"#,
            y.from, y.height
        );
        for (class, path) in paths.iter().filter(|(_, path)| !path.is_empty()) {
            let _ = write!(self.shapes, r#"<path class="{class}" d="{path}"/>"#);
        }
        self.shapes.push_str("</svg>");
    }

    /// The whole picture, with a title and a description for those who cannot see it.
    pub(super) fn finish(self, id: &str, height: u32, title: &str, description: &str) -> String {
        format!(
            concat!(
                r#"<svg id="{id}" class="chart" role="img" aria-labelledby="{id}-t {id}-d" width="100%" height="{height}">"#,
                r#"<title id="{id}-t">{title}</title><desc id="{id}-d">{description}</desc>{shapes}</svg>"#
            ),
            id = id,
            height = height,
            title = escaped(title),
            description = escaped(description),
            shapes = self.shapes
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_breaks_out_of_where_it_stands(text in ".{0,60}") {
            let escaped = escaped(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'', '\n']));
        }
    }
}
