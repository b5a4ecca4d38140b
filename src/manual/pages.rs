//! The man pages, made from the same commands and flags as the help.

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{ENVIRONMENT, EXAMPLES, EXIT_CODES, FILES, Section};
use crate::cli::Cli;

/// A man page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What its file is called.
    pub file_name: String,
    /// The page, for `man`.
    pub text: Vec<u8>,
}

/// Returns the page of the program, and one of each command.
pub fn pages() -> std::io::Result<Vec<Page>> {
    // The command `help` has nothing of its own to say.
    let mut program = Cli::command()
        .disable_help_subcommand(true)
        .subcommand_value_name("COMMAND")
        .subcommand_help_heading("COMMANDS");
    program.build();
    let commands = program.get_subcommands().filter(|it| !it.is_hide_set());
    let mut pages = vec![page(&program, &of_the_program())?];
    for command in commands {
        pages.push(page(command, &of_a_command())?);
    }
    Ok(pages)
}

fn page(command: &Command, more: &Roff) -> std::io::Result<Page> {
    let man = Man::new(command.clone())
        .source(concat!("keycloak-to-azure ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands")
        // No date, so that the same version always makes the same page; an empty one would be taken for left out.
        .date(" ");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    no_hyphens().to_writer(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    more.to_writer(&mut text)?;
    Ok(Page {
        file_name: man.get_filename(),
        text,
    })
}

/// A name that is broken at a hyphen of its own making looks like another one.
fn no_hyphens() -> Roff {
    let mut roff = Roff::new();
    roff.control("nh", []);
    roff.control("ad", ["l"]);
    roff
}

fn of_the_program() -> Roff {
    let mut roff = Roff::new();
    for section in [EXIT_CODES, ENVIRONMENT, FILES, EXAMPLES] {
        add(&mut roff, &section);
    }
    roff
}

fn add(roff: &mut Roff, section: &Section) {
    roff.control("SH", [section.man_heading]);
    for (name, meaning) in section.entries {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*meaning)]);
    }
}

fn of_a_command() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([
        bold("keycloak-to-azure"),
        roman("(1), which has the exit codes, the environment variables and the files"),
    ]);
    roff
}
