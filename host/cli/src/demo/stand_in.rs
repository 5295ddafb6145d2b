//! `preamp stand-in`: the AMP stand-in alone, for another program to write to.

use super::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, SESSION_TOKEN, signer};
use amp_stand_in::{Options, SERIES_PATH, StandIn};
use anyhow::Context as _;
use std::io::Write as _;
use std::net::SocketAddr;
use tokio::signal::unix::{SignalKind, signal};

/// What `preamp stand-in` can be asked for.
#[derive(clap::Args, Clone, Debug)]
pub struct StandInArgs {
    /// Where to listen. Port 0 is any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Take requests without a signature.
    #[arg(long)]
    unsigned: bool,
}

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn run(args: StandInArgs) -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let options = if args.unsigned { Options::unsigned() } else { Options::signed(signer()) };
    let started = StandIn::start_on(args.listen, options).await;
    let stand_in = started.with_context(|| format!("cannot listen on {}", args.listen))?;
    write!(std::io::stdout(), "{}", instructions(&stand_in, !args.unsigned))?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let report = stand_in.report();
    writeln!(
        std::io::stdout(),
        "{} requests, {} verified, {} series",
        report.requests,
        report.verified,
        report.series
    )?;
    stand_in.shutdown().await;
    Ok(())
}

/// How another program writes to a stand-in, and how its series are seen.
pub(super) fn instructions(stand_in: &StandIn, is_signed: bool) -> String {
    let endpoint = stand_in.url();
    let signing = if is_signed {
        format!(
            "  region and service: {REGION}, aps
  export AWS_ACCESS_KEY_ID={ACCESS_KEY_ID}
  export AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY}
  export AWS_SESSION_TOKEN={SESSION_TOKEN}
"
        )
    } else {
        String::new()
    };
    format!(
        "write to the AMP stand-in from another program:
  endpoint: {endpoint}
{signing}see its series, with the last sample of each:
  curl 'http://{0}{SERIES_PATH}'
  curl 'http://{0}{SERIES_PATH}?name=METRIC'
",
        stand_in.address()
    )
}
