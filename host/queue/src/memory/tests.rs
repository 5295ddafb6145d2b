use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::MemoryQueue;
use crate::{AppendError, Capacity, Limit, Next, Queue, Settlement, Window};
use preamp_contract::{Batch, Protocol};

const ALL: Window = Window { batches: usize::MAX, bytes: u64::MAX };

/// A batch of `bytes` bytes and as many points, which `id` tells apart.
fn batch(partition: u32, id: u8, bytes: u32) -> Batch {
    Batch {
        body: vec![id; bytes as usize],
        digest: Some([0; 32]),
        partition,
        points: bytes,
        series: 1,
        samples: 2 * bytes,
        histograms: 0,
        exemplars: 0,
        first: 0,
        last: 0,
        uncompressed_size: bytes,
        protocol: Protocol::RemoteWriteV1,
    }
}

/// What is first in a partition; nothing once it is closed and empty.
async fn first(queue: &MemoryQueue, partition: u32, window: Window) -> Vec<Arc<Batch>> {
    match queue.next(partition, window).await.expect("memory") {
        Next::Send { batches, .. } | Next::Evict { batches, .. } => batches,
        Next::Closed => Vec::new(),
    }
}

fn ids(batches: &[Arc<Batch>]) -> Vec<u8> {
    batches.iter().filter_map(|batch| batch.body.first().copied()).collect()
}

#[tokio::test]
async fn each_partition_keeps_its_order() {
    let queue = MemoryQueue::new(2, 10, 1_000);
    queue.append(vec![batch(0, 1, 5), batch(1, 2, 5), batch(0, 3, 5)]).await.expect("room");
    queue.append(vec![batch(0, 4, 5)]).await.expect("room");
    assert_eq!(ids(&first(&queue, 0, ALL).await), [1, 3, 4]);
    queue.acknowledge(0, 2, Settlement::default()).await.expect("memory");
    assert_eq!(ids(&first(&queue, 0, ALL).await), [4]);
    assert_eq!(ids(&first(&queue, 1, ALL).await), [2]);
}

#[tokio::test]
async fn a_window_limits_what_is_seen_but_never_to_nothing() {
    let queue = MemoryQueue::new(1, 10, 1_000);
    queue.append(vec![batch(0, 1, 30), batch(0, 2, 30), batch(0, 3, 30)]).await.expect("room");
    for (batches, bytes, seen) in [(2, 1_000, 2), (9, 60, 2), (9, 59, 1), (9, 1, 1), (0, 1, 1)] {
        let first = first(&queue, 0, Window { batches, bytes }).await;
        assert_eq!(first.len(), seen, "{batches} batches of {bytes} bytes");
    }
}

#[tokio::test]
async fn a_full_queue_takes_nothing_of_a_payload_and_says_which_limit() {
    let queue = MemoryQueue::new(2, 2, 100);
    queue.append(vec![batch(0, 1, 60)]).await.expect("room");
    let before = queue.statistics().total().bytes;

    let error = queue.append(vec![batch(1, 2, 20), batch(0, 3, 30)]).await.expect_err("10 bytes too many");
    assert_eq!(error, AppendError::Full { limit: Limit::Bytes, waiting: 60, needed: 50, allowed: 100 });
    assert_eq!(queue.statistics().total().bytes, before);
    assert_eq!(queue.statistics().total().batches, 1, "nothing half queued");

    queue.append(vec![batch(1, 4, 10)]).await.expect("room");
    let error = queue.append(vec![batch(1, 5, 10)]).await.expect_err("a third payload");
    assert_eq!(error, AppendError::Full { limit: Limit::Payloads, waiting: 2, needed: 1, allowed: 2 });

    let error = queue.append(vec![batch(0, 6, 101)]).await.expect_err("never fits");
    assert_eq!(error, AppendError::TooLarge { needed: 101, allowed: 100 });
    let error = queue.append(vec![batch(0, 7, 1), batch(2, 8, 1)]).await.expect_err("no such partition");
    assert_eq!(error, AppendError::UnknownPartition { partition: 2, partitions: 2 });
    assert_eq!(queue.statistics().total().batches, 2, "nothing half queued");
}

#[tokio::test]
async fn batches_next_to_empty_take_memory_too() {
    let queue = MemoryQueue::limited(2, 10, u64::MAX, 10_000, 10_000);
    let payload = || (0..13).map(|id| batch(0, id, 1)).collect::<Vec<_>>();
    for _ in 0..2 {
        queue.append(payload()).await.expect("room");
    }
    let (waiting, needed) = (26 * 257, 13 * 257);
    let error = queue.append(payload()).await.expect_err("more memory than there is");
    assert_eq!(error, AppendError::Full { limit: Limit::Memory, waiting, needed, allowed: 10_000 });
    assert!(error.to_string().contains("send more points in each request"), "{error}");
    queue.acknowledge(0, 13, Settlement::default()).await.expect("memory");
    queue.append(payload()).await.expect("room again");
}

#[tokio::test]
async fn a_payload_counts_until_its_last_batch_is_acknowledged() {
    let queue = MemoryQueue::new(2, 1, 1_000);
    queue.append(vec![]).await.expect("an empty payload leaves no trace");
    queue.append(vec![batch(0, 1, 5), batch(1, 2, 5)]).await.expect("room");
    queue.acknowledge(1, 1, Settlement::default()).await.expect("memory");
    queue
        .append(vec![batch(1, 3, 5)])
        .await
        .expect_err("partition 0 still holds a part of the first payload");
    queue.acknowledge(0, 1, Settlement::default()).await.expect("memory");
    queue.append(vec![batch(1, 3, 5)]).await.expect("room again");
    assert_eq!(queue.statistics().payloads, 1);
}

#[tokio::test]
async fn a_closed_queue_refuses_writers_and_lets_readers_finish() {
    let queue = Arc::new(MemoryQueue::new(2, 10, 1_000));
    queue.append(vec![batch(0, 1, 5)]).await.expect("room");
    let reader = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { first(&queue, 1, ALL).await }
    });
    tokio::task::yield_now().await;
    queue.close();
    let waiting = tokio::time::timeout(Duration::from_secs(5), reader).await.expect("woken by the end");
    assert!(waiting.expect("no panic").is_empty());
    assert_eq!(ids(&first(&queue, 0, ALL).await), [1]);
    assert_eq!(queue.append(vec![batch(0, 2, 5)]).await, Err(AppendError::Closed));
    queue.acknowledge(0, 1, Settlement::default()).await.expect("memory");
    assert!(first(&queue, 0, ALL).await.is_empty());
}

#[tokio::test]
async fn whoever_waits_for_room_is_woken_when_there_is_some() {
    let queue = Arc::new(MemoryQueue::new(1, 2, 1_000));
    queue.append(vec![batch(0, 1, 5)]).await.expect("room");
    queue.append(vec![batch(0, 2, 5)]).await.expect("room");
    let wait = |may_evict| {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move { queue.until_room_for(&[batch(0, 3, 5)], may_evict).await })
    };
    let waiting = wait(false);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished() && !queue.is_evicting(0));
    queue.acknowledge(0, 1, Settlement::default()).await.expect("memory");
    waiting.await.expect("there is room");
    queue.append(vec![batch(0, 3, 5)]).await.expect("room");

    let evicting = wait(true);
    queue.until_evicting(0).await;
    let Next::Evict { batches } = queue.next(0, ALL).await.expect("memory") else {
        panic!("the oldest payload is to be evicted");
    };
    assert_eq!(ids(&batches), [2]);
    queue.acknowledge(0, 1, Settlement::default()).await.expect("memory");
    evicting.await.expect("there is room");
    assert!(matches!(queue.next(0, ALL).await, Ok(Next::Send { .. })), "what is left is sent");

    queue.append(vec![batch(0, 4, 5)]).await.expect("room");
    let closing = wait(false);
    tokio::task::yield_now().await;
    queue.close();
    closing.await.expect("nobody waits for a queue that is closed");
}

#[tokio::test]
async fn whoever_waits_for_a_full_request_is_woken_when_there_is_enough() {
    let queue = Arc::new(MemoryQueue::new(2, 10, 1_000));
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.until_points(0, 10).await }
    });
    queue.append(vec![batch(0, 1, 5), batch(1, 1, 50)]).await.expect("room");
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "another partition has enough");
    queue.append(vec![batch(0, 2, 5)]).await.expect("room");
    waiting.await.expect("there is enough");
}

/// Writers and readers on several threads; a wake-up lost for good would leave data unread.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost() {
    const PARTITIONS: u32 = 4;
    const PAYLOADS: u32 = 5_000;
    let queue = Arc::new(MemoryQueue::new(PARTITIONS, u64::MAX, u64::MAX));
    let readers: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move {
                let mut read = 0;
                loop {
                    let first = first(&queue, partition, ALL).await;
                    if first.is_empty() {
                        return read;
                    }
                    queue.acknowledge(partition, first.len(), Settlement::default()).await.expect("memory");
                    read += u32::try_from(first.len()).expect("few");
                }
            })
        })
        .collect();
    for number in 0..PAYLOADS {
        let payload = (0..PARTITIONS).map(|partition| batch(partition, 1, 1)).collect();
        queue.append(payload).await.expect("room");
        if number % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // Closed only after all is read, so that the end cannot stand in for a lost wake-up.
    let drained = async {
        while queue.statistics().total().batches > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), drained).await.expect("every reader was woken");
    queue.close();
    for reader in readers {
        assert_eq!(reader.await.expect("no panic"), PAYLOADS);
    }
    assert_eq!(queue.statistics().payloads, 0);
}

/// Random operations; a queue of plain lists says what must come out.
#[tokio::test]
async fn random_operations_agree_with_a_model() {
    const PARTITIONS: u32 = 3;
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (max_payloads, max_bytes) = (random.u64(1..8), random.u64(20..200));
        let queue = MemoryQueue::new(PARTITIONS, max_payloads, max_bytes);
        let mut model = Model::default();
        for id in 0..200u8 {
            if random.bool() {
                let count = random.usize(0..5);
                let payload: Vec<_> =
                    (0..count).map(|_| batch(random.u32(0..PARTITIONS), id, random.u32(1..25))).collect();
                let taken = model.append(id, &payload, max_payloads, max_bytes);
                assert_eq!(queue.append(payload).await.is_ok(), taken, "seed {seed}, payload {id}");
            } else {
                let partition = random.u32(0..PARTITIONS);
                let count = random.usize(0..4);
                model.acknowledge(partition, count);
                queue.acknowledge(partition, count, Settlement::default()).await.expect("memory");
            }
            model.compare(&queue).await;
        }
    }
}

#[derive(Default)]
struct Model {
    /// Partition, payload and size of every batch, oldest first.
    waiting: VecDeque<(u32, u8, u32)>,
}

impl Model {
    fn payloads(&self) -> u64 {
        let mut ids: Vec<_> = self.waiting.iter().map(|entry| entry.1).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len() as u64
    }

    fn bytes(&self) -> u64 {
        self.waiting.iter().map(|entry| u64::from(entry.2)).sum()
    }

    fn append(&mut self, id: u8, payload: &[Batch], max_payloads: u64, max_bytes: u64) -> bool {
        let bytes: u64 = payload.iter().map(|batch| u64::from(batch.points)).sum();
        let fits =
            payload.is_empty() || (self.payloads() < max_payloads && self.bytes() + bytes <= max_bytes);
        if fits {
            self.waiting.extend(payload.iter().map(|batch| (batch.partition, id, batch.points)));
        }
        fits
    }

    fn acknowledge(&mut self, partition: u32, count: usize) {
        let mut left = count;
        self.waiting.retain(|entry| {
            let goes = entry.0 == partition && left > 0;
            left -= usize::from(goes);
            !goes
        });
    }

    async fn compare(&self, queue: &MemoryQueue) {
        let statistics = queue.statistics();
        assert_eq!(statistics.payloads, self.payloads());
        assert_eq!(statistics.total().bytes, self.bytes());
        for (number, counted) in (0..).zip(&statistics.partitions) {
            let expected: Vec<_> = self.waiting.iter().filter(|entry| entry.0 == number).collect();
            assert_eq!(counted.batches, expected.len() as u64);
            assert_eq!(counted.points, expected.iter().map(|entry| u64::from(entry.2)).sum::<u64>());
            assert_eq!(counted.samples, 2 * counted.points);
            assert_eq!(counted.oldest.is_some(), !expected.is_empty());
            if !expected.is_empty() {
                let read = first(queue, number, ALL).await;
                let read: Vec<_> =
                    read.iter().map(|batch| (batch.partition, batch.body[0], batch.points)).collect();
                assert_eq!(read, expected.into_iter().copied().collect::<Vec<_>>());
            }
        }
    }
}
