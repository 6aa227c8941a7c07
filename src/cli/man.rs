//! The man page, made from the same definition that reads the arguments, with the exit codes behind it.

use super::{Cli, Gone, Output};
use clap::CommandFactory;

const MORE: &str = r".SH EXIT STATUS
.TP
0
done, also when nothing had to be done
.TP
1
failed, or what the server did is not known
.TP
2
usage or configuration
.TP
3
a name is unknown or ambiguous
.TP
4
a credential was refused; a person is needed
.TP
5
unreachable or busy
.TP
6
rate-limited
.TP
7
a clock is too far off
.TP
11
read-only
.TP
12
the vault is locked
.TP
130
interrupted
.SH ENVIRONMENT
.TP
PAIRDECK_HOME
as \-\-home
.TP
LC_ALL, LC_MESSAGES, LANG
language of words, unless \-\-lang is given
.TP
NO_COLOR
no colour when set and not empty
.SH FILES
.TP
config.toml
gateways and settings; see \fBpairdeck config example\fR and \fBpairdeck config path\fR
.TP
vault.db
sealed secrets, the journal of actions, history
.TP
cache.db
what was last observed; may be deleted
";

/// Writes the page to stdout: the program, every command with its options, exit codes, environment, files.
///
/// # Errors
/// When the reader of stdout has gone.
pub fn run(out: &mut Output) -> Result<(), Gone> {
    out.raw(&page().map_err(|_| Gone)?)
}

fn page() -> std::io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone());
    man.render(&mut page)?;
    for sub in command.get_subcommands() {
        section(sub, "", &mut page)?;
    }
    page.extend_from_slice(MORE.as_bytes());
    Ok(page)
}

/// One section a command, nested ones behind their parent.
fn section(command: &clap::Command, parent: &str, page: &mut Vec<u8>) -> std::io::Result<()> {
    let name = format!("{parent}{}", command.get_name());
    page.extend_from_slice(format!(".SH {}\n", name.to_uppercase()).as_bytes());
    let man = clap_mangen::Man::new(command.clone());
    let mut part = Vec::new();
    man.render_description_section(&mut part)?;
    man.render_options_section(&mut part)?;
    // Their own headings would repeat DESCRIPTION and OPTIONS for every command.
    for line in String::from_utf8_lossy(&part).lines().filter(|l| !l.starts_with(".SH")) {
        page.extend_from_slice(line.as_bytes());
        page.push(b'\n');
    }
    for sub in command.get_subcommands() {
        section(sub, &format!("{name} "), page)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_command_and_exit_code() {
        let (mut out, shown) = Output::captured();
        run(&mut out).unwrap();
        let text = shown.stdout();
        for word in [".SH REGENERATE", ".SH CONFIG CHECK", ".SH EXIT STATUS", "allow", "PAIRDECK_HOME"] {
            assert!(text.contains(word), "{word} is missing");
        }
    }
}
