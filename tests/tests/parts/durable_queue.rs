//! The queue on disk, with a simulated disk under it: nothing that it has taken is lost, whatever the disk does.

use anyhow::{Context, Result, bail, ensure};
use preamp_base::Directory;
use preamp_contract::PossiblyDelivered;
use preamp_queue::durable::{Disk, DurableQueue, Folder, Inspection, OpenError, Options};
use preamp_queue::{AppendError, Capacity, Next, PointOutcome, QuarantinedBatch, Queue, Settlement, Window};
use preamp_tests::disks::disk_usage;
use preamp_tests::queue::script::{self, ALL, Script, Step, delivered, first, make, waiting};
use preamp_tests::queue::{Fault, Operation, Oracle, SimulatedDisk, Waiting, batch, number_of};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// How many steps a script has here; `./build.sh soak` makes it 1,000.
fn steps() -> usize {
    std::env::var("PREAMP_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(200)
}

/// Which operations fail: each of them in `./build.sh soak`, one in ten in `./build.sh test`.
fn every() -> usize {
    if steps() > 200 { 1 } else { 10 }
}

/// What may be found at the moment: what was so before the step that is being made, and after it.
#[derive(Default)]
struct Expected {
    before: Waiting,
    after: Waiting,
}

/// Runs a script, and has somebody look at the disk before each operation that it comes to.
async fn run_watched(
    disk: &SimulatedDisk,
    seed: u64,
    look: impl Fn(&SimulatedDisk, u64, &Expected) -> Result<()> + Send + Sync + 'static,
) -> Result<u64> {
    let expected = Arc::new(Mutex::new(Expected::default()));
    let problem = Arc::new(Mutex::new(None));
    let (queue, _) = script::open(disk)?;
    let (seen, noted) = (expected.clone(), problem.clone());
    disk.watch(move |disk, number, operation| {
        if operation == Operation::Read || noted.lock().is_ok_and(|problem| problem.is_some()) {
            return;
        }
        if let (Err(error), Ok(mut noted)) = (look(disk, number, &seen.lock().expect("whole")), noted.lock())
        {
            *noted = Some(error.context(format!("seed {seed}, before operation {number}, {operation:?}")));
        }
    });
    let oracle = Oracle::new()?;
    let mut script = Script::new(seed);
    for _ in 0..steps() {
        let before = oracle.waiting()?;
        let step = script.step(&before);
        script::foretell(&oracle, &step)?;
        *expected.lock().expect("whole") = Expected { before, after: oracle.waiting()? };
        make(&queue, &step).await?;
        let after = oracle.waiting()?;
        *expected.lock().expect("whole") = Expected { before: after.clone(), after };
        if let Some(problem) = problem.lock().expect("whole").take() {
            return Err(problem);
        }
    }
    Ok(disk.operations())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() -> Result<()> {
    let seeds = if every() == 1 { 4 } else { 2 };
    for seed in 0..seeds {
        let runtime = Handle::current();
        let look = move |disk: &SimulatedDisk, number: u64, expected: &Expected| {
            let image = disk.after_power_cut(number);
            runtime.block_on(script::check(&image, &expected.before, &expected.after))
        };
        let disk = SimulatedDisk::default();
        let operations = run_watched(&disk, seed, look).await?;
        assert!(operations > steps() as u64, "only {operations} operations");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged() -> Result<()> {
    let runtime = Handle::current();
    let look = move |disk: &SimulatedDisk, _: u64, expected: &Expected| {
        runtime.block_on(script::check(&disk.after_kill(), &expected.before, &expected.after))
    };
    run_watched(&SimulatedDisk::default(), 7, look).await?;
    Ok(())
}

/// Without this, the test of power cuts might see nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_does_not_synchronize_is_noticed() -> Result<()> {
    let runtime = Handle::current();
    let look = move |disk: &SimulatedDisk, number: u64, expected: &Expected| {
        let image = disk.after_power_cut(number);
        runtime.block_on(script::check(&image, &expected.before, &expected.after))
    };
    let disk = SimulatedDisk::default();
    disk.lie();
    let found = run_watched(&disk, 1, look).await;
    assert!(found.is_err(), "a power cut after a lie lost nothing");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_at_any_operation_is_told_and_loses_nothing() -> Result<()> {
    let operations = {
        let disk = SimulatedDisk::default();
        run_watched(&disk, 3, |_, _, _| Ok(())).await?
    };
    for fault in [Fault::Io, Fault::Full] {
        for failing in (1..=operations).step_by(every()) {
            // One operation, and from there on all that make room.
            for lasts in [1, 12] {
                run_with_faults(fault, failing, lasts).await.with_context(|| {
                    format!("{fault:?} at operations {failing} to {}", failing + lasts - 1)
                })?;
            }
        }
    }
    Ok(())
}

async fn run_with_faults(fault: Fault, failing: u64, lasts: u64) -> Result<()> {
    let disk = SimulatedDisk::default();
    disk.fail(move |number, operation| {
        let fails = (failing..failing + lasts).contains(&number) && operation != Operation::Read;
        fails.then_some(fault)
    });
    let Ok((queue, _)) = script::open(&disk) else { return Ok(()) };
    let oracle = Oracle::new()?;
    let mut script = Script::new(3);
    for _ in 0..60.min(failing as usize + 10) {
        let step = script.step(&oracle.waiting()?);
        let is_made = loop {
            match (make(&queue, &step).await, &step) {
                (Ok(()), _) => break true,
                // A sender is told to come again, and may not.
                (Err(_), Step::Append(_)) => break false,
                // Delivery tries until it is recorded.
                (Err(_), Step::Acknowledge(..)) => {}
            }
        };
        if is_made {
            script::foretell(&oracle, &step)?;
        }
    }
    disk.heal();
    let expected = oracle.waiting()?;
    let (reopened, found) = script::open(&disk.after_power_cut(failing))?;
    ensure!(waiting(&reopened).await? == expected, "after a power cut: {expected:?}, {found:?}");
    ensure!(waiting(&queue).await? == expected, "in the process itself");
    Ok(())
}

#[tokio::test]
async fn a_full_disk_refuses_payloads_and_can_still_be_emptied() -> Result<()> {
    const DISK: u64 = 8 << 20;
    let disk = SimulatedDisk::with_capacity(DISK);
    let options = Options { max_bytes: 1 << 30, ..script::options() };
    let (queue, _) = DurableQueue::open(Arc::new(disk.clone()), &options)?;
    let mut taken = 0;
    let refusal = loop {
        match queue.append(vec![batch(taken as u32 % 3, taken, 3_000)]).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    ensure!(matches!(refusal, AppendError::DiskIsFull { .. }), "{refusal}");
    ensure!(refusal.limit() == Some("disk"), "it is counted as a full disk");
    ensure!(taken * 3_000 > DISK / 2, "full after {taken} batches already");
    // One by one, which takes the most room.
    let mut rest = taken;
    while rest > 0 {
        for partition in 0..3 {
            let first = first(&queue, partition, Window { batches: 1, bytes: u64::MAX }).await?;
            ensure!(number_of(&first[0]) == Some(taken - rest), "out of order");
            queue.acknowledge(partition, 1, delivered(&first)).await?;
            rest -= 1;
            if rest == 0 {
                break;
            }
        }
    }
    queue.append(vec![batch(0, 1, 3_000)]).await.context("there is room again")?;
    Ok(())
}

#[tokio::test]
async fn what_others_need_of_the_disk_is_left_to_them() -> Result<()> {
    const LEAST: u64 = 4 << 20;
    let disk = SimulatedDisk::with_capacity(8 << 20);
    let options = Options { max_bytes: 8 << 20, min_free_bytes: LEAST, ..script::options() };
    let (queue, _) = DurableQueue::open(Arc::new(disk.clone()), &options)?;
    let mut taken = 0;
    let refusal = loop {
        match queue.append(vec![batch(0, taken, 3_000)]).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    ensure!(matches!(refusal, AppendError::DiskIsLow { least: LEAST, .. }), "{refusal}");
    ensure!(queue.has_room_for(&[batch(0, taken, 3_000)]) == Err(refusal));
    // But for the file that is written to.
    let (free, segment) = (disk.free()?, 256 << 10);
    ensure!((LEAST - segment..LEAST).contains(&free), "{free} bytes are free");
    queue.evict_oldest();
    ensure!(queue.is_evicting(0));
    let Next::Evict { batches } = queue.next(0, ALL).await? else {
        bail!("the oldest are to be evicted");
    };
    ensure!(batches.len() as u64 == 1 + taken / 32, "{} of {taken}", batches.len());
    queue.acknowledge(0, batches.len(), delivered(&batches)).await?;
    ensure!(!queue.is_evicting(0));
    // The first segment is not empty yet.
    while disk.free()? < LEAST {
        let first = first(&queue, 0, Window { batches: 1, bytes: 0 }).await?;
        queue.acknowledge(0, 1, delivered(&first)).await?;
    }
    queue.append(vec![batch(0, 1, 3_000)]).await.context("there is room again")?;
    Ok(())
}

#[tokio::test]
async fn damage_costs_what_it_hit_and_nothing_else() -> Result<()> {
    let disk = SimulatedDisk::default();
    let (queue, _) = script::open(&disk)?;
    let mut numbers = Vec::new();
    for number in 0..12 {
        queue.append(vec![batch(0, number, 200), batch(1, number + 100, 150)]).await?;
        numbers.push(number);
    }
    queue.shutdown(false).await?;
    // What is flipped may also be the mark of the end, or what nobody reads.
    let files = disk.files();
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".log")) {
        for at in 0..bytes.len() {
            let damaged = disk.after_kill();
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            damaged.put(name, bytes);
            check_damaged(&damaged).await.with_context(|| format!("a bit of byte {at} of {name}"))?;
            let truncated = disk.after_kill();
            truncated.put(
                name,
                files.iter().find(|file| file.0 == *name).map_or(&[][..], |file| &file.1[..at]).to_vec(),
            );
            check_truncated(&truncated).await.with_context(|| format!("{name} cut at byte {at}"))?;
        }
    }
    Ok(())
}

/// What a large queue loses is what stood in the blocks that are damaged, and it says how much that was.
#[tokio::test]
async fn damage_by_chance_costs_a_large_queue_little() -> Result<()> {
    const BATCHES: u64 = 4_000;
    const BODY: usize = 4_000;
    let disk = SimulatedDisk::default();
    let options = Options { max_bytes: 64 << 20, ..script::options() };
    let (queue, _) = DurableQueue::open(Arc::new(disk.clone()), &options)?;
    for first in (0..BATCHES).step_by(20) {
        let payload = (first..first + 20).map(|number| batch(number as u32 % 3, number, BODY));
        queue.append(payload.collect()).await?;
    }
    let points: u64 = queue.statistics().partitions.iter().map(|partition| partition.points).sum();
    queue.shutdown(false).await?;
    let files: Vec<_> = disk.files().into_iter().filter(|(name, _)| name.ends_with(".log")).collect();
    ensure!(files.len() > 8, "{} files", files.len());
    for seed in 0..steps() as u64 / 10 {
        let damaged = disk.after_kill();
        let mut random = fastrand::Rng::with_seed(seed);
        let hits = random.usize(1..30);
        let (mut cut, mut last_is_hit) = (0, false);
        for _ in 0..hits {
            let (name, bytes) = random.choice(&files).context("files")?;
            let mut bytes =
                damaged.files().into_iter().find(|file| file.0 == *name).map_or(bytes.clone(), |file| file.1);
            // What is cut off the last file is as if it had never been written.
            let is_last = Some(name) == files.last().map(|file| &file.0);
            last_is_hit |= is_last;
            match random.u32(..8) {
                0 if bytes.len() > 2 && !is_last => {
                    let at = random.usize(bytes.len() / 2..bytes.len());
                    cut += (bytes.len() - at) as u64;
                    bytes.truncate(at);
                }
                _ if !bytes.is_empty() => {
                    let at = random.usize(..bytes.len());
                    bytes[at] ^= 1 << random.u32(..8);
                }
                _ => {}
            }
            damaged.put(name, bytes);
        }
        let context = || format!("seed {seed}: {hits} hits, {cut} bytes cut off");
        let (queue, found) = DurableQueue::open(Arc::new(damaged.clone()), &options).with_context(context)?;
        let mut there = 0;
        let mut batches = 0;
        for partition in 0..3 {
            let numbers = drain(&queue, partition).await.with_context(context)?;
            ensure!(numbers.is_sorted(), "{}: out of order", context());
            batches += numbers.len() as u64;
            there += numbers.iter().map(|number| number % 7 + 1).sum::<u64>();
        }
        let damaged_points = found.damaged_points + queue.statistics().damaged_points;
        let lost = BATCHES - batches;
        // A record is a payload, and what was cut off holds as many as fit.
        let most = 20 * hits as u64 + cut / BODY as u64 + 20;
        ensure!(lost <= most, "{}: {lost} batches lost, expected at most {most}", context());
        // The last file begins with how much was accepted before.
        ensure!(
            last_is_hit || there + damaged_points >= points,
            "{}: {there} + {damaged_points} of {points} points",
            context()
        );
        ensure!(lost == 0 || damaged_points + found.damaged_bytes > 0, "{}: without a word", context());
    }
    Ok(())
}

/// Of 12 payloads at most one may be hit.
async fn check_damaged(disk: &SimulatedDisk) -> Result<()> {
    let (queue, found) = script::open(disk)?;
    let mut lost = 0;
    for partition in 0..2 {
        let there = drain(&queue, partition).await?;
        ensure!(there.is_sorted(), "out of order: {there:?}");
        lost += 12 - there.len();
    }
    let damaged = found.damaged_bytes + found.damaged_points + queue.statistics().damaged_points;
    ensure!(lost <= 2, "{lost} batches lost");
    ensure!(lost == 0 || damaged > 0 || !found.was_closed, "{lost} batches lost without a word");
    Ok(())
}

async fn check_truncated(disk: &SimulatedDisk) -> Result<()> {
    let (queue, _) = script::open(disk)?;
    for partition in 0..2 {
        let there = drain(&queue, partition).await?;
        let first = u64::from(partition) * 100;
        ensure!(there.iter().copied().eq((first..).take(there.len())), "not a prefix: {there:?}");
    }
    Ok(())
}

/// Takes all that is in a partition.
async fn drain(queue: &DurableQueue, partition: u32) -> Result<Vec<u64>> {
    let mut all = Vec::new();
    queue.close();
    loop {
        let batches = first(queue, partition, ALL).await?;
        if batches.is_empty() {
            return Ok(all);
        }
        for batch in &batches {
            all.push(number_of(batch).context("a batch was altered")?);
        }
        queue.acknowledge(partition, batches.len(), delivered(&batches)).await?;
    }
}

#[tokio::test]
async fn an_end_in_order_is_told_from_a_crash() -> Result<()> {
    let disk = SimulatedDisk::default();
    let (queue, found) = script::open(&disk)?;
    assert!(found.was_closed, "there was none before");
    queue.append(vec![batch(0, 1, 100)]).await?;
    let (_, found) = script::open(&disk.after_kill())?;
    assert!(!found.was_closed && found.batches == 1, "{found:?}");
    queue.shutdown(false).await?;
    assert_eq!(queue.append(vec![batch(0, 2, 100)]).await, Err(AppendError::Closed));
    let (queue, found) = script::open(&disk.after_kill())?;
    assert!(found.was_closed && found.batches == 1 && found.damaged_bytes == 0, "{found:?}");
    // What is found counts as what is appended does, and no longer once it is gone.
    queue.append(vec![batch(0, 2, 100), batch(1, 3, 100)]).await?;
    assert_eq!(queue.statistics().payloads, 2);
    let first = first(&queue, 0, ALL).await?;
    queue.acknowledge(0, 2, delivered(&first)).await?;
    assert_eq!(queue.statistics().payloads, 1);
    drain(&queue, 1).await?;
    let statistics = queue.statistics();
    assert_eq!((statistics.payloads, statistics.total().bytes), (0, 0));
    Ok(())
}

/// What the receiver may have of a partition, as the queue tells.
async fn in_doubt(queue: &DurableQueue, partition: u32) -> Result<(usize, bool)> {
    match queue.next(partition, ALL).await? {
        Next::Send { possibly_delivered, .. } => {
            let PossiblyDelivered { batches, in_parts } = possibly_delivered;
            Ok((batches, batches > 0 && in_parts == 0))
        }
        other => bail!("{other:?}"),
    }
}

const ONE_REQUEST_OF_THREE: PossiblyDelivered = PossiblyDelivered { batches: 3, in_parts: 0 };

#[tokio::test]
async fn a_doubt_outlives_an_end_in_order() -> Result<()> {
    let disk = SimulatedDisk::default();
    let (queue, _) = script::open(&disk)?;
    queue.append(vec![batch(0, 1, 100), batch(1, 2, 100)]).await?;
    queue.note_sent(0, PossiblyDelivered { batches: 1, in_parts: 0 }).await?;
    queue.shutdown(true).await?;
    let disk = disk.after_kill();
    // One that delivers nothing knows no more than the one before, nor one that delivers another partition.
    let (queue, found) = script::open(&disk)?;
    assert!(!found.was_closed && found.batches == 2, "{found:?}");
    assert_eq!((in_doubt(&queue, 0).await?, in_doubt(&queue, 1).await?), ((1, true), (0, false)));
    let first = first(&queue, 1, ALL).await?;
    queue.acknowledge(1, 1, delivered(&first)).await?;
    queue.shutdown(false).await?;
    let disk = disk.after_kill();
    let (queue, found) = script::open(&disk)?;
    assert_eq!(in_doubt(&queue, 0).await?, (1, true));
    assert!(!found.was_closed, "{found:?}");
    queue.acknowledge(0, 1, delivered(&script::first(&queue, 0, ALL).await?)).await?;
    queue.shutdown(false).await?;
    let disk = disk.after_kill();
    let (_, found) = script::open(&disk)?;
    assert!(found.was_closed && found.batches == 0, "{found:?}");
    Ok(())
}

#[tokio::test]
async fn after_a_kill_it_is_known_what_was_in_flight_and_after_a_power_cut_all_may_have_been() -> Result<()> {
    let disk = SimulatedDisk::default();
    let (queue, _) = script::open(&disk)?;
    for number in 0..900 {
        queue.append(vec![batch(number as u32 % 3, number, 100)]).await?;
    }
    queue.note_sent(0, ONE_REQUEST_OF_THREE).await?;
    queue
        .acknowledge(0, 3, delivered(&first(&queue, 0, Window { batches: 3, bytes: 10_000 }).await?))
        .await?;
    queue.note_sent(1, ONE_REQUEST_OF_THREE).await?;
    let doubts = async |disk: &SimulatedDisk| -> Result<[(usize, bool); 3]> {
        let (queue, _) = script::open(disk)?;
        Ok([in_doubt(&queue, 0).await?, in_doubt(&queue, 1).await?, in_doubt(&queue, 2).await?])
    };
    const NOTHING: (usize, bool) = (0, false);
    const WINDOW: (usize, bool) = (Window::REQUEST.batches, false);
    let killed = disk.after_kill();
    assert_eq!(doubts(&killed).await?, [NOTHING, (3, true), NOTHING]);
    assert_eq!(
        doubts(&killed.after_kill()).await?,
        [NOTHING, (3, true), NOTHING],
        "also if it sends nothing"
    );
    // As much as one request can be, and still so after the kill of a process that knows no more.
    let cut = disk.after_power_cut(1);
    assert_eq!(doubts(&cut).await?, [WINDOW; 3]);
    assert_eq!(doubts(&cut.after_kill()).await?, [WINDOW; 3]);
    let (queue, _) = script::open(&cut.after_kill())?;
    queue.note_sent(0, PossiblyDelivered { batches: 1, in_parts: 0 }).await?;
    assert_eq!(in_doubt(&queue, 0).await?, WINDOW, "what is sent now is a part of it");

    // Another request of the same batches: some may be there and others not.
    let sent = disk.after_kill();
    let (queue, _) = script::open(&sent)?;
    queue.note_sent(1, PossiblyDelivered { batches: 5, in_parts: 0 }).await?;
    queue.note_sent(2, ONE_REQUEST_OF_THREE).await?;
    queue.note_unsent(2).await;
    assert_eq!(doubts(&sent.after_kill()).await?, [NOTHING, (5, false), NOTHING]);
    // What is given up of a request that may be there says nothing of the rest.
    queue.acknowledge(1, 1, delivered(&first(&queue, 1, Window { batches: 1, bytes: 0 }).await?)).await?;
    assert_eq!(doubts(&sent.after_kill()).await?, [NOTHING, (4, false), NOTHING]);

    // Without the file, or with a damaged one.
    let (name, bytes) = in_flight_file(&disk)?;
    for at in 0..bytes.len() {
        let damaged = disk.after_kill();
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        damaged.put(&name, bytes);
        let mut expected = [NOTHING, (3, true), NOTHING];
        expected[at / 16] = WINDOW;
        assert_eq!(doubts(&damaged).await?, expected, "byte {at}");
    }
    let missing = disk.after_kill();
    missing.remove(&name)?;
    assert_eq!(doubts(&missing).await?, [WINDOW; 3]);
    Ok(())
}

fn in_flight_file(disk: &SimulatedDisk) -> Result<(String, Vec<u8>)> {
    disk.files().into_iter().find(|(name, _)| name == "in-flight").context("no file of what is in flight")
}

#[tokio::test]
async fn what_cannot_be_noted_is_not_believed_by_the_next_process() -> Result<()> {
    let disk = SimulatedDisk::default();
    let (queue, _) = script::open(&disk)?;
    for number in 0..30 {
        queue.append(vec![batch(0, number, 100)]).await?;
    }
    queue.note_sent(0, ONE_REQUEST_OF_THREE).await?;
    queue
        .acknowledge(0, 3, delivered(&first(&queue, 0, Window { batches: 3, bytes: 10_000 }).await?))
        .await?;
    // What is there cannot be changed nor removed: nothing may be sent.
    let is_change = |operation| [Operation::Write, Operation::Remove].contains(&operation);
    disk.fail(move |_, operation| is_change(operation).then_some(Fault::Io));
    ensure!(queue.note_sent(0, ONE_REQUEST_OF_THREE).await.is_err());
    disk.heal();
    queue.note_sent(0, ONE_REQUEST_OF_THREE).await?;
    let (reopened, _) = script::open(&disk.after_kill())?;
    assert_eq!(in_doubt(&reopened, 0).await?, (3, true));
    disk.fail(|_, operation| (operation == Operation::Write).then_some(Fault::Io));
    queue.note_sent(0, PossiblyDelivered { batches: 4, in_parts: 0 }).await?;
    disk.heal();
    let (queue, _) = script::open(&disk.after_kill())?;
    assert_eq!(in_doubt(&queue, 0).await?, (27, false));
    Ok(())
}

#[tokio::test]
async fn what_waits_is_delivered_before_what_comes_in_another_layout() -> Result<()> {
    let disk = SimulatedDisk::default();
    let (queue, _) = script::open(&disk)?;
    for number in 0..6 {
        queue.append(vec![batch(number as u32 % 3, number, 100)]).await?;
    }
    queue.shutdown(false).await?;
    let options = Options { partitions: 2, ..script::options() };
    let (queue, found) = DurableQueue::open(Arc::new(disk.after_kill()), &options)?;
    assert_eq!((found.batches, queue.partitions(), queue.readers()), (6, 2, 3));
    queue.append(vec![batch(0, 10, 100), batch(1, 11, 100)]).await?;
    let error = queue.append(vec![batch(2, 12, 100)]).await;
    assert!(matches!(error, Err(AppendError::UnknownPartition { partition: 2, partitions: 2 })), "{error:?}");
    for partition in [0, 1] {
        let first = first(&queue, partition, ALL).await?;
        assert_eq!(first.len(), 2, "only those of the layout before");
        queue.acknowledge(partition, 2, delivered(&first)).await?;
    }
    let waits = tokio::time::timeout(std::time::Duration::from_millis(50), first(&queue, 0, ALL)).await;
    assert!(waits.is_err(), "the partition 2 of the layout before is not empty");
    let last = first(&queue, 2, ALL).await?;
    queue.acknowledge(2, 2, delivered(&last)).await?;
    assert_eq!(drain(&queue, 0).await?, [10]);
    assert_eq!(drain(&queue, 1).await?, [11]);
    assert_eq!(drain(&queue, 2).await?, [] as [u64; 0]);
    Ok(())
}

#[tokio::test]
async fn what_another_exporter_or_a_newer_version_wrote_is_left_alone() -> Result<()> {
    let disk = SimulatedDisk::default();
    let (queue, _) = script::open(&disk)?;
    queue.append(vec![batch(0, 1, 100)]).await?;
    queue.shutdown(false).await?;
    let before = disk.files();
    let options = Options { exporter: "prometheusremotewrite/other".to_owned(), ..script::options() };
    let Err(error) = DurableQueue::open(Arc::new(disk.clone()), &options) else { bail!("opened") };
    assert!(matches!(error, OpenError::OtherExporter { .. }), "{error}");
    assert_eq!(disk.files(), before);

    let (name, segment) =
        before.last().filter(|(name, _)| name.ends_with(".log")).or(before.first()).context("a file")?;
    let newer = disk.after_kill();
    newer.put(name, of_next_format(segment));
    let before = newer.files();
    let Err(error) = script::open(&newer) else { bail!("opened") };
    assert!(error.to_string().contains("written by a newer version of preamp (format 2"), "{error}");
    assert_eq!(newer.files(), before);
    Ok(())
}

/// A segment whose checkpoint says format 2, which is the first field of its head.
fn of_next_format(segment: &[u8]) -> Vec<u8> {
    const FRAME: usize = 32;
    let mut bytes = segment.to_vec();
    let length = u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]) as usize;
    assert_eq!(bytes[FRAME..FRAME + 2], [8, 1], "field 1 is the format, and that is 1");
    bytes[FRAME + 1] = 2;
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[..24]);
    crc.update(&bytes[FRAME..FRAME + length]);
    bytes[24..28].copy_from_slice(&crc.sum().to_le_bytes());
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_do_not_fill_the_disk() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let directory = Directory::private(folder.path().join("queue"));
    let options = Options { max_bytes: 256 << 20, ..script::options() };
    let mut appended = 0;
    for crash in 0..100 {
        let (queue, found) = DurableQueue::open(Arc::new(Folder::reserve(&directory)?), &options)?;
        ensure!(found.batches == crash, "{} of {crash} batches after a crash", found.batches);
        let new = batch(0, crash, 2_500);
        appended += new.body.len() as u64;
        queue.append(vec![new]).await?;
        // As after `kill -9`: nothing is written any more, and the lock is gone.
        queue.shutdown(true).await?;
        drop(queue);
        let used = disk_usage(&directory.path)?;
        ensure!(used <= 2 * appended + (4 << 20), "crash {crash}: {used} bytes for {appended}");
    }
    Ok(())
}

/// Each process that quarantines something begins a file with room for more, and has to write more about what the one
/// before did not settle.
#[tokio::test(flavor = "multi_thread")]
async fn crashes_do_not_fill_the_disk_with_quarantine_files() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let directory = Directory::private(folder.path().join("queue"));
    let options = Options { max_bytes: 256 << 20, ..script::options() };
    const CRASHES: u64 = 40;
    for crash in 0..CRASHES {
        let (queue, _) = DurableQueue::open(Arc::new(Folder::reserve(&directory)?), &options)?;
        queue.append(vec![batch(0, crash, 500)]).await?;
        let first = first(&queue, 0, ALL).await?;
        let mut settlement = Settlement::default();
        settlement.add(PointOutcome::Quarantined("label-limit".to_owned()), first[0].points.into());
        let (reason, detail) = ("label-limit".to_owned(), String::new());
        settlement.quarantined.push(QuarantinedBatch {
            batch: first[0].clone(),
            state: "quarantined",
            reason,
            detail,
        });
        queue.acknowledge(0, 1, settlement).await?;
        queue.shutdown(true).await?;
        drop(queue);
    }
    // And processes that quarantine nothing.
    for _ in 0..CRASHES {
        let (queue, _) = DurableQueue::open(Arc::new(Folder::reserve(&directory)?), &options)?;
        queue.append(vec![batch(0, 0, 10)]).await?;
        queue.shutdown(true).await?;
    }
    let inspection = Inspection::of(Arc::new(Folder::look(&directory.path)?))?;
    ensure!(inspection.quarantined.len() as u64 == CRASHES, "{}", inspection.quarantined.len());
    let aside = files_ending_in(&directory.path, ".aside")?;
    ensure!(aside.len() as u64 <= CRASHES + 1, "{aside:?}");
    let used = disk_usage(&directory.path)?;
    // The segment that is written to, room for a full disk, a last file, and a block for each file.
    ensure!(used <= (4 << 20) + 3 * CRASHES * 4_096, "{used} bytes");
    Ok(())
}

fn files_ending_in(folder: &Path, end: &str) -> Result<Vec<String>> {
    let names = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    Ok(names.collect::<Result<Vec<_>>>()?.into_iter().filter(|name| name.ends_with(end)).collect())
}

#[tokio::test]
async fn of_files_with_damage_the_newest_are_kept() -> Result<()> {
    const KEPT: u64 = (4 << 20) / 16;
    let mut disk = SimulatedDisk::default();
    let sizes = |disk: &SimulatedDisk| -> Vec<(String, u64)> {
        let damaged = disk.files().into_iter().filter(|(name, _)| name.ends_with(".log.damaged"));
        damaged.map(|(name, bytes)| (name, bytes.len() as u64)).collect()
    };
    let mut newest = String::new();
    for number in 0..20 {
        let (queue, _) = script::open(&disk)?;
        queue.append(vec![batch(0, number, 60_000)]).await?;
        queue.append(vec![batch(0, number, 100)]).await?;
        let first = first(&queue, 0, ALL).await?;
        drop(queue);
        disk = disk.after_kill();
        ensure!(first.len() <= 2 * number as usize + 2);
        // The last segment with records: what is behind the checkpoint is hit.
        let last = disk.files().into_iter().rfind(|(name, _)| name.ends_with(".log"));
        let (name, mut bytes) = last.context("a segment")?;
        let at = bytes.windows(8).rposition(|window| window == &bytes[..8]).context("a record")?;
        bytes[at + 20] ^= 1;
        disk.put(&name, bytes);
        newest = name.replace(".log", ".log.damaged");
    }
    let (queue, _) = script::open(&disk)?;
    while queue.statistics().total().batches > 0 {
        let first = first(&queue, 0, ALL).await?;
        queue.acknowledge(0, first.len(), delivered(&first)).await?;
    }
    let kept = sizes(&disk);
    let bytes: u64 = kept.iter().map(|(_, bytes)| bytes).sum();
    ensure!(!kept.is_empty() && bytes <= KEPT, "{kept:?}");
    ensure!(queue.statistics().damaged_file_bytes == bytes, "{kept:?} is counted otherwise");
    ensure!(kept.iter().any(|(name, _)| *name == newest), "{kept:?} without {newest}");
    Ok(())
}
