//! Walks protobuf messages in place: fields come as borrowed slices, nothing is copied.
//! (Protocol Buffers, "Encoding".)

/// A message that is not well formed, or a known field of an unexpected wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub what: &'static str,
    /// The address of the byte where it was seen; [`Malformed::offset_in`] makes it an offset.
    address: usize,
}

impl Malformed {
    /// Something wrong that begins at `place`.
    #[cold]
    pub fn at(what: &'static str, place: &[u8]) -> Malformed {
        Malformed { what, address: place.as_ptr().addr() }
    }

    /// Where in `payload` it was seen, in bytes from its start.
    pub fn offset_in(&self, payload: &[u8]) -> usize {
        self.address.saturating_sub(payload.as_ptr().addr()).min(payload.len())
    }
}

/// The value of a field, by wire type.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Field number.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
    /// The address where it stands, for [`Malformed`].
    address: usize,
}

impl<'a> Field<'a> {
    /// The value as text, bytes, message or packed numbers.
    #[inline]
    pub fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.unexpected()),
        }
    }

    /// The value as an integer, an enum or a boolean.
    #[inline]
    pub fn varint(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Varint(number) => Ok(number),
            _ => Err(self.unexpected()),
        }
    }

    /// The value as eight bytes, little-endian.
    #[inline]
    pub fn fixed64(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Fixed64(number) => Ok(number),
            _ => Err(self.unexpected()),
        }
    }

    /// The value as a double.
    #[inline]
    pub fn double(&self) -> Result<f64, Malformed> {
        self.fixed64().map(f64::from_bits)
    }

    /// Appends a repeated `fixed64` or `double`, packed or not.
    pub fn repeated_fixed64(&self, numbers: &mut Vec<u64>) -> Result<(), Malformed> {
        match self.value {
            Value::Fixed64(number) => numbers.push(number),
            Value::Bytes(packed) => {
                let (words, rest) = packed.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(Malformed::at("packed numbers with a cut end", rest));
                }
                numbers.extend(words.iter().map(|word| u64::from_le_bytes(*word)));
            }
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    /// Appends a repeated varint, packed or not.
    pub fn repeated_varint(&self, numbers: &mut Vec<u64>) -> Result<(), Malformed> {
        match self.value {
            Value::Varint(number) => numbers.push(number),
            Value::Bytes(packed) => read_packed(packed, numbers)?,
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    /// The value as a zigzag-encoded integer (`sint32`).
    pub fn zigzag(&self) -> Result<i32, Malformed> {
        let number = self.varint()? as u32;
        Ok(unzigzag(number.into()) as i32)
    }

    #[cold]
    fn unexpected(&self) -> Malformed {
        Malformed { what: "a field of an unexpected wire type", address: self.address }
    }
}

/// Appends packed varints. Which of them take one byte and which two is hard to foretell, so that no
/// branch depends on it.
fn read_packed(packed: &[u8], numbers: &mut Vec<u64>) -> Result<(), Malformed> {
    let mut packed = Fields::of(packed);
    while let Some(eight) = packed.rest.first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let goes_on = word & 0x8080_8080_8080_8080;
        // Eight bytes hold four numbers, unless one of these is longer than two.
        if goes_on & goes_on >> 8 != 0 {
            numbers.push(packed.long_varint()?);
            continue;
        }
        let mut four = [0; 4];
        let mut bits = 0;
        for number in &mut four {
            let pair = word >> bits;
            let is_longer = pair >> 7 & 1;
            *number = pair & 0x7f | ((pair >> 1 & 0x3f80) * is_longer);
            bits += 8 + 8 * is_longer;
        }
        numbers.extend_from_slice(&four);
        packed.rest = &packed.rest[bits as usize / 8..];
    }
    while !packed.rest.is_empty() {
        numbers.push(packed.varint()?);
    }
    Ok(())
}

/// Encodes a number so that small ones of either sign become small ones without a sign (`sint32`,
/// `sint64`).
#[inline]
pub fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// Decodes what [`zigzag`] encodes.
#[inline]
pub fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// The fields of one message, in the order they stand.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Starts at the beginning of a message.
    #[inline]
    pub fn of(message: &'a [u8]) -> Fields<'a> {
        Fields { rest: message }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field, or `None` at the end. Groups are skipped.
    #[inline(always)]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        while !self.rest.is_empty() {
            let place = self.rest;
            let (number, wire_type) = self.tag()?;
            let value = match wire_type {
                0 => Value::Varint(self.varint()?),
                1 => Value::Fixed64(u64::from_le_bytes(*self.array()?)),
                2 => Value::Bytes(self.length_delimited()?),
                5 => Value::Fixed32(u32::from_le_bytes(*self.array()?)),
                3 => {
                    self.skip_group(place)?;
                    continue;
                }
                _ => return Err(Malformed::at("an unknown wire type", place)),
            };
            return Ok(Some(Field { number, value, address: place.as_ptr().addr() }));
        }
        Ok(None)
    }

    /// The same for readers off the hot path, which share one copy of the code.
    #[inline(never)]
    pub fn next_shared(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        self.next_field()
    }

    #[inline(always)]
    fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let place = self.rest;
        let tag = self.varint()?;
        let number = (tag >> 3) as u32;
        if number == 0 || tag > u64::from(u32::MAX) {
            return Err(Malformed::at("a field number out of range", place));
        }
        Ok((number, (tag & 7) as u8))
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match self.rest {
            [first @ ..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*first))
            }
            [first, second @ ..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(first & 0x7f) | u64::from(*second) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(number);
            }
        }
        Err(Malformed::at("a number that does not end", self.rest))
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let Some((array, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(Malformed::at("a number with a cut end", self.rest));
        };
        self.rest = rest;
        Ok(array)
    }

    #[inline(always)]
    fn length_delimited(&mut self) -> Result<&'a [u8], Malformed> {
        let place = self.rest;
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let Some((bytes, rest)) = self.rest.split_at_checked(length) else {
            return Err(Malformed::at("a field longer than what holds it", place));
        };
        self.rest = rest;
        Ok(bytes)
    }

    /// Skips to the end of a group just begun. Groups nest, but the loop does not recurse.
    fn skip_group(&mut self, place: &[u8]) -> Result<(), Malformed> {
        let mut depth = 1usize;
        while depth > 0 {
            if self.rest.is_empty() {
                return Err(Malformed::at("a group that does not end", place));
            }
            match self.tag()?.1 {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => drop(self.length_delimited()?),
                5 => drop(self.array::<4>()?),
                3 => depth += 1,
                4 => depth -= 1,
                _ => return Err(Malformed::at("an unknown wire type", place)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(message: &[u8]) -> Result<Vec<u32>, &'static str> {
        let mut fields = Fields::of(message);
        let mut numbers = Vec::new();
        while let Some(field) = fields.next_field().map_err(|m| m.what)? {
            numbers.push(field.number);
        }
        Ok(numbers)
    }

    #[test]
    fn reads_every_wire_type_and_skips_groups() {
        let message = [
            0x08, 0x96, 0x01, // 1: varint 150
            0x11, 1, 0, 0, 0, 0, 0, 0, 0, // 2: fixed64
            0x1b, 0x08, 0x01, 0x23, 0x24, 0x1c, // 3: group with a varint and a nested group
            0x22, 2, b'h', b'i', // 4: bytes
            0x2d, 1, 0, 0, 0, // 5: fixed32
        ];
        assert_eq!(numbers(&message).unwrap(), [1, 2, 4, 5]);
        let first = Fields::of(&message).next_field().unwrap().unwrap();
        assert_eq!(first.varint().unwrap(), 150);
        assert!(first.bytes().is_err());
    }

    #[test]
    fn small_numbers_of_either_sign_become_small_ones() {
        for (number, encoded) in [(0, 0), (-1, 1), (1, 2), (i64::MAX, u64::MAX - 1), (i64::MIN, u64::MAX)] {
            assert_eq!((zigzag(number), unzigzag(encoded)), (encoded, number));
        }
        let message = [0x08, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x10, 0xfe, 0xff, 0xff, 0xff, 0x0f];
        let mut fields = Fields::of(&message);
        for expected in [i32::MIN, i32::MAX] {
            assert_eq!(fields.next_field().unwrap().unwrap().zigzag().unwrap(), expected);
        }
    }

    #[test]
    fn says_what_is_cut_and_where() {
        for (message, what) in [
            (&[0x0a, 5, 1][..], "a field longer than what holds it"),
            (&[0x09, 1], "a number with a cut end"),
            (&[0x08, 0x80], "a number that does not end"),
            (
                &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                "a number that does not end",
            ),
            (&[0x00], "a field number out of range"),
            (&[0x0f], "an unknown wire type"),
            (&[0x0b, 0x08, 1], "a group that does not end"),
        ] {
            assert_eq!(numbers(message).unwrap_err(), what, "{message:x?}");
        }
        let message = [0x08, 1, 0x12, 9];
        let mut fields = Fields::of(&message);
        fields.next_field().unwrap();
        assert_eq!(fields.next_field().unwrap_err().offset_in(&message), 3);
    }

    #[test]
    fn packed_varints_of_every_size_side_by_side() {
        let sizes: [&[u8]; 5] = [&[5], &[0x80, 1], &[0xff, 0x7f], &[0x80, 0x80, 1], &[0xff; 9]];
        let values = [5, 128, 0x3fff, 0x4000, u64::MAX >> 1 | 1 << 63];
        for seed in 0..5usize.pow(6) {
            let picks = (0..6).map(|place| seed / 5usize.pow(place) % 5).collect::<Vec<_>>();
            let encode = |pick: &usize| [sizes[*pick], if *pick == 4 { &[1] } else { &[] }].concat();
            let packed = picks.iter().flat_map(encode).collect::<Vec<_>>();
            let mut numbers = Vec::new();
            read_packed(&packed, &mut numbers).unwrap();
            let expected = picks.iter().map(|pick| values[*pick]).collect::<Vec<_>>();
            assert_eq!(numbers, expected, "{packed:x?}");
            if packed.last() == Some(&1) {
                let cut = &packed[..packed.len() - 1];
                let result = read_packed(cut, &mut Vec::new());
                assert_eq!(result.is_err(), cut.last().is_some_and(|byte| *byte >= 0x80), "{cut:x?}");
            }
        }
    }

    #[test]
    fn takes_packed_and_single_numbers() {
        let mut numbers = Vec::new();
        let message = [0x0a, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0x09, 2, 0, 0, 0, 0, 0, 0, 0, 0x0a, 1, 0];
        let mut fields = Fields::of(&message);
        for _ in 0..2 {
            fields.next_field().unwrap().unwrap().repeated_fixed64(&mut numbers).unwrap();
        }
        assert_eq!(numbers, [1, 2]);
        assert!(fields.next_field().unwrap().unwrap().repeated_fixed64(&mut numbers).is_err());
    }
}
