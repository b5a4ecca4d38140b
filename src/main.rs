//! Parses the command line, runs the command, and turns what comes of it into an exit code.

use std::process::ExitCode;

use clap::Parser;
use keycloak_to_azure::cli::Cli;
use keycloak_to_azure::commands::{self, Context};
use keycloak_to_azure::config::process_variable;
use keycloak_to_azure::http::Timing;
use keycloak_to_azure::ui::Ui;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let is_error = error.use_stderr();
            // Nobody is left to tell if the streams are gone.
            let _ = error.print();
            // clap ends with 2 on a usage error, which here means that there are changes.
            return ExitCode::from(u8::from(is_error));
        }
    };
    let mut context = Context {
        ui: Ui::of_process(cli.color, cli.verbose, process_variable),
        variable: Box::new(process_variable),
        timing: Timing::default(),
    };
    let result = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(commands::run(cli, &mut context)));
    match result {
        Ok(status) => status.into(),
        Err(error) => {
            context.ui.error(&error);
            ExitCode::FAILURE
        }
    }
}
