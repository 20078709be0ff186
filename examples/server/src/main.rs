//! The usso reference server: the whole REST API in one process with an embedded database.
//!
//! It starts without any settings; `usso-server --help` lists those there are. A setting that is
//! wrong stops the start with exit code 2, anything else that is wrong with exit code 1. Logs are
//! JSON on standard error; standard output has the address and lines to try it with.

mod banner;
mod failure;
mod master_key;
mod serve;
mod settings;
mod start;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use tokio::{net::TcpListener, runtime::Runtime};
use tracing_subscriber::EnvFilter;

use failure::Failure;
use serve::{Bounds, Stop};
use settings::Settings;

/// The usso reference server: identity for one machine, in one binary.
#[derive(Parser)]
#[command(name = "usso-server", version)]
struct Arguments {
    /// A TOML file with settings; the environment wins over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    let matches = Arguments::command().after_help(settings::help()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let Err(failure) = run(&arguments) else {
        return ExitCode::SUCCESS;
    };
    // Nobody is left to tell if this does not work out.
    drop(writeln!(std::io::stderr(), "usso-server: {failure}"));
    failure.exit_code()
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = Settings::read(arguments.config.as_deref(), std::env::vars_os())?;
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new(&settings.log))
        .with_writer(std::io::stderr)
        .init();
    let runtime = Runtime::new().map_err(Failure::start)?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let stop = Stop::listen().map_err(Failure::start)?;
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
        Failure::start(format!(
            "USSO_LISTEN: {}: {error}; choose another port if it is taken",
            settings.listen
        ))
    })?;
    let bound = listener.local_addr().map_err(Failure::start)?;
    let issuer = settings.issuer.clone();
    let issuer = issuer.unwrap_or_else(|| format!("http://localhost:{}", bound.port()));
    if !bound.ip().is_loopback() && issuer.starts_with("http://") {
        tracing::warn!(%bound, issuer, "others reach this server without TLS: passwords and tokens \
            can be read on the way; put a proxy with TLS before it and set USSO_ISSUER to https://…");
    }
    let usso = start::engine(&settings, issuer).await?;
    let password = start::administrator(&usso, &settings).await?;
    let banner = banner::text(&banner::address(bound), &settings.admin, &password);
    drop(password);
    if let Err(error) = std::io::stdout().write_all(banner.as_bytes()) {
        tracing::warn!(%error, "the banner could not be printed");
    }
    tracing::info!(%bound, "ready");
    tokio::spawn(serve::keep_house(usso.clone()));
    let bounds = Bounds {
        connections: settings.connections,
        header_timeout: settings.header_timeout,
        write_timeout: settings.write_timeout,
    };
    serve::run(listener, usso_axum::router(usso.clone(), settings.http), &bounds, stop).await;
    usso.checkpoint().await.map_err(Failure::start)
}
