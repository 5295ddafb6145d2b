//! Protobuf by hand: what no library writes.

/// Appends a base-128 number.
pub fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A length-delimited field.
pub fn field(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 8);
    push(number, content, &mut out);
    out
}

/// Appends a length-delimited field.
pub fn push(number: u64, content: &[u8], out: &mut Vec<u8>) {
    varint(number << 3 | 2, out);
    varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

/// A field of eight bytes.
pub fn fixed(number: u8, value: u64) -> Vec<u8> {
    [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
}

/// A field with a number.
pub fn integer(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3, &mut out);
    varint(value, &mut out);
    out
}

/// A `KeyValue` with a text.
pub fn attribute(key: &[u8], value: &[u8]) -> Vec<u8> {
    any_attribute(key, &field(1, value))
}

/// A `KeyValue` with any `AnyValue`.
pub fn any_attribute(key: &[u8], value: &[u8]) -> Vec<u8> {
    [field(1, key), field(2, value)].concat()
}

/// A `Metric` with a name and the field that holds its points.
pub fn metric(name: &[u8], data_field: u64, data: &[u8]) -> Vec<u8> {
    [field(1, name), field(data_field, data)].concat()
}

/// A request with one resource, one scope and one metric. `resource` and `scope` are messages.
pub fn request_of(resource: &[u8], scope: &[u8], metric: &[u8]) -> Vec<u8> {
    let scope_metrics = [field(1, scope), field(2, metric)].concat();
    field(1, &[field(1, resource), field(2, &scope_metrics)].concat())
}

/// A request with one metric.
pub fn request(metric: &[u8]) -> Vec<u8> {
    request_of(b"", b"", metric)
}

/// What lies in fields, each around all that were named before it: the innermost first.
pub fn nest(innermost: &[u8], fields: impl Iterator<Item = u64>) -> Vec<u8> {
    // Built backwards, so that nothing is moved.
    let mut reversed: Vec<u8> = innermost.iter().rev().copied().collect();
    let mut head = Vec::new();
    for number in fields {
        head.clear();
        varint(number << 3 | 2, &mut head);
        varint(reversed.len() as u64, &mut head);
        reversed.extend(head.iter().rev());
    }
    reversed.reverse();
    reversed
}
