//! `exporters.debug` and `exporters.logging`: exporters that show what comes in.

use crate::definition::{Sort, Type, ignored};
use crate::ids::Component;
use crate::settings::{DebugExporter, Output, Processors, Sampling, Verbosity};
use crate::view::keys::{Choice, Key, keys};
use crate::view::{Section, View};

/// The types: the one of today, and the one that it took the place of.
pub(crate) const DEBUG: [&str; 2] = ["debug", "logging"];

/// The same with their keys.
pub(crate) const TYPES: &[Type] = &[
    Type::new(&[DEBUG[0]], &[debug::TABLE, output::TABLE]),
    Type::new(&[DEBUG[1]], &[logging::TABLE, output::TABLE]),
];

const VERBOSITIES: &[&str] = &["basic", "normal", "detailed"];
const LEVELS: &[&str] = &["debug", "info", "warn", "error"];

keys! {
    /// The keys of `debug`.
    mod debug {
        /// How much is shown: `basic` how much came in, `normal` a line for each point, `detailed` everything.
        verbosity: Choice.among_in_any_case(VERBOSITIES).or("basic"),
        /// So many payloads are shown in each second.
        sampling_initial: Count.or(2),
        /// After those, one of so many is shown; 0 shows no more of them.
        sampling_thereafter: Count.or(1),
    } and [
        ignored("output", "all attributes are shown"),
        ignored("sending_queue", "what is shown waits in a small queue of its own, and holds nothing up"),
    ]
}

keys! {
    /// The keys of `logging`, which newer Collectors call `debug`.
    mod logging {
        /// As of `debug`.
        verbosity: Choice.among_in_any_case(VERBOSITIES).or("normal"),
        /// The older form of `verbosity`: `debug` shows everything, `info` a line for each point, and others how much
        /// came in.
        loglevel: Choice.among_in_any_case(LEVELS).says("as `verbosity` says"),
        /// So many payloads are shown in each second.
        sampling_initial: Count.or(2),
        /// After those, one of so many is shown; 0 shows no more of them.
        sampling_thereafter: Count.or(500),
    } and [ignored("format", "payloads are shown as text")]
}

keys! {
    /// Where both show it.
    mod output {
        /// Shows it in the log of the process, if that tells what is of level `info`.
        use_internal_logger: Flag.or(true),
        /// Where it is shown otherwise: `stdout`, `stderr`, or a file.
        output_paths: Texts.sort(Sort::Path).says("`stdout`"),
    }
}

/// Reads an exporter of these types. `logs_info` says whether the log of the process tells what is of level `info`.
pub(crate) fn read_debug(exporter: &Component, logs_info: bool) -> DebugExporter {
    let is_old = exporter.kind == DEBUG[1];
    let section = exporter.view.section(if is_old { TYPES[1].tables } else { TYPES[0].tables });
    let (verbosity, sampling) = if is_old {
        exporter.view.warn("newer Collectors do not know it: write `debug`");
        let level = section.given(&logging::loglevel).map(|level| match level {
            "debug" => Verbosity::Detailed,
            "info" => Verbosity::Normal,
            _ => Verbosity::Basic,
        });
        if let Some(view) = section.get(&logging::loglevel)
            && section.get(&logging::verbosity).is_some()
        {
            view.key_error("cannot stand beside `verbosity`, which takes its place");
        }
        let verbosity = level.unwrap_or_else(|| verbosity(&section, &logging::verbosity));
        (verbosity, [section.value(&logging::sampling_initial), section.value(&logging::sampling_thereafter)])
    } else {
        let sampling = [section.value(&debug::sampling_initial), section.value(&debug::sampling_thereafter)];
        (verbosity(&section, &debug::verbosity), sampling)
    };
    let [initial, thereafter] = sampling.map(i64::unsigned_abs);
    DebugExporter {
        id: exporter.id.to_owned(),
        verbosity,
        sampling: Sampling { initial, thereafter },
        output: read_output(&section, &exporter.view, logs_info),
        processors: Processors::default(),
    }
}

fn verbosity(section: &Section, key: &Key<Choice>) -> Verbosity {
    match section.value(key) {
        "detailed" => Verbosity::Detailed,
        "normal" => Verbosity::Normal,
        _ => Verbosity::Basic,
    }
}

fn read_output(section: &Section, exporter: &View, logs_info: bool) -> Output {
    let paths = section.get(&output::output_paths);
    if section.value(&output::use_internal_logger) {
        if let Some(view) = paths {
            view.warn("is ignored: with `use_internal_logger` payloads are shown in the log of the process");
        }
        if !logs_info {
            exporter.warn(
                "shows nothing: its lines are of level `info`, and `service.telemetry.logs.level` is above that; lower the \
                 level, or write `use_internal_logger: false`",
            );
            return Output::Nowhere;
        }
        return Output::Log;
    }
    let paths = paths.map(|view| (view.texts(), view));
    let Some((texts, view)) = paths.filter(|(texts, _)| !texts.is_empty()) else { return Output::Stdout };
    if texts.len() > 1 {
        view.warn("payloads are shown at the first of these only");
    }
    match texts.first().map(|(path, _)| *path) {
        None | Some("stdout") => Output::Stdout,
        Some("stderr") => Output::Stderr,
        Some(path) => Output::File(path.into()),
    }
}
