//! Files made to take memory or time. Each is refused, or read, in time by its size.

use super::*;
use crate::{Request, load};
use std::fmt::Write as _;
use std::time::Duration;

/// How much of a processor reading a file may take.
const MOMENT: Duration = Duration::from_secs(20);

/// What may be missing in what the system says of that.
const TICK: Duration = Duration::from_millis(20);

/// What this thread has taken of the processors, whatever else they do.
fn taken() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// What is said about a text, and what that took.
fn timed(text: &str) -> (Vec<String>, Duration) {
    assert!(text.len() <= 4 << 20, "{} bytes", text.len());
    let start = taken();
    let errors = errors(text);
    let took = taken() - start;
    assert!(took < MOMENT, "{took:?} for {text:.40}");
    let bytes: usize = errors.iter().map(String::len).sum();
    assert!(errors.len() <= 102 && bytes < 1 << 18, "{} errors, {bytes} bytes", errors.len());
    (errors, took)
}

/// What is said about a text, in little time.
fn said(text: &str) -> Vec<String> {
    timed(text).0
}

/// Asserts that four times as much takes four times as long, and not sixteen times.
#[track_caller]
fn assert_linear(count: usize, text: impl Fn(usize) -> String) {
    // The first time pays for what is made once.
    timed(&text(100));
    let (few, many) = (timed(&text(count)).1, timed(&text(4 * count)).1);
    assert!(many < few * 8 + TICK, "{few:?} for {count}, {many:?} for {}", 4 * count);
}

/// Lines with numbers.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _written = writeln!(text, "{}", line(number));
        text
    })
}

#[test]
fn aliases_are_bounded_in_bytes() {
    // 0.3 MB that were 869 MiB.
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(9_000));
    assert!(said(&long)[0].ends_with("aliases make the document too large or too deep"));
    let long_keys = format!("a: &a {{{}: 1}}\nb: [{}]\n", "k".repeat(1000), "*a, ".repeat(100_000));
    assert!(said(&long_keys)[0].ends_with("aliases make the document too large or too deep"));
    let merged =
        format!("a: &a {{b: {}}}\n{}", "x".repeat(100_000), lines(9_000, |n| format!("c{n}: {{<<: *a}}")));
    assert!(said(&merged)[0].ends_with("aliases make the document too large or too deep"));
    // An anchor at each level copies all that is below it.
    let nested = format!("{}{}{}", "&a [".repeat(60), "x, ".repeat(150_000), "]".repeat(60));
    assert!(said(&nested)[0].ends_with("anchors make the document too large"));
    let many =
        format!("a: &a {{{}}}\n{}", lines(50, |n| format!("k{n}: v,")), lines(100, |n| format!("b{n}: *a")));
    assert!(!said(&many)[0].contains("too large"), "what people write is taken");
}

#[test]
fn problems_are_told_up_to_a_number() {
    let errors = said(&lines(5_000, |n| format!("k{n}: 1")));
    assert_eq!(errors.len(), 51);
    assert!(errors[0].starts_with("f:1:1: k0: unknown key"), "{}", errors[0]);
    assert_eq!(errors[50], "f:50:1: and 4951 more problems");
    let twice = said(&lines(5_000, |_| "k: 1".to_owned()));
    assert!(twice[2].ends_with("stands here again; it first stood at 1:1"), "{:?}", &twice[..5]);
}

#[test]
fn keys_take_time_by_their_number() {
    // 150,000 keys took 20 s.
    assert_linear(25_000, |count| lines(count, |n| format!("k{n}: 1")));
    assert_linear(25_000, |count| lines(count, |_| "k: 1".to_owned()));
    assert_linear(25_000, |count| with_exporter(&lines(count, |n| format!("endpiont{n}: 1"))));
    assert_linear(7_000, |count| {
        format!("a: &a {{{}}}\nb: {{<<: *a}}\n", lines(count, |n| format!("k{n}: 1,")))
    });
    let headers = |count| with_exporter(&format!("headers:\n{}", lines(count, |n| format!("  h{n}: v"))));
    assert_linear(15_000, headers);
    assert!(said(&headers(1_000)).is_empty());
}

#[test]
fn components_and_references_are_few() {
    let components = lines(20_000, |n| format!("  otlp/{n}: {{protocols: {{grpc: }}}}"));
    let many = with_exporter("").replace("receivers: {otlp", &format!("receivers:\n{components}\nx: {{otlp"));
    assert!(
        said(&many)
            .iter()
            .any(|error| error.ends_with("more than 1000 components: that is no configuration"))
    );
    let references = "otlp/x, ".repeat(50_000);
    let many = with_exporter("").replace("receivers: [otlp]", &format!("receivers: [{references}]"));
    assert!(
        said(&many)
            .iter()
            .any(|error| error.ends_with("more than 1000 references: that is no configuration"))
    );
    let pipelines = lines(20_000, |n| format!("    metrics/{n}: {{receivers: [a], exporters: [b]}}"));
    let many = format!("service:\n  pipelines:\n{pipelines}");
    assert!(
        said(&many).iter().any(|error| error.ends_with("more than 1000 pipelines: that is no configuration"))
    );
    let sources = "{name: x}, ".repeat(50_000);
    let many = format!("kind: Configuration\nspec: {{sources: [{sources}], destinations: []}}\n");
    assert!(
        said(&many).iter().any(|error| error.ends_with("more than 1000 entries: that is no configuration"))
    );
    let documents = "---\nkind: Source\n".repeat(20_000);
    assert!(said(&documents)[0].ends_with("more than 1000 documents: that is no configuration"));
}

#[test]
fn what_a_parser_may_stumble_over_takes_no_time() {
    for text in [
        format!("[{}]", format!("[{}],\n", "a,".repeat(3_000)).repeat(150)),
        "[".repeat(1_000_000),
        "{".repeat(1_000_000),
        "- ".repeat(500_000),
        "? ".repeat(500_000),
        "[a, ".repeat(250_000),
        format!("[{}]", "a,".repeat(500_000)),
        format!("[{}]", "[],".repeat(325_000)),
        format!("{{{}}}", "a: ,".repeat(250_000)),
        "\n".repeat(1_000_000),
        "#\n".repeat(500_000),
        format!("a: {}", "x".repeat(1_000_000)),
        format!("a: {}", "1".repeat(1_000_000)),
        format!("\"{}\": 1", "k".repeat(1_000_000)),
        format!("a: \"{}\"", "\\u0041".repeat(150_000)),
        format!("a: |\n{}", "  x\n".repeat(250_000)),
        format!("a: 'x{}'", "\n\n".repeat(500_000)),
        "&a ".repeat(325_000),
        "!a ".repeat(325_000),
        "a: &b\n".repeat(150_000),
        "%TAG ! tag:\n".repeat(75_000),
        "---\n".repeat(250_000),
        "parameters:\n".to_owned() + &"- {name: endpiont, value: 1}\n".repeat(25_000),
        "remote_write:\n".to_owned() + &"- {name: a}\n".repeat(75_000),
    ] {
        assert!(!said(&text).is_empty());
    }
}

#[test]
fn what_references_bring_in_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large");
    std::fs::write(&large, "x".repeat(1_000_000)).unwrap();
    let path = large.display();
    let text = lines(2_000, |n| format!("k{n}: a ${{file:{path}}}"));
    let bound = "what all references lead to takes more than 16 MiB: that is no configuration";
    assert!(said(&text).iter().any(|error| error.ends_with(bound)));
    // As a tree, each item takes a hundred times its text.
    let items = folder.path().join("items");
    std::fs::write(&items, format!("[{}]", "1,".repeat(100_000))).unwrap();
    let text = lines(1_000, |n| format!("k{n}: ${{file:{}}}", items.display()));
    assert!(said(&text).iter().any(|error| error.ends_with(bound)));
    // All items of a tree share the reference that they come from.
    let long = format!("a: '${{yaml:[{}]}}'\n", "1,".repeat(70_000));
    said(&long);
    let deep = format!("a: '{}'\n", "${yaml:".repeat(500_000));
    said(&deep);
    let many = lines(100_000, |_| "k: ${env:PORT}".to_owned());
    said(&many);
}

#[test]
fn long_keys_make_no_long_paths() {
    let key = "k".repeat(1000);
    let deep = format!("{}{}", format!("{{{key}: ").repeat(60), "1".to_owned() + &"}".repeat(60));
    let errors = said(&deep);
    assert!(errors[0].len() < 400, "{}", errors[0]);
    let longer = format!("? {}\n: 1\n", "k".repeat(1025));
    assert!(said(&longer)[0].ends_with("expected a key of at most 1024 bytes"));
}

#[test]
fn sources_are_merged_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let source = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Source::File(path)
    };
    let merged = |count: usize| {
        let headers = |value: &str| {
            let headers = lines(count, |n| format!("      h{n}: {value}"));
            format!("exporters:\n  prometheusremotewrite:\n    headers:\n{headers}")
        };
        let sources =
            vec![source("a", with_exporter("")), source("b", headers("a")), source("c", headers("b"))];
        let start = taken();
        let loaded = load(&Request { sources, ..Request::default() }, &environment).unwrap();
        let last = format!("\"h{}\":\"b\"", count - 1);
        assert!(loaded.settings.exporter.component_json.contains(&last));
        taken() - start
    };
    let (few, many) = (merged(10_000), merged(40_000));
    assert!(many < few * 8 + TICK, "{few:?}, {many:?}");
}
