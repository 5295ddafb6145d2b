//! Credentials by the AWS SDK, fetched when they are wanted and again when the receiver refuses them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use amp_stand_in::{Session, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::collector::Collector;
use preamp_tests::issuer::{Issuer, Life, file, sources};
use preamp_tests::moto::Moto;
use preamp_tests::payloads;
use preamp_tests::sockets::Socket as _;

use super::super::scenarios::{CREDENTIALS, REGION, deliver, options, stored};
use super::{NO_QUEUE, configuration, signed};

/// They end long before anybody was told they would.
const CUT_SHORT: Life = Life { said: Duration::from_secs(3600), real: Duration::from_secs(1) };

/// No machine of AWS is asked by accident.
const NOWHERE: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

/// Delivers for so long, with pauses.
fn deliver_for(time: Duration, collector: &mut Collector, stand_in: &StandIn) -> anyhow::Result<i64> {
    let started = std::time::Instant::now();
    let mut sent = 0;
    while sent == 0 || started.elapsed() < time {
        sent += 1;
        deliver(collector, &payloads::of_now(1, sent))
            .map_err(|error| error.context(format!("{:?}\n{}", stand_in.report(), collector.said())))?;
        std::thread::sleep(Duration::from_millis(100));
    }
    ensure!(stored(stand_in).len() as i64 == sent, "{sent} sent, {:?}", stand_in.report());
    Ok(sent)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn credentials_that_end_too_early_are_fetched_anew() -> anyhow::Result<()> {
    for number in 0.. {
        let stand_in = Arc::new(StandIn::start(options()).await?);
        let issuer = Issuer::start(Arc::clone(&stand_in), CUT_SHORT, None).await?;
        let folder = tempfile::tempdir()?;
        let mut sources = sources(&issuer, folder.path())?;
        if number == sources.len() {
            break;
        }
        let (source, more) = sources.swap_remove(number);
        let mut environment = vec![NOWHERE];
        environment.extend(more.iter().map(|(name, value)| (*name, &**value)));
        let text = configuration(&stand_in, &[&signed(), NO_QUEUE]);
        let mut collector = Collector::start(&text, &environment, folder.path())?;
        ensure!(issuer.issued() == 0, "{source}: credentials were fetched before anybody wanted them");
        deliver_for(Duration::from_millis(2500), &mut collector, &stand_in)
            .with_context(|| format!("{source}, asked: {:?}", issuer.asked()))?;
        let report = stand_in.report();
        ensure!(report.verified_by.len() > 1 && report.unverified > 0, "{source}: {report:?}");
        ensure!(report.unverified <= issuer.issued(), "{source}: {report:?}");
    }
    Ok(())
}

/// Files are read again when the receiver refuses what they held.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn a_new_file_of_credentials_is_read_when_the_old_ones_are_refused() -> anyhow::Result<()> {
    let stand_in = StandIn::start(options()).await?;
    let folder = tempfile::tempdir()?;
    let write = |session: &str, folder: &Path| {
        let secret = "s".repeat(40);
        let keys = format!("aws_access_key_id = ASIA{session}\naws_secret_access_key = {secret}\n");
        file(folder, "credentials", &format!("[writer]\n{keys}aws_session_token = token-{session}\n"))
    };
    for (session, expires) in [("OLD", Some(SystemTime::now())), ("NEW", None)] {
        stand_in.know(Session {
            access_key_id: format!("ASIA{session}"),
            secret_access_key: "s".repeat(40),
            session_token: Some(format!("token-{session}")),
            expires,
        })?;
    }
    let path = write("OLD", folder.path())?;
    let environment = [("AWS_SHARED_CREDENTIALS_FILE", &*path), NOWHERE];
    let text =
        configuration(&stand_in, &[&format!("sigv4: {{region: {REGION}, profile: writer}}"), NO_QUEUE]);
    let mut collector = Collector::start(&text, &environment, folder.path())?;
    let written = {
        let folder = folder.path().to_owned();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(1));
            write("NEW", &folder)
        })
    };
    deliver(&mut collector, &payloads::of_now(1, 1))
        .map_err(|error| error.context(format!("{:?}\n{}", stand_in.report(), collector.said())))?;
    written.join().ok().context("no new file")??;
    let report = stand_in.report();
    ensure!(report.unverified_by.len() == 1 && report.verified_by.contains_key("ASIANEW"), "{report:?}");
    ensure!(!collector.said().contains("token-"), "a secret is in the log: {}", collector.said());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn a_role_signs() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let moto = Moto::start(folder.path())?;
    let stand_in = Arc::new(StandIn::start(options()).await?);
    let issuer =
        Issuer::start(Arc::clone(&stand_in), Life::of(Duration::from_secs(60)), Some(moto.address)).await?;
    let sts = issuer.url("");
    let role = "arn:aws:iam::123456789012:role/writer";
    let signer = format!(
        "sigv4: {{region: {REGION}, assume_role: {{arn: '{role}', session_name: collector, external_id: a-b, sts_region: us-east-2}}}}"
    );
    let environment = [CREDENTIALS[0], CREDENTIALS[1], NOWHERE, ("AWS_ENDPOINT_URL_STS", &*sts)];
    let text = configuration(&stand_in, &[&signer, NO_QUEUE]);
    let mut collector = Collector::start(&text, &environment, folder.path())?;
    deliver_for(Duration::ZERO, &mut collector, &stand_in)?;
    let roles = moto.assumed_roles()?;
    let used = roles.first().context("no role was assumed")?;
    ensure!(stand_in.report().verified_by.contains_key(&used.access_key_id), "{roles:?}");
    let seen = (&*used.role_arn, &*used.session_name, used.external_id.as_deref(), &*used.region_name);
    ensure!(seen == (role, "collector", Some("a-b"), "us-east-2"), "{roles:?}");
    Ok(())
}
