//! Each source of AWS credentials against a real counterpart on loopback, to the receiver that verifies signatures: what
//! holds only for a while is renewed, and what ends too early costs one request and no data.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use amp_stand_in::{Options, Signer, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::issuer::{FIRST_ID, Issuer, Life, file, sources};
use preamp_tests::moto::Moto;
use preamp_tests::payloads;
use preamp_tests::running::{Running, post, signing};

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-1";
const ROLE: &str = "arn:aws:iam::123456789012:role/writer";
const STATIC: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)];

/// The region that moto takes an unsigned request to be for.
const UNSIGNED_REGION: &str = "us-east-1";

/// Credentials that are renewed after a second, since that is half their life.
const SHORT: Life = Life::of(Duration::from_secs(2));

/// They end long before anybody was told they would.
const CUT_SHORT: Life = Life { said: Duration::from_secs(3600), real: Duration::from_secs(1) };

async fn receiver() -> anyhow::Result<Arc<StandIn>> {
    let signer = Signer::of_amp(ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION);
    Ok(Arc::new(StandIn::start(Options::signed(signer)).await?))
}

/// A file that signs; `keys` are more keys of the signer. One gauge is one series, so one request is in flight at a time.
fn configuration(endpoint: &str, keys: &str) -> String {
    signing(REGION, keys, endpoint, "target_info: {enabled: false}")
}

/// A sender of one gauge, whose samples are told apart by their time.
struct Sender<'p> {
    preamp: &'p Running,
    sent: u64,
}

impl Sender<'_> {
    fn send(&mut self) -> anyhow::Result<()> {
        self.sent += 1;
        // Remote write knows times in milliseconds: each sample needs one of its own.
        std::thread::sleep(Duration::from_millis(2));
        post(self.preamp.http, &payloads::of_now(1, i64::try_from(self.sent)?))
    }

    /// Sends for a while, and waits until all of it is delivered.
    fn send_for(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = SystemTime::now() + time;
        while SystemTime::now() < end {
            self.send()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        self.preamp.wait_until_delivered()
    }
}

/// All that was sent is at the receiver, once and with every value.
fn assert_nothing_lost(stand_in: &StandIn, sent: u64) {
    let values: Vec<u64> = stand_in
        .series()
        .iter()
        .filter(|(labels, _)| labels.iter().any(|(_, value)| value.starts_with("power")))
        .flat_map(|(_, samples)| samples.iter().map(|sample| sample.value as u64).collect::<Vec<_>>())
        .collect();
    assert_eq!(values, (1..=sent).collect::<Vec<_>>());
}

/// Runs `preamp` with such an environment and such keys of the signer, and sends for a while.
fn deliver(
    stand_in: &StandIn,
    environment: &[(&str, &str)],
    keys: &str,
    time: Duration,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut preamp = Running::start(&configuration(&stand_in.url(), keys), environment, folder.path())?;
    let mut sender = Sender { preamp: &preamp, sent: 0 };
    sender.send_for(time).with_context(|| format!("{:?}", stand_in.report()))?;
    let (sent, page) = (sender.sent, preamp.self_metrics()?);
    ensure!(preamp.terminate()?.success(), "{}", preamp.said());
    assert_nothing_lost(stand_in, sent);
    for text in [page, preamp.said()] {
        for secret in [SECRET_ACCESS_KEY, "secret-of-the-issuer", "TOKEN-OF-THE"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_do_not_end() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let keys = format!("aws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n");
    let profiles = file(folder.path(), "credentials", &format!("[default]\n{keys}"))?;
    let named = file(folder.path(), "named", &format!("[writer]\n{keys}"))?;
    let pair = format!("access_key: {ACCESS_KEY_ID}\n    secret_key: {SECRET_ACCESS_KEY}");
    for (source, environment, keys) in [
        ("environment", STATIC.to_vec(), ""),
        ("default profile", vec![("AWS_SHARED_CREDENTIALS_FILE", &*profiles)], ""),
        (
            "profile by the environment",
            vec![("AWS_SHARED_CREDENTIALS_FILE", &*named), ("AWS_PROFILE", "writer")],
            "",
        ),
        ("profile by the file", vec![("AWS_SHARED_CREDENTIALS_FILE", &*named)], "profile: writer"),
        ("keys in the file", vec![("AWS_ACCESS_KEY_ID", "AKIDOTHER")], &*pair),
    ] {
        let stand_in = receiver().await?;
        deliver(&stand_in, &environment, keys, Duration::from_millis(100)).context(source)?;
        let report = stand_in.report();
        assert!(report.verified > 0 && report.unverified == 0, "{source}: {report:?}");
    }
    Ok(())
}

/// Delivers with the credentials of each source that have such a life; the checks are about the receiver and the issuer.
async fn each_source(
    life: Life,
    time: Duration,
    check: impl Fn(&str, &StandIn, &Issuer),
) -> anyhow::Result<()> {
    for number in 0.. {
        let stand_in = receiver().await?;
        let issuer = Issuer::start(Arc::clone(&stand_in), life, None).await?;
        let folder = tempfile::tempdir()?;
        let mut sources = sources(&issuer, folder.path())?;
        if number == sources.len() {
            break;
        }
        let (source, environment) = sources.swap_remove(number);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, &**value)).collect();
        deliver(&stand_in, &environment, "", time)
            .with_context(|| format!("{source}, asked: {:?}", issuer.asked()))?;
        check(source, &stand_in, &issuer);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_end_are_renewed_before() -> anyhow::Result<()> {
    let check = |source: &str, stand_in: &StandIn, issuer: &Issuer| {
        let report = stand_in.report();
        assert_eq!(report.unverified, 0, "{source}: {report:?}");
        assert!(report.verified_by.len() >= 3, "{source}: {report:?}");
        assert!(issuer.issued() <= 6, "{source}: {} issued", issuer.issued());
    };
    each_source(SHORT, Duration::from_millis(3500), check).await
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_end_too_early_cost_one_request_each() -> anyhow::Result<()> {
    let check = |source: &str, stand_in: &StandIn, _: &Issuer| {
        let report = stand_in.report();
        assert!(report.unverified_by.contains_key(FIRST_ID), "{source}: {report:?}");
        assert!(report.unverified_by.values().all(|requests| *requests == 1), "{source}: {report:?}");
        assert!(report.verified_by.len() >= 2, "{source}: {report:?}");
    };
    each_source(CUT_SHORT, Duration::from_millis(2500), check).await
}

/// The source fails when the credentials should be renewed, and still when they end.
#[tokio::test(flavor = "multi_thread")]
async fn old_credentials_serve_to_their_end_and_data_waits_for_new_ones() -> anyhow::Result<()> {
    let stand_in = receiver().await?;
    let issuer = Issuer::start(Arc::clone(&stand_in), SHORT, None).await?;
    let folder = tempfile::tempdir()?;
    let mut sources = sources(&issuer, folder.path())?;
    let (_, environment) = sources.swap_remove(2);
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, &**value)).collect();
    let preamp = Running::start(&configuration(&stand_in.url(), ""), &environment, folder.path())?;
    let mut sender = Sender { preamp: &preamp, sent: 0 };
    sender.send_for(Duration::from_millis(200))?;
    issuer.set_broken(true);
    // Renewal is tried after a second and fails; the old ones are still good for most of another.
    std::thread::sleep(Duration::from_millis(1100));
    sender.send_for(Duration::from_millis(300))?;
    assert!(
        preamp.said().contains("cannot renew AWS credentials, the old ones still hold"),
        "{}",
        preamp.said()
    );
    std::thread::sleep(Duration::from_millis(1000));
    for _ in 0..5 {
        sender.send()?;
    }
    std::thread::sleep(Duration::from_millis(500));
    let page = preamp.self_metrics()?;
    assert!(
        page.lines().any(|line| line.starts_with("preamp_points_queued ") && line.ends_with(" 5")),
        "{page}"
    );
    issuer.set_broken(false);
    preamp.wait_until_delivered()?;
    assert_nothing_lost(&stand_in, sender.sent);
    let report = stand_in.report();
    assert!(report.unverified == 0 && report.verified_by.len() == 2, "{report:?}");
    Ok(())
}

/// Nothing has credentials at the start; they are put into a file later.
#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_it_starts_and_data_waits_for_them() -> anyhow::Result<()> {
    let stand_in = receiver().await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("later").display().to_string();
    let environment = [("AWS_SHARED_CREDENTIALS_FILE", &*path)];
    let mut preamp = Running::start(&configuration(&stand_in.url(), ""), &environment, folder.path())?;
    let mut sender = Sender { preamp: &preamp, sent: 0 };
    sender.send()?;
    let sent = sender.sent;
    preamp.wait_for("the operator to be told", |log| log.contains("no AWS credentials").then_some(()))?;
    assert_eq!(stand_in.report().requests, 0, "nothing goes out unsigned");
    file(
        folder.path(),
        "later",
        &format!(
            "[default]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
        ),
    )?;
    preamp.wait_until_delivered()?;
    assert_nothing_lost(&stand_in, sent);
    Ok(())
}

/// Roles that are assumed at a real STS, in every way that leads there.
#[tokio::test(flavor = "multi_thread")]
async fn roles_are_assumed_at_sts() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let moto = Moto::start(folder.path())?;
    let token = file(folder.path(), "identity", "TOKEN-OF-THE-CLUSTER")?;
    let profiles = file(
        folder.path(),
        "profiles",
        &format!(
            "[default]\nrole_arn = {ROLE}-second\nrole_session_name = chained\nsource_profile = first\n\
             [profile first]\nrole_arn = {ROLE}-first\nrole_session_name = first\nsource_profile = user\n\
             [profile user]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
        ),
    )?;
    let role = format!("assume_role: {{arn: \"{ROLE}\", session_name: preamp@host, external_id: a-b}}");
    let identity = format!("assume_role: {{arn: \"{ROLE}\", web_identity_token_file: {token}}}");
    let chained = format!("assume_role: {{arn: \"{ROLE}-third\", sts_region: us-east-2}}");
    let own_profiles = ("AWS_CONFIG_FILE", &*profiles);
    for (way, environment, keys, session, external_id, region) in [
        ("the file", STATIC.to_vec(), &*role, "preamp@host", Some("a-b"), REGION),
        ("a chain of profiles", vec![own_profiles], "", "chained", None, REGION),
        ("the file after a chain of profiles", vec![own_profiles], &*chained, "preamp", None, "us-east-2"),
        ("a web identity of the file", vec![], &*identity, "preamp", None, UNSIGNED_REGION),
        (
            "a web identity of the environment",
            vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", &*token),
                ("AWS_ROLE_ARN", ROLE),
                ("AWS_ROLE_SESSION_NAME", "pod"),
            ],
            "",
            "pod",
            None,
            UNSIGNED_REGION,
        ),
    ] {
        let stand_in = receiver().await?;
        let issuer = Issuer::start(Arc::clone(&stand_in), SHORT, Some(moto.address)).await?;
        let sts = issuer.url("");
        let environment = [&environment[..], &[("AWS_ENDPOINT_URL_STS", &*sts)]].concat();
        deliver(&stand_in, &environment, keys, Duration::from_millis(100)).context(way)?;
        let report = stand_in.report();
        assert!(report.unverified == 0 && report.verified_by.len() == 1, "{way}: {report:?}");
        let roles = moto.assumed_roles()?;
        let used = roles.iter().find(|role| report.verified_by.contains_key(&role.access_key_id));
        let used = used.with_context(|| format!("{way}: {roles:?}"))?;
        assert_eq!((&*used.session_name, used.external_id.as_deref()), (session, external_id), "{way}");
        assert!(used.role_arn.starts_with(ROLE), "{way}: {used:?}");
        assert_eq!(used.region_name, region, "{way}: {:?}", issuer.asked());
    }
    Ok(())
}

/// A session of STS is renewed as early as the file says.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_renewed_before_their_window() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let moto = Moto::start(folder.path())?;
    let stand_in = receiver().await?;
    let issuer = Issuer::start(Arc::clone(&stand_in), SHORT, Some(moto.address)).await?;
    let sts = issuer.url("");
    let environment = [&STATIC[..], &[("AWS_ENDPOINT_URL_STS", &*sts)]].concat();
    let role = format!("assume_role: {{arn: \"{ROLE}\", session_duration: 15m, expiry_window: 14m57s}}");
    deliver(&stand_in, &environment, &role, Duration::from_millis(3500))?;
    let report = stand_in.report();
    assert!(report.unverified == 0 && report.verified_by.len() >= 2, "{report:?}");
    Ok(())
}
