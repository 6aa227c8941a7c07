//! Completion scripts, made from the same definition that reads the arguments.

use super::{Cli, Gone, Output};
use clap::CommandFactory;

/// Writes the script for `shell` to stdout.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn run(shell: clap_complete::Shell, out: &mut Output) -> Result<(), Gone> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pairdeck", &mut script);
    out.raw(&script)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in clap_complete::Shell::value_variants() {
            let (mut out, shown) = Output::captured();
            run(*shell, &mut out).unwrap();
            assert!(shown.stdout().contains("regenerate"), "{shell}");
        }
    }
}
