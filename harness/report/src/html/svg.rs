//! Just enough SVG: rectangles, lines, texts and paths. Horizontal places are percentages of the picture's width,
//! vertical ones pixels, so that one picture fits a phone and a wide screen and its texts keep their size.
//!
//! Takes shapes, gives a [`Chart`] of plain values; `chart.html`, the template that draws it, escapes every text.

use serde::Serialize;

use crate::text::plain;

/// The longest text of a shape; a heading quotes what services say.
const LONGEST: usize = 600;

/// A picture that grows by shapes.
#[derive(Debug, Default)]
pub(super) struct Picture {
    shapes: Vec<Shape>,
}

/// A finished picture.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    id: String,
    height: u32,
    title: String,
    description: String,
    shapes: Vec<Shape>,
}

/// A shape, with the names that the template reads.
#[derive(Debug, Serialize)]
#[serde(tag = "shape", rename_all = "kebab-case")]
enum Shape {
    Rect {
        class: &'static str,
        x: f64,
        width: f64,
        y: u32,
        height: u32,
        title: String,
    },
    Label {
        class: String,
        x: f64,
        width: f64,
        y: u32,
        height: u32,
        baseline: u32,
        text: String,
    },
    Text {
        class: &'static str,
        anchor: &'static str,
        x: f64,
        y: u32,
        text: String,
    },
    Heading {
        y: u32,
        name: String,
        aside: String,
    },
    Upright {
        class: &'static str,
        x: f64,
        y: u32,
        end: u32,
    },
    Level {
        class: &'static str,
        y: u32,
    },
    Stretched {
        columns: usize,
        y: u32,
        height: u32,
        paths: Vec<(&'static str, String)>,
    },
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
            // At least 0.35 %: four pixels of a wide screen, one of a phone.
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

/// On which side of its place a text near an edge of the picture is written.
pub(super) fn anchor(x: f64) -> &'static str {
    match x {
        // A text that is centred at an edge would be cut by it.
        x if x < 3.0 => "start",
        x if x > 97.0 => "end",
        _ => "middle",
    }
}

impl Picture {
    /// A rectangle of a class; `title` shows when the mouse is over it.
    pub(super) fn rect(&mut self, class: &'static str, x: Across, y: Down, title: &str) {
        self.shapes.push(Shape::Rect {
            class,
            x: x.from,
            width: x.width(),
            y: y.from,
            height: y.height,
            title: plain(title, LONGEST),
        });
    }

    /// A text inside a rectangle, cut off at its right edge.
    pub(super) fn label(&mut self, class: String, x: Across, y: Down, text: &str) {
        self.shapes.push(Shape::Label {
            class,
            x: x.from,
            width: x.width(),
            y: y.from,
            height: y.height,
            baseline: y.height - y.height / 3,
            text: plain(text, LONGEST),
        });
    }

    /// A text; `anchor` is `start`, `middle` or `end`.
    pub(super) fn text(&mut self, class: &'static str, anchor: &'static str, x: f64, y: u32, text: &str) {
        self.shapes.push(Shape::Text {
            class,
            anchor,
            x,
            y,
            text: plain(text, LONGEST),
        });
    }

    /// A lane's heading: its name, and a remark.
    pub(super) fn heading(&mut self, y: u32, name: &str, aside: &str) {
        self.shapes.push(Shape::Heading {
            y,
            name: plain(name, LONGEST),
            aside: plain(aside, LONGEST),
        });
    }

    /// A vertical line.
    pub(super) fn upright(&mut self, class: &'static str, x: f64, y: Down) {
        self.shapes.push(Shape::Upright {
            class,
            x,
            y: y.from,
            end: y.from + y.height,
        });
    }

    /// A horizontal line over the whole width.
    pub(super) fn level(&mut self, class: &'static str, y: u32) {
        self.shapes.push(Shape::Level { class, y });
    }

    /// Paths in coordinates `columns` wide and 100 high, stretched over the whole width.
    pub(super) fn stretched(&mut self, columns: usize, y: Down, paths: Vec<(&'static str, String)>) {
        let paths = paths.into_iter().filter(|(_, path)| !path.is_empty()).collect();
        self.shapes.push(Shape::Stretched {
            columns,
            y: y.from,
            height: y.height,
            paths,
        });
    }

    /// The finished picture, with a title and a description for screen readers.
    pub(super) fn finish(self, id: &str, height: u32, title: &str, description: &str) -> Chart {
        Chart {
            id: id.to_owned(),
            height,
            title: plain(title, LONGEST),
            description: plain(description, LONGEST),
            shapes: self.shapes,
        }
    }
}
