//! Files that are not what they seem in place of a configuration: the process goes on, and hears signals.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use preamp_tests::children::{built, memory_mib, program, wait_for};
use preamp_tests::running::Running;
use tempfile::TempDir;

use crate::hostile::rig::{Attacked, Keys, PATIENCE, cpu_seconds, receiver};

fn fifo(path: &Path) -> anyhow::Result<()> {
    let made = Command::new("mkfifo").arg(path).status().context("cannot run mkfifo")?;
    ensure!(made.success(), "no FIFO at {}", path.display());
    Ok(())
}

/// What a command of `preamp` came to, within so long.
pub struct Ended {
    /// Whether it ended by itself.
    pub in_time: bool,
    /// What it printed on both outputs.
    pub said: String,
    /// How long it took.
    pub took: Duration,
    /// The CPU time that it was seen to have used, in seconds.
    pub cpu: f64,
    /// The most memory that it was seen to have.
    pub mebibytes: f64,
}

/// Runs a command of `preamp` for so long at most.
pub fn ended_within(most: Duration, arguments: &[&str], folder: &Path) -> anyhow::Result<Ended> {
    let log = std::fs::File::create(folder.join("said"))?;
    let mut command = Command::new(program("PREAMP_BIN", built("preamp"))?);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.stdout(log.try_clone()?).stderr(log);
    let (began, mut child) = (Instant::now(), command.spawn()?);
    let (mut in_time, mut mebibytes, mut cpu) = (false, 0_f64, 0_f64);
    while !in_time && began.elapsed() < most {
        mebibytes = memory_mib(child.id()).unwrap_or(0.0).max(mebibytes);
        cpu = cpu_seconds(child.id()).unwrap_or(0.0).max(cpu);
        std::thread::sleep(Duration::from_millis(2));
        in_time = child.try_wait()?.is_some();
    }
    let took = began.elapsed();
    let _killed = child.kill();
    let _reaped = child.wait();
    let said = std::fs::read(folder.join("said"))?;
    Ok(Ended { in_time, said: String::from_utf8_lossy(&said).into_owned(), took, cpu, mebibytes })
}

/// A configuration that is good, but for what is put in place of its last line.
fn good() -> anyhow::Result<String> {
    Ok(Keys::default().text(receiver()?))
}

#[test]
fn a_fifo_in_place_of_the_configuration_is_refused_and_a_signal_is_heard_after_it() -> anyhow::Result<()> {
    let mut attacked = Attacked::start(Keys::default())?;
    let file = attacked.folder.path().join("preamp.yaml");
    std::fs::remove_file(&file)?;
    fifo(&file)?;
    let hung_up = Command::new("kill").args(["-HUP", &attacked.preamp.id().to_string()]).status()?;
    ensure!(hung_up.success(), "it is not there");
    let told = attacked
        .preamp
        .wait_for("it to say that this is no file", |log| log.contains("in use").then_some(()));
    // It goes on with what it has, and is stopped as ever.
    let began = Instant::now();
    let (id, fared) = (attacked.preamp.id(), attacked.survives(PATIENCE));
    ensure!(
        !Path::new(&format!("/proc/{id}")).exists() || began.elapsed() < Duration::from_secs(5),
        "still there"
    );
    fared?;
    told
}

#[test]
fn a_process_that_was_given_a_fifo_at_a_reload_ends_at_sigterm() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut preamp = Running::start(&good()?, &[], folder.path())?;
    let file = folder.path().join("preamp.yaml");
    std::fs::remove_file(&file)?;
    fifo(&file)?;
    let signal = |name: &str| Command::new("kill").args([name, &preamp.id().to_string()]).status();
    ensure!(signal("-HUP")?.success(), "it is not there");
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    let ended = preamp.terminate();
    ensure!(ended.is_ok() && began.elapsed() < Duration::from_secs(5), "SIGTERM was not heard: {ended:?}");
    Ok(())
}

#[test]
fn a_fifo_a_device_a_folder_and_a_file_without_end_are_refused_in_place_of_files() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    fifo(&path.join("fifo"))?;
    std::fs::File::create(path.join("sparse"))?.set_len(1_500 << 20)?;
    let referring =
        |to: &str| good().map(|text| text.replace("/api/v1/write'", &format!("/${{file:{to}}}'")));
    for (name, to) in
        [("refers to a FIFO", "fifo"), ("refers to zeros", "/dev/zero"), ("refers to 1.5 GB", "sparse")]
    {
        std::fs::write(path.join(name), referring(to)?)?;
    }
    let mut wrong = Vec::new();
    for file in
        ["fifo", "/dev/zero", ".", "sparse", "refers to a FIFO", "refers to zeros", "refers to 1.5 GB"]
    {
        let ended = ended_within(Duration::from_secs(3), &["validate", "--config", file], path)?;
        println!("{file}: {:?}, {:.0} MiB: {}", ended.took, ended.mebibytes, ended.said.trim());
        let is_told = ended.said.len() > 20 && ended.said.len() < 2_000;
        if !ended.in_time || ended.mebibytes > 100.0 || !is_told {
            wrong.push(format!("{file}: {:?}, {:.0} MiB", ended.took, ended.mebibytes));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn a_configuration_that_becomes_huge_is_not_read_by_who_watches_it() -> anyhow::Result<()> {
    let folder: TempDir = tempfile::tempdir()?;
    let mut preamp = Running::start_with(&good()?, &["--watch-config"], &[], folder.path())?;
    std::fs::OpenOptions::new().write(true).open(folder.path().join("preamp.yaml"))?.set_len(1_500 << 20)?;
    let told =
        preamp.wait_for("it to say that this is too large", |log| log.contains("in use").then_some(()));
    let memory = preamp.memory_mib()?;
    println!("a configuration of 1.5 GB: {memory:.0} MiB");
    ensure!(memory < 200.0, "{memory:.0} MiB of memory");
    told?;
    // A good configuration is taken after bad ones.
    preamp.reload(&good()?)?;
    wait_for("the good configuration to be in use", || {
        Ok(preamp.said().contains("was read again").then_some(()))
    })
}

/// Anchors that stand for ten others each, so that little text means much.
fn aliases(text: usize, levels: usize) -> String {
    let mut document = format!("a0: &a0 {:?}\n", "x".repeat(text));
    for level in 1..=levels {
        let below = format!("*a{}, ", level - 1).repeat(10);
        document.push_str(&format!("a{level}: &a{level} [{}]\n", below.trim_end_matches(", ")));
    }
    document
}

#[test]
fn documents_that_are_meant_to_take_all_time_or_memory_are_judged_at_once() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    let many = |count: usize, line: fn(usize) -> String| (0..count).map(line).collect::<String>();
    let documents = [
        // 3,000 times 300 KB.
        ("aliases by bytes", format!("a: &a {:?}\nb: [{}]\n", "x".repeat(300_000), "*a, ".repeat(3_000))),
        ("aliases of aliases", aliases(1_000, 9)),
        ("150,000 keys", many(150_000, |number| format!("key{number}: 1\n"))),
        (
            "150,000 keys below a section",
            format!("a:\n{}", many(150_000, |number| format!("  key{number}: 1\n"))),
        ),
        ("100,000 anchors", many(100_000, |number| format!("- &a{number} 1\n"))),
        ("100,000 levels", "[".repeat(100_000)),
        ("100,000 levels of sections", format!("{{a: {}", "{a: ".repeat(100_000))),
        ("100,000 references", format!("a: '{}'\n", "${env:NOT_THERE}".repeat(100_000))),
        ("100,000 unknown keys of the exporter", {
            let keys = many(100_000, |number| format!("    key{number}: 1\n"));
            format!("exporters:\n  prometheusremotewrite:\n{keys}")
        }),
        ("merge keys", format!("a: &a {{k: 1}}\nb: {{{}}}\n", "<<: *a, ".repeat(50_000))),
    ];
    let mut wrong = Vec::new();
    for (name, document) in documents {
        std::fs::write(path.join("preamp.yaml"), document)?;
        let ended = ended_within(Duration::from_secs(10), &["validate", "--config", "preamp.yaml"], path)?;
        let told = format!(
            "{name}: {:.2} s of CPU, {:.0} MiB, {} bytes said",
            ended.cpu,
            ended.mebibytes,
            ended.said.len()
        );
        println!("{told}");
        let is_bounded = ended.in_time && ended.cpu < 2.0 && ended.mebibytes < 200.0;
        if !is_bounded || ended.said.is_empty() || ended.said.len() > 1 << 20 {
            wrong.push(told);
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
