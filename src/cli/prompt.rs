//! Asks before something changes. Only `yes` is a yes; where nobody can answer, asking is refused.

use std::io::{BufRead, IsTerminal, Write};

/// What the user said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// `yes`, spelled out.
    Yes,
    /// Anything else, and the end of the input.
    No,
}

/// Why nobody was asked, or no answer came.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// Nobody sits there.
    #[error("this has to be confirmed and there is no terminal to ask on")]
    NoTerminal,
    /// Asking is forbidden.
    #[error("this has to be confirmed, and --no-input or --json forbids to ask")]
    NoInput,
    /// The terminal failed.
    #[error("the answer cannot be read")]
    Terminal(#[source] std::io::Error),
}

impl PromptError {
    /// What to type instead.
    pub fn hint(&self) -> &'static str {
        "use --auto-approve, or apply a saved plan: enact plan --out plan.json, review it, enact apply plan.json"
    }
}

/// Asks on the terminal.
///
/// # Errors
/// When nobody can be asked or the terminal fails.
pub fn confirm(question: &str, no_input: bool) -> Result<Answer, PromptError> {
    if no_input {
        return Err(PromptError::NoInput);
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(PromptError::NoTerminal);
    }
    ask(question, &mut std::io::stdin().lock(), &mut std::io::stderr()).map_err(PromptError::Terminal)
}

fn ask(question: &str, input: &mut impl BufRead, output: &mut impl Write) -> std::io::Result<Answer> {
    write!(output, "{question}\nOnly \"yes\" will be accepted: ")?;
    output.flush()?;
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(if line.trim() == "yes" { Answer::Yes } else { Answer::No })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_a_yes() {
        let say = |text: &str| ask("Apply?", &mut text.as_bytes(), &mut Vec::new()).unwrap();
        assert_eq!(["yes\n", " yes \r\n"].map(say), [Answer::Yes; 2]);
        assert_eq!(["y\n", "Yes\n", "no\n", "yes please\n", "\n", ""].map(say), [Answer::No; 6]);
    }

    #[test]
    fn where_nobody_may_be_asked_nothing_is_confirmed() {
        assert!(matches!(confirm("Apply?", true), Err(PromptError::NoInput)));
    }
}
