//! Payloads that are well formed, whatever bytes they are made from: a mutation changes what is in a
//! payload, and does not end at its first length.

/// Bytes to choose from; zeros when they are used up.
pub struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    /// Chooses from these.
    pub fn new(bytes: &'a [u8]) -> Source<'a> {
        Source(bytes)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, end: u8) -> u8 {
        self.byte() % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }
}

/// 2026-01-15T23:59:30Z in nanoseconds.
pub const NOW: u64 = 1_768_521_570_000_000_000;

const NAMES: [&str; 8] =
    ["", "a", "http.server.duration", "größe", "total", "1x", "___", "a_long.name-with:all/kinds of_things"];
const UNITS: [&str; 6] = ["", "1", "By", "s", "{thing}/s", "foo!/m"];
const KEYS: [&str; 12] = [
    "service.name",
    "service.instance.id",
    "host.name",
    "a.b",
    "a_b",
    "le",
    "quantile",
    "__name__",
    "job",
    "",
    "über",
    "k",
];
const DOUBLES: [f64; 12] =
    [0.0, -0.0, 1.0, 0.5, -1.5, 1e300, 5e-324, 0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1_000_000.0];

/// An `ExportMetricsServiceRequest`.
pub fn payload(source: &mut Source) -> Vec<u8> {
    let mut request = Message::default();
    for _ in 0..=source.below(2) {
        request.message(1, |resource| {
            resource.message(1, |message| attributes(message, 1, source));
            for _ in 0..=source.below(2) {
                resource.message(2, |scope| scope_metrics(scope, source));
            }
        });
    }
    request.0
}

fn scope_metrics(scope: &mut Message, source: &mut Source) {
    scope.message(1, |message| {
        message.text(1, source.pick(&NAMES));
        message.text(2, source.pick(&["", "1.0"]));
        attributes(message, 3, source);
    });
    for _ in 0..=source.below(3) {
        scope.message(2, |message| metric(message, source));
    }
}

fn metric(metric: &mut Message, source: &mut Source) {
    metric.text(1, source.pick(&NAMES));
    metric.text(2, source.pick(&["", "What it\nis.", "x"]));
    metric.text(3, source.pick(&UNITS));
    let kind = source.below(5);
    metric.message([5, 7, 9, 10, 11][usize::from(kind)], |data| {
        for _ in 0..source.below(5) {
            data.message(1, |message| point(message, kind, source));
        }
        if (1..4).contains(&kind) {
            data.varint(2, u64::from(source.pick(&[2_u8, 2, 1, 0])));
            data.varint(3, u64::from(source.byte() & 1));
        }
    });
}

fn point(point: &mut Message, kind: u8, source: &mut Source) {
    const SECOND: u64 = 1_000_000_000;
    let start = source.pick(&[0, NOW - 60 * SECOND, NOW]);
    let time = NOW - SECOND * u64::from(source.byte()) + source.pick(&[0, 0, 0, 500 * SECOND]);
    let time = source.pick(&[time, time, time, time, 0, u64::MAX]);
    point.fixed64(2, start);
    point.fixed64(3, time);
    let (of_attributes, of_exemplars, of_flags) =
        [(7, 5, 8), (7, 5, 8), (9, 8, 10), (1, 11, 10), (7, 0, 8)][usize::from(kind)];
    attributes(point, of_attributes, source);
    match kind {
        0 | 1 if source.byte() & 1 == 0 => point.fixed64(6, source.word()),
        0 | 1 => point.double(4, double(source)),
        2 => histogram(point, source),
        3 => exponential(point, source),
        _ => summary(point, source),
    }
    if of_exemplars != 0 && source.byte() & 3 == 0 {
        point.message(of_exemplars, |message| exemplar(message, source));
    }
    if source.byte() & 7 == 0 {
        point.varint(of_flags, 1);
    }
}

fn double(source: &mut Source) -> f64 {
    if source.byte() & 1 == 0 { source.pick(&DOUBLES) } else { f64::from_bits(source.word()) }
}

fn histogram(point: &mut Message, source: &mut Source) {
    let buckets = source.below(6);
    let counts: Vec<_> = (0..buckets).map(|_| u64::from(source.byte())).collect();
    point.fixed64(4, counts.iter().sum::<u64>() + u64::from(source.byte() & 1));
    if source.byte() & 3 != 0 {
        point.double(5, double(source));
    }
    counts.iter().for_each(|count| point.fixed64(6, *count));
    (1..buckets)
        .for_each(|bound| point.double(7, f64::from(bound) + source.pick(&[0.0, 0.0, 0.0, -2.0, f64::NAN])));
}

fn exponential(point: &mut Message, source: &mut Source) {
    point.fixed64(4, u64::from(source.byte()));
    if source.byte() & 3 != 0 {
        point.double(5, double(source));
    }
    point.sint32(6, i32::from(source.byte().cast_signed()) / 8);
    point.fixed64(7, u64::from(source.byte()));
    for side in [8, 9] {
        if source.byte() & 1 == 0 {
            continue;
        }
        point.message(side, |buckets| {
            let far = source.pick(&[1, 1, 1, 1_000, i32::MAX / 128]);
            buckets.sint32(1, i32::from(source.byte().cast_signed()).wrapping_mul(far));
            for _ in 0..source.below(10) {
                let count = source.byte();
                buckets.varint(2, if count == 255 { source.word() } else { u64::from(count / 16) });
            }
        });
    }
    point.double(14, source.pick(&[0.0, 1e-10, 0.5, f64::NAN]));
}

fn summary(point: &mut Message, source: &mut Source) {
    point.fixed64(4, u64::from(source.byte()));
    point.double(5, double(source));
    for _ in 0..source.below(4) {
        point.message(6, |at| {
            at.double(1, source.pick(&[0.0, 0.5, 0.99, 1.0, f64::NAN]));
            at.double(2, double(source));
        });
    }
}

fn exemplar(exemplar: &mut Message, source: &mut Source) {
    exemplar.fixed64(2, NOW);
    exemplar.double(3, double(source));
    exemplar.bytes(4, &[7; 8][..usize::from(source.below(9))]);
    exemplar.bytes(5, &[9; 16][..usize::from(source.below(17))]);
    attributes(exemplar, 7, source);
}

fn attributes(message: &mut Message, number: u32, source: &mut Source) {
    for _ in 0..source.below(4) {
        message.message(number, |attribute| {
            attribute.text(1, source.pick(&KEYS));
            attribute.message(2, |value| any_value(value, source, 0));
        });
    }
}

fn any_value(value: &mut Message, source: &mut Source, depth: u8) {
    match source.byte() % 16 {
        0 => {}
        1 => value.varint(2, u64::from(source.byte() & 1)),
        2 => value.varint(3, source.word()),
        3 => value.double(4, double(source)),
        4 if depth < 40 => {
            value.message(5, |array| array.message(1, |item| any_value(item, source, depth + 1)))
        }
        5 if depth < 40 => value.message(6, |map| {
            map.message(1, |entry| {
                entry.text(1, source.pick(&KEYS));
                entry.message(2, |item| any_value(item, source, depth + 1));
            });
        }),
        6 => value.bytes(7, &source.word().to_le_bytes()),
        7 => value.bytes(1, &source.word().to_le_bytes()),
        _ => value.text(
            1,
            source.pick(&[
                "",
                "v",
                "w",
                "GET",
                "line\nfeed \"quoted\" \\",
                "🦀",
                "/a/rather/long/path/to/something",
            ]),
        ),
    }
}

/// A protobuf message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn raw_varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn varint(&mut self, number: u32, value: u64) {
        self.raw_varint(u64::from(number << 3));
        self.raw_varint(value);
    }

    fn sint32(&mut self, number: u32, value: i32) {
        self.varint(number, u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()));
    }

    fn fixed64(&mut self, number: u32, value: u64) {
        self.raw_varint(u64::from(number << 3 | 1));
        self.0.extend(value.to_le_bytes());
    }

    fn double(&mut self, number: u32, value: f64) {
        self.fixed64(number, value.to_bits());
    }

    fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.raw_varint(u64::from(number << 3 | 2));
        self.raw_varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, number: u32, text: &str) {
        self.bytes(number, text.as_bytes());
    }

    fn message(&mut self, number: u32, write: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        write(&mut inner);
        self.bytes(number, &inner.0);
    }
}
