//! What parts of a text mean, and how a terminal shows it. Colour only repeats what a symbol or a word says already.

use anstyle::{AnsiColor, Style};

/// What a part of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Running text.
    Plain,
    /// A heading or a name.
    Strong,
    /// Context that a reader may skip.
    Faint,
    /// Comes into being.
    Add,
    /// Becomes another.
    Change,
    /// Goes.
    Remove,
    /// Moves on or is read again.
    Move,
    /// Asks for attention.
    Warn,
}

/// Colours a text for a terminal; with `color` false it is left as it is. The text must be safe already.
pub fn paint(role: Role, text: &str, color: bool) -> String {
    if !color || role == Role::Plain || text.is_empty() {
        return text.to_owned();
    }
    let style = style_of(role);
    format!("{}{text}{}", style.render(), style.render_reset())
}

fn style_of(role: Role) -> Style {
    match role {
        Role::Plain => Style::new(),
        Role::Strong => Style::new().bold(),
        Role::Faint => Style::new().dimmed(),
        Role::Add => AnsiColor::Green.on_default(),
        Role::Change => AnsiColor::Yellow.on_default(),
        Role::Remove => AnsiColor::Red.on_default(),
        Role::Move => AnsiColor::Cyan.on_default(),
        Role::Warn => AnsiColor::Yellow.on_default().bold(),
    }
}
