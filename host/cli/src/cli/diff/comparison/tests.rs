use super::*;

/// Compares payloads, each given as what `inspect` says of it on both sides.
fn compare(payloads: &[Sides<&str>]) -> Differences {
    let mut comparison = Comparison::default();
    for payload in payloads {
        let series = payload.map(|lines| {
            let mut series = Series::default();
            series.add(lines).unwrap();
            series
        });
        comparison.compare(series).unwrap();
    }
    comparison.finish()
}

fn series(name: &str, samples: &[(&str, i64)]) -> String {
    let samples: Vec<_> =
        samples.iter().map(|(value, time)| format!(r#"{{"value":"{value}","time":{time}}}"#)).collect();
    format!(r#"{{"labels":[["__name__","{name}"]],"samples":[{}]}}"#, samples.join(",")) + "\n"
}

fn names(lone: &[(Labels, u64)]) -> Vec<String> {
    lone.iter().map(|(labels, points)| format!("{labels} {points}")).collect()
}

#[test]
fn altered_samples_are_counted_and_the_first_is_shown() {
    let old = series("x", &[("1", 10), ("2", 20), ("3", 30)]);
    let new = series("x", &[("1", 10), ("2.5", 20), ("4", 30), ("5", 40)]);
    let found = compare(&[[&old, &new]]);
    let [(labels, difference)] = &found.changed[..] else { panic!("{found:?}") };
    assert_eq!(labels.to_string(), "x{}");
    assert_eq!((difference.altered, difference.lone), (2, [0, 1]));
    let [old, new] = *difference.example.clone().unwrap();
    assert_eq!((old.value.as_str(), new.value.as_str(), old.time), ("2", "2.5", 20));
    assert!(found.lost.is_empty() && found.added.is_empty() && found.renamed.is_empty());
}

#[test]
fn a_series_that_both_sides_have_in_another_payload_is_not_lost() {
    let sample = |time| series("x", &[("1", time)]);
    let found = compare(&[[&sample(1), &sample(1)], [&sample(2), ""]]);
    assert_eq!((found.lost.len(), found.changed.len()), (0, 1));
    assert_eq!(found.changed[0].1.lone, [1, 0]);
    let never_there = compare(&[[&sample(1), ""], [&sample(2), ""]]);
    assert_eq!(names(&never_there.lost), ["x{} 2"]);
}

#[test]
fn a_renamed_series_has_the_same_samples_in_all_payloads() {
    let payload = |name: &str, value, time| series(name, &[(value, time)]);
    let same = compare(&[
        [&payload("x", "1", 1), &payload("x_total", "1", 1)],
        [&payload("x", "2", 2), &payload("x_total", "2", 2)],
    ]);
    assert_eq!(same.renamed.len(), 1);
    assert_eq!(same.renamed[0].1, 2);
    let other = compare(&[
        [&payload("x", "1", 1), &payload("x_total", "1", 1)],
        [&payload("x", "2", 2), &payload("x_total", "3", 2)],
    ]);
    assert_eq!((names(&other.lost), names(&other.added)), (vec!["x{} 2".into()], vec!["x_total{} 2".into()]));
}

#[test]
fn the_order_of_samples_and_of_batches_makes_no_difference() {
    let (one, two) = (series("x", &[("1", 1)]), series("x", &[("2", 2)]));
    let found = compare(&[[&format!("{one}{two}"), &format!("{two}{one}")]]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn starts_and_descriptions_count_where_both_sides_have_them() {
    let plain = series("x", &[("1", 9)]);
    let described = |kind, start| {
        let sample = format!(r#"{{"value":"1","time":9,"start":{start}}}"#);
        format!(r#"{{"labels":[["__name__","x"]],"type":"{kind}","samples":[{sample}]}}"#)
    };
    let counter = described("counter", 5);
    assert!(compare(&[[&plain, &counter]]).is_empty());
    let later = compare(&[[&counter, &described("counter", 6)]]);
    assert_eq!(later.changed[0].1.altered, 1);
    let gauge = compare(&[[&counter, &described("gauge", 5)]]);
    assert!(gauge.changed.is_empty());
    let [(name, [old, new])] = &gauge.described[..] else { panic!("{gauge:?}") };
    assert_eq!((name.as_str(), old.kind.as_str(), new.kind.as_str()), ("x{}", "counter", "gauge"));
    let metadata = |kind| format!(r#"{{"metadata":{{"name":"x","type":"{kind}","help":"","unit":""}}}}"#);
    assert_eq!(compare(&[[&metadata("counter"), &metadata("gauge")]]).described.len(), 1);
}

#[test]
fn native_histograms_are_compared_as_a_whole() {
    let histogram = |count, start| {
        format!(
            r#"{{"labels":[["__name__","x"]],"histograms":[{{"count":{count},"time":1,"start":{start}}}]}}"#
        )
    };
    assert!(compare(&[[&histogram(3, 1), &histogram(3, 1)]]).is_empty());
    let found = compare(&[[&histogram(3, 1), &histogram(4, 1)]]);
    assert_eq!(found.changed[0].1.example.as_ref().unwrap()[1].value, r#"{"count":4}"#);
}

#[test]
fn an_unknown_form_is_an_error() {
    assert!(Series::default().add("x{} 1 2").is_err());
}
