//! A dependency graph as SVG: what is done first on the left, an arrow to what needs it, and the reason on the arrow.
//!
//! A drawing that stands alone brings its colours; one in a page takes the page's. Foreign text stands in `<text>` and
//! `<title>` only.

use super::diagram::{GraphEdge, GraphNode, GraphView};
use super::escape::{markup, terminal};
use super::layers::{Edge, Layers, Spot, layers};
use super::{layout, words};

/// Where a drawing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SvgPlace {
    /// A file of its own.
    File,
    /// Within a page, whose style it takes.
    Page,
}

const BOX_WIDTH: f64 = 216.0;
const BOX_HEIGHT: f64 = 80.0;
/// Room of an edge that passes a layer.
const PASSING_HEIGHT: f64 = 22.0;
/// Between layers; a reason is written there.
const GAP_X: f64 = 134.0;
const GAP_Y: f64 = 18.0;
const MARGIN: f64 = 14.0;
/// Cells of a line in a box and of a reason.
const BOX_CELLS: usize = 26;
const REASON_CELLS: usize = 20;
/// Beyond this the lines of a drawing cannot be told apart; the rest is counted.
const MOST_NODES: usize = 400;

const STYLE: &str = "\
svg{--ground:#fff;--raised:#f6f7f9;--line:#c3cad3;--text:#1a2028;--muted:#586371;--add:#11683a;--remove:#ad221b;\
--change:#7d5200;--move:#5638b0;background:var(--ground)}\
@media (prefers-color-scheme:dark){svg{--ground:#11151b;--raised:#181e26;--line:#3d4856;--text:#e3e8ee;--muted:#9ba8b7;\
--add:#73d79a;--remove:#ffa198;--change:#efc26b;--move:#c2adff}}\
.g-node rect{fill:var(--raised);stroke:var(--line)}.g-node .g-bar{fill:var(--muted);stroke:none}\
.g-add .g-bar{fill:var(--add)}.g-remove .g-bar{fill:var(--remove)}.g-change .g-bar{fill:var(--change)}\
.g-move .g-bar{fill:var(--move)}.g-node text{fill:var(--text);font:13px system-ui,sans-serif}\
.g-node .g-label{font-weight:600;font-size:12.5px}.g-node .g-note{fill:var(--muted);font-size:11.5px}\
.g-edge path{fill:none;stroke:var(--muted);stroke-width:1.3}.g-soft path{stroke-dasharray:5 4}\
.g-edge text{fill:var(--muted);font:11px system-ui,sans-serif;paint-order:stroke;stroke:var(--ground);stroke-width:4px}\
.g-tip{fill:var(--muted)}.g-more{fill:var(--muted);font:12px system-ui,sans-serif}";

/// Draws a graph.
pub fn graph_svg(graph: &GraphView, place: SvgPlace) -> String {
    let shown = &graph.nodes[..graph.nodes.len().min(MOST_NODES)];
    let edges = merged(shown, &graph.edges);
    let plain: Vec<Edge> = edges.iter().map(Merged::plain).collect();
    let layers = layers(shown.len(), &plain);
    let drawing = Drawing::new(&layers);
    let left_out = graph.nodes.len() - shown.len();
    let foot = if left_out > 0 { 26.0 } else { 0.0 };
    let (width, height) = (drawing.width, drawing.height + foot);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph\" role=\"img\" aria-label=\"What needs what: {}, {}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n",
        words::count(shown.len() as u64, "node"),
        words::count(edges.len() as u64, "edge"),
    );
    if place == SvgPlace::File {
        out.push_str(&format!("<style>{STYLE}</style>\n"));
    }
    out.push_str(
        "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path class=\"g-tip\" d=\"M0 0.5 8 4 0 7.5Z\"/></marker></defs>\n",
    );
    for (edge, way) in edges.iter().zip(&layers.ways) {
        out.push_str(&drawing.edge(edge, way, &layers));
    }
    for (node, place) in shown.iter().zip(&layers.places) {
        out.push_str(&drawing.node(node, *place));
    }
    if left_out > 0 {
        let more = words::count(left_out as u64, "node");
        let y = height - 12.0;
        out.push_str(&format!("<text class=\"g-more\" x=\"{MARGIN:.0}\" y=\"{y:.0}\">and {more} more</text>\n"));
    }
    out.push_str("</svg>\n");
    out
}

/// The edges between two nodes as one.
struct Merged<'g> {
    from: usize,
    to: usize,
    all: Vec<&'g GraphEdge>,
}

impl Merged<'_> {
    fn plain(&self) -> Edge {
        Edge { from: self.from, to: self.to, soft: self.all.iter().all(|edge| edge.soft) }
    }
}

fn merged<'g>(nodes: &[GraphNode], edges: &'g [GraphEdge]) -> Vec<Merged<'g>> {
    let numbers: std::collections::BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(i, node)| (node.address.as_str(), i)).collect();
    let mut places: std::collections::BTreeMap<(usize, usize), usize> = std::collections::BTreeMap::new();
    let mut out: Vec<Merged<'g>> = Vec::new();
    for edge in edges {
        let (Some(from), Some(to)) = (numbers.get(edge.from.as_str()), numbers.get(edge.to.as_str())) else { continue };
        if from == to {
            continue;
        }
        let place = *places.entry((*from, *to)).or_insert(out.len());
        if place == out.len() {
            out.push(Merged { from: *from, to: *to, all: Vec::new() });
        }
        out[place].all.push(edge);
    }
    out
}

/// Where everything stands.
struct Drawing {
    /// The middle of each spot, by layer.
    middles: Vec<Vec<f64>>,
    width: f64,
    height: f64,
}

impl Drawing {
    fn new(layers: &Layers) -> Drawing {
        let room = |spot: &Spot| match spot {
            Spot::Node(_) => BOX_HEIGHT,
            Spot::Passing(_) => PASSING_HEIGHT,
        };
        let tall = |layer: &Vec<Spot>| layer.iter().map(|spot| room(spot) + GAP_Y).sum::<f64>() - GAP_Y;
        let tallest = layers.layers.iter().map(tall).fold(0.0, f64::max);
        let middles = layers.layers.iter().map(|layer| {
            let mut y = MARGIN + (tallest - tall(layer)) / 2.0;
            let middle = |spot: &Spot| {
                let middle = y + room(spot) / 2.0;
                y += room(spot) + GAP_Y;
                middle
            };
            layer.iter().map(middle).collect()
        });
        let columns = layers.layers.len() as f64;
        Drawing {
            middles: middles.collect(),
            width: 2.0 * MARGIN + columns * BOX_WIDTH + (columns - 1.0).max(0.0) * GAP_X,
            height: 2.0 * MARGIN + tallest,
        }
    }

    fn left(layer: usize) -> f64 {
        MARGIN + layer as f64 * (BOX_WIDTH + GAP_X)
    }

    fn node(&self, node: &GraphNode, (layer, place): (usize, usize)) -> String {
        let (x, y) = (Drawing::left(layer), self.middles[layer][place] - BOX_HEIGHT / 2.0);
        let action = node.action.as_deref();
        let (tone, symbol) = tone(action);
        let what = match action {
            Some(action) => format!("{symbol} {action}, {}", node.kind.replace('_', " ")),
            None => node.kind.replace('_', " "),
        };
        let [first, second] = two_lines(&terminal(&node.label));
        let line = |class: &str, dy: f64, text: &str| {
            let text = markup(&layout::shorten(&terminal(text), BOX_CELLS + 4));
            format!("<text class=\"{class}\" x=\"{:.0}\" y=\"{:.0}\">{text}</text>", x + 14.0, y + dy)
        };
        format!(
            "<g class=\"g-node g-{tone}\" data-address=\"{}\"><title>{}</title><rect x=\"{x:.0}\" y=\"{y:.0}\" \
             width=\"{BOX_WIDTH:.0}\" height=\"{BOX_HEIGHT:.0}\" rx=\"5\"/><rect class=\"g-bar\" x=\"{x:.0}\" y=\"{y:.0}\" \
             width=\"4\" height=\"{BOX_HEIGHT:.0}\" rx=\"2\"/>{}{}{}{}</g>\n",
            markup(&node.address),
            markup(&format!("{}: {}", node.address, node.label)),
            line("g-note", 17.0, &what),
            line("g-label", 35.0, &first),
            line("g-label", 51.0, &second),
            line("g-note", 70.0, &node.phases.join(", ")),
        )
    }

    /// From what is needed to what needs it: to the right as a rule, back where only the end counts, and in a bow within a
    /// layer.
    fn edge(&self, edge: &Merged<'_>, way: &[(usize, usize)], layers: &Layers) -> String {
        let (first, last) = (layers.places[edge.to], layers.places[edge.from]);
        let mut bends = Bends::start(self.beside(first, first.0 <= last.0));
        for spot in way.iter().rev() {
            bends.reach(self.beside(*spot, first.0 > last.0), GAP_X);
            bends.reach(self.beside(*spot, first.0 < last.0), BOX_WIDTH);
        }
        let (start, end) = (bends.at, self.beside(last, first.0 >= last.0));
        bends.reach(end, GAP_X);
        // In the last gap; above the line.
        let (x, y) = ((start.0 + end.0) / 2.0, (start.1 + end.1) / 2.0 - 4.0);
        let reasons: Vec<String> = edge.all.iter().map(|edge| edge.reason()).collect();
        let drawn = format!(
            "<title>{}</title><path d=\"{}\" marker-end=\"url(#tip)\"/>",
            markup(&reasons.join("; ")),
            bends.path
        );
        // Soft ones often go both ways between neighbours: their reasons would cover each other, so they are told by the
        // title alone.
        let hard = edge.all.iter().find(|edge| !edge.soft);
        let Some(hard) = hard else { return format!("<g class=\"g-edge g-soft\">{drawn}</g>\n") };
        let more = if reasons.len() > 1 { format!(" +{}", reasons.len() - 1) } else { String::new() };
        let label = markup(&layout::shorten(&terminal(&hard.why), REASON_CELLS));
        format!(
            "<g class=\"g-edge\">{drawn}<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"middle\">{label}{more}</text></g>\n"
        )
    }

    /// The middle of a side of what stands at a place.
    fn beside(&self, (layer, place): (usize, usize), right: bool) -> (f64, f64) {
        (Drawing::left(layer) + if right { BOX_WIDTH } else { 0.0 }, self.middles[layer][place])
    }
}

/// A line that leaves and reaches its ends level.
struct Bends {
    path: String,
    at: (f64, f64),
}

impl Bends {
    fn start(at: (f64, f64)) -> Bends {
        Bends { path: format!("M{:.0} {:.0}", at.0, at.1), at }
    }

    /// Goes on to a point that is about so far away.
    fn reach(&mut self, to: (f64, f64), far: f64) {
        let at = self.at;
        let (out, into) = match at.0.total_cmp(&to.0) {
            std::cmp::Ordering::Less => (at.0 + far / 2.0, to.0 - far / 2.0),
            std::cmp::Ordering::Equal => (at.0 + far / 2.0, to.0 + far / 2.0),
            std::cmp::Ordering::Greater => (at.0 - far / 2.0, to.0 + far / 2.0),
        };
        self.path.push_str(&format!("C{out:.0} {:.0} {into:.0} {:.0} {:.0} {:.0}", at.1, to.1, to.0, to.1));
        self.at = to;
    }
}

/// Breaks a label at a space, or where the box ends.
fn two_lines(label: &str) -> [String; 2] {
    let mut lines = layout::wrap(label, BOX_CELLS).into_iter();
    let first = lines.next().unwrap_or_default();
    let rest = lines.collect::<Vec<_>>().join(" ");
    if layout::width(&first) <= BOX_CELLS {
        return [first, layout::shorten(&rest, BOX_CELLS)];
    }
    let head: String = layout::shorten(&first, BOX_CELLS + 1).trim_end_matches('…').to_owned();
    let tail = first.strip_prefix(&head).unwrap_or_default();
    [head.clone(), layout::shorten(format!("{tail} {rest}").trim_end(), BOX_CELLS)]
}

/// The colour and the symbol of an action.
fn tone(action: Option<&str>) -> (&'static str, &'static str) {
    let found = super::Action::ALL.into_iter().find(|known| Some(known.word()) == action);
    found.map_or(("none", ""), |action| (super::html::tone(action.role()), action.symbol()))
}
