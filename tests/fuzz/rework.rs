//! What is done with batches after they were made.

use preamp_core::Exporter;
use preamp_core::types::{Batch, BatchError, Encoding, Protocol};
use serde_json::Value;

use super::options::Options;
use super::shape::{self, NOW, Source};
use super::{check_acceptance, check_counts};

/// What is done with batches after they were made loses nothing, keeps the order of each series, and the
/// limits. The payload is made from the input, and so well formed.
pub fn batches(input: &[u8]) {
    let Some((options, bytes)) = Options::split(input) else { return };
    let mut source = Source::new(bytes);
    let oldest = i64::from(source.byte());
    let check = source.byte() % 5;
    let payload = shape::payload(&mut source);
    options.with_exporter(|exporter| {
        let accepted = exporter.accept(&payload, Encoding::Protobuf, NOW).expect("a well-formed payload");
        check_acceptance(options, &accepted);
        // Each input checks one thing, so that there can be many.
        for batch in &accepted.batches {
            match check {
                0 => check_shown(exporter, batch),
                1 => check_halves(exporter, batch),
                2 => check_pruned(exporter, batch, batch.last - oldest * 1_000),
                3 => check_downgrade(exporter, batch, options),
                _ => {}
            }
        }
        for partition in 0..options.partitions() {
            let batches = accepted.batches.iter().filter(|batch| batch.partition == partition);
            if check == 4 {
                check_merge(exporter, batches.cloned().collect(), options.limit());
            }
        }
    });
}

/// The series of a batch, each as a line of JSON.
fn series(exporter: &Exporter, batch: &Batch) -> Vec<String> {
    let lines = exporter.inspect(batch).expect("a batch can be read");
    lines.lines().filter(|line| line.starts_with(r#"{"labels""#)).map(str::to_owned).collect()
}

fn series_of_all<'b>(exporter: &Exporter, batches: impl IntoIterator<Item = &'b Batch>) -> Vec<String> {
    batches.into_iter().flat_map(|batch| series(exporter, batch)).collect()
}

/// The sum of a count.
fn total<'b>(batches: impl IntoIterator<Item = &'b Batch>, of: fn(&Batch) -> u32) -> u32 {
    batches.into_iter().map(of).sum()
}

/// All counts that add up.
fn totals<'b>(batches: impl IntoIterator<Item = &'b Batch> + Clone) -> [u32; 5] {
    let counts: [fn(&Batch) -> u32; 5] = [
        |batch| batch.points,
        |batch| batch.series,
        |batch| batch.samples,
        |batch| batch.histograms,
        |batch| batch.exemplars,
    ];
    counts.map(|count| total(batches.clone(), count))
}

fn check_shown(exporter: &Exporter, batch: &Batch) {
    let text = exporter.explain(batch).expect("a batch can be read");
    // A label value may hold a line feed, which is escaped, so lines are samples and histograms.
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(lines as u32, batch.samples + batch.histograms, "{text}");
    let series: Vec<Value> = series(exporter, batch)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let count =
        |field| series.iter().map(|series| series[field].as_array().map_or(0, Vec::len)).sum::<usize>();
    assert_eq!(series.len(), batch.series as usize);
    assert_eq!(
        (count("samples"), count("histograms"), count("exemplars")),
        (batch.samples as usize, batch.histograms as usize, batch.exemplars as usize)
    );
    let times = series.iter().flat_map(|series| {
        let stamped = ["samples", "histograms"].into_iter().filter_map(|field| series[field].as_array());
        stamped.flatten().map(|stamped| stamped["time"].as_i64().expect("a time"))
    });
    let (first, last) =
        times.fold((i64::MAX, i64::MIN), |(first, last), time| (first.min(time), last.max(time)));
    assert_eq!((first, last), (batch.first, batch.last));
}

fn check_halves(exporter: &Exporter, batch: &Batch) {
    match exporter.halve(batch) {
        Ok((one, two)) => {
            assert_eq!(totals([&one, &two]), totals([batch]));
            assert!(one.series.abs_diff(two.series) <= 1);
            assert_eq!(series_of_all(exporter, [&one, &two]), series(exporter, batch));
        }
        Err(error) => assert!(error == BatchError::SingleSeries && batch.series == 1, "{error:?}"),
    }
}

fn check_pruned(exporter: &Exporter, batch: &Batch, oldest: i64) {
    let pruned = exporter.prune(batch.clone(), oldest).expect("a batch can be pruned");
    let parts = [pruned.kept, pruned.expired];
    assert_eq!(totals(parts.iter().flatten()), totals([batch]));
    let [kept, expired] = &parts;
    assert!(kept.iter().all(|kept| kept.first >= oldest));
    assert!(expired.iter().all(|expired| expired.last < oldest));
    let mut before = series(exporter, batch);
    let (kept, expired) = (series_of_all(exporter, kept), series_of_all(exporter, expired));
    assert!(is_part_of(&kept, &before) && is_part_of(&expired, &before), "another order");
    let mut after = [kept, expired].concat();
    before.sort();
    after.sort();
    assert_eq!(before, after);
}

/// Whether the lines of `part` are found in `whole` in the same order.
fn is_part_of(part: &[String], whole: &[String]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|line| whole.any(|other| other == line))
}

fn check_downgrade(exporter: &Exporter, batch: &Batch, options: Options) {
    match exporter.downgrade(batch) {
        Ok(downgraded) => {
            assert!(options.is_v2());
            assert_eq!(totals(&downgraded), totals([batch]));
            for part in &downgraded {
                assert_eq!((part.protocol, part.partition), (Protocol::RemoteWriteV1, batch.partition));
                check_counts(part, options.limit());
            }
            let before: Vec<_> = series(exporter, batch).iter().map(|line| without_v2(line)).collect();
            let after: Vec<_> =
                series_of_all(exporter, &downgraded).iter().map(|line| without_v2(line)).collect();
            assert_eq!(before, after);
        }
        Err(error) => {
            assert_eq!(error, BatchError::UnsupportedProtocol(Protocol::RemoteWriteV1));
            assert!(!options.is_v2());
        }
    }
}

/// A series without what remote write 1.0 has no place for in it.
fn without_v2(line: &str) -> Value {
    let mut series: Value = serde_json::from_str(line).expect("JSON");
    let object = series.as_object_mut().expect("an object");
    for field in ["type", "help", "unit"] {
        object.remove(field);
    }
    for field in ["samples", "histograms"] {
        for stamped in object[field].as_array_mut().into_iter().flatten() {
            stamped.as_object_mut().expect("an object").remove("start");
        }
    }
    series
}

fn check_merge(exporter: &Exporter, batches: Vec<Batch>, limit: u32) {
    let merged = exporter.merge(batches.clone()).expect("batches of one partition merge");
    assert_eq!(totals(&merged), totals(&batches));
    assert!(merged.len() <= batches.len());
    merged.iter().for_each(|batch| check_counts(batch, limit));
    assert_eq!(series_of_all(exporter, &merged), series_of_all(exporter, &batches));
}

/// A batch of any bytes, as a damaged disk may hold it, is worked on or refused.
pub fn bodies(input: &[u8]) {
    let Some((options, rest)) = Options::split(input) else { return };
    let Some(([how, points, series, samples, first, last], bytes)) = rest.split_first_chunk() else { return };
    let is_packed = how & 1 == 0;
    let body = if is_packed {
        bytes.to_vec()
    } else {
        snap::raw::Encoder::new().compress_vec(bytes).expect("a short text")
    };
    let announced = snap::raw::decompress_len(&body).map_or(0, |length| length as u32);
    let batch = Batch {
        uncompressed_size: if how & 2 == 0 { announced } else { u32::from(*samples) << (how >> 3) },
        body,
        digest: None,
        partition: 0,
        points: u32::from(*points),
        series: u32::from(*series),
        samples: u32::from(*samples),
        histograms: u32::from(how >> 4),
        exemplars: 0,
        first: i64::from(*first),
        last: i64::from(*last),
        protocol: if how & 4 == 0 { Protocol::RemoteWriteV1 } else { Protocol::RemoteWriteV2 },
    };
    options.with_exporter(|exporter| {
        let explained = exporter.explain(&batch);
        let inspected = exporter.inspect(&batch);
        assert_eq!(explained.is_ok(), inspected.is_ok());
        if let Ok(lines) = inspected {
            lines.lines().for_each(|line| drop(serde_json::from_str::<Value>(line).expect("JSON")));
        }
        if let Ok((one, two)) = exporter.halve(&batch) {
            assert_eq!(total([&one, &two], |batch| batch.points), batch.points);
        }
        let _whether_or_not = exporter.prune(batch.clone(), i64::from(last.midpoint(*first)));
        let _whether_or_not = exporter.downgrade(&batch);
        let _whether_or_not = exporter.merge(vec![batch.clone(), batch]);
    });
}
