//! Configurations of all kinds, made from a few bytes, and exporters for them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;

use preamp_core::Exporter;

/// How many bytes of an input choose a configuration.
pub const BYTES: usize = 3;

/// The bits of the last byte that choose a configuration with memory.
const REMEMBERS: u8 = 0b1100;

/// How many exporters are kept open.
const KEPT_MAX: usize = 2_000;

/// A configuration, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options([u8; BYTES]);

impl Options {
    /// The options that the beginning of an input chooses, and the rest of it.
    pub fn split(input: &[u8]) -> Option<(Options, &[u8])> {
        let (bytes, rest) = input.split_first_chunk()?;
        Some((Options(*bytes), rest))
    }

    fn bit(self, byte: usize, bit: u8) -> bool {
        self.0[byte] >> bit & 1 == 1
    }

    /// One of four, by two bits.
    fn pick<T: Copy>(self, byte: usize, bit: u8, of: [T; 4]) -> T {
        of[usize::from(self.0[byte] >> bit & 3)]
    }

    /// Whether remote write 2.0 is written.
    pub fn is_v2(self) -> bool {
        self.bit(0, 3)
    }

    /// The most bytes of a body. It is nearly the least, so that small payloads are cut too.
    pub fn limit(self) -> u32 {
        if self.bit(2, 4) { 1_024 } else { 3_000 }
    }

    /// Over how many partitions series are spread.
    pub fn partitions(self) -> u32 {
        if self.bit(1, 7) { 3 } else { 1 }
    }

    /// Whether what an exporter makes of a payload depends on those before it: one in four, since each
    /// input then needs an exporter of its own.
    fn is_stateful(self) -> bool {
        self.0[2] & REMEMBERS == REMEMBERS
    }

    /// Whether delta metrics are added up.
    fn accumulates(self) -> bool {
        self.is_stateful() && self.bit(1, 4)
    }

    /// The same with delta metrics added up.
    pub fn accumulating(mut self) -> Options {
        self.0[1] |= 1 << 4;
        self.0[2] |= REMEMBERS;
        self
    }

    /// A new exporter.
    pub fn open(self) -> Exporter {
        let configuration = self.configuration();
        Exporter::open(&configuration)
            .unwrap_or_else(|problems| panic!("{configuration} is not valid: {problems:?}"))
    }

    /// Lends an exporter that saw other payloads before, unless that may make a difference.
    pub fn with_exporter<T>(self, work: impl FnOnce(&mut Exporter) -> T) -> T {
        thread_local!(static OPEN: RefCell<HashMap<Options, Exporter>> = RefCell::default());
        if self.is_stateful() {
            return work(&mut self.open());
        }
        OPEN.with_borrow_mut(|open| {
            if open.len() >= KEPT_MAX {
                open.clear();
            }
            work(open.entry(self).or_insert_with(|| self.open()))
        })
    }

    fn configuration(self) -> String {
        let mut json = format!(
            r#"{{"endpoint":"https://localhost/","max_batch_size_bytes":{},"partitions":{}"#,
            self.limit(),
            self.partitions()
        );
        // Writing to a string cannot fail.
        let mut add = |option: &str| write!(json, ",{option}").unwrap_or_default();
        add(if self.bit(0, 0) { r#""profile":"aps""# } else { r#""profile":"prometheus""# });
        add(self.names());
        add(if self.is_v2() {
            r#""protobuf_message":"io.prometheus.write.v2.Request""#
        } else {
            r#""protobuf_message":"prometheus.WriteRequest""#
        });
        add(self.pick(
            2,
            0,
            [
                r#""resource_to_telemetry_conversion":{"enabled":false}"#,
                r#""resource_to_telemetry_conversion":{"enabled":true}"#,
                r#""resource_to_telemetry_conversion":{"enabled":true,"exclude_service_attributes":true}"#,
                r#""resource_constant_labels":{"included":["service.*","h?st*"],"excluded":["*.id"]}"#,
            ],
        ));
        add(self.pick(
            1,
            2,
            [
                r#""exponential_histograms":"native""#,
                r#""exponential_histograms":"classic""#,
                r#""exponential_histograms":"both""#,
                r#""exponential_histograms":"native""#,
            ],
        ));
        let switches = [
            (0, 4, r#""send_metadata":true"#),
            (0, 5, r#""exemplars":true"#),
            (0, 6, r#""export_created_metric":{"enabled":true}"#),
            (0, 7, r#""otel_scope_info":{"enabled":true}"#),
            (1, 0, r#""convert_explicit_histograms_to_nhcb":true"#),
            (1, 1, r#""keep_classic_histograms":true"#),
            (1, 5, r#""target_info":{"enabled":false}"#),
            (1, 6, r#""disable_scope_info":true"#),
            (2, 5, r#""digest":false"#),
            (2, 6, r#""namespace":"my.app""#),
            (2, 7, r#""external_labels":{"cluster":"c","a_b":"external"}"#),
        ];
        for (byte, bit, option) in switches {
            if self.bit(byte, bit) {
                add(option);
            }
        }
        add(match (self.is_stateful(), self.accumulates()) {
            (true, true) => r#""delta":"accumulate","delta_max_series":20"#,
            (true, false) => r#""metadata_interval_ms":60000"#,
            _ if self.bit(2, 2) => {
                r#""max_labels_per_series":8,"max_labels_bytes":200,"max_sample_future_ms":1000"#
            }
            _ => r#""metadata_interval_ms":0"#,
        });
        json.push('}');
        json
    }

    fn names(self) -> &'static str {
        let escaped = [
            r#""add_metric_suffixes":true"#,
            r#""translation_strategy":"UnderscoreEscapingWithoutSuffixes""#,
        ];
        match (self.is_v2(), self.bit(0, 1), self.bit(0, 2)) {
            (true, false, true) => r#""translation_strategy":"NoUTF8EscapingWithSuffixes""#,
            (true, true, true) => r#""translation_strategy":"NoTranslation""#,
            (_, without_suffixes, _) => escaped[usize::from(without_suffixes)],
        }
    }
}
