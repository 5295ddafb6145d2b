//! What the processors of a pipeline are to do.

use std::time::Duration;

/// The processors of the pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Processors {
    /// `memory_limiter`.
    pub memory_limiter: Option<MemoryLimiter>,
    /// `batch`.
    pub batch: Option<Batching>,
    /// The actions of all that are named `resource`, in their order.
    pub resource: Vec<AttributeAction>,
}

/// How long delivery waits for more, so that requests are fuller (`processors.batch`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// For no longer than this.
    pub timeout: Duration,
    /// Once as many points wait, it waits no longer.
    pub points: u64,
}

/// From which use of memory on payloads are refused (`processors.memory_limiter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimiter {
    /// How often the memory is looked at.
    pub check_interval: Duration,
    /// What the process may use.
    pub limit: MemoryLimit,
    /// How much less it may use before payloads are refused, in the unit of the limit.
    pub margin: MemoryLimit,
}

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// In bytes.
    Bytes(u64),
    /// Of what the process could use, in percent.
    Percentage(u64),
}

impl MemoryLimit {
    /// In bytes, where the process could use `total` bytes.
    #[must_use]
    pub fn of(self, total: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percentage(part) => total / 100 * part,
        }
    }
}

/// A change of the attributes of a resource (`processors.resource.attributes`).
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeAction {
    /// Which attributes.
    pub keys: AttributeKeys,
    /// What becomes of them.
    pub change: Change,
}

/// Which attributes an action concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeKeys {
    /// The one of this name.
    One(String),
    /// Those whose names match this regular expression.
    Matching(String),
}

/// What becomes of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It gets a value.
    Set {
        /// If it is not there.
        inserts: bool,
        /// If it is there.
        updates: bool,
        /// The value.
        value: AttributeValue,
    },
    /// It is taken out.
    Delete,
    /// Its value is replaced by the SHA-256 of it.
    Hash,
    /// What the named groups of this regular expression match becomes attributes of their names.
    Extract(String),
    /// Its value becomes one of this type.
    Convert(AttributeType),
}

/// What an attribute is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// A text.
    String(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// True or false.
    Bool(bool),
    /// The value of another attribute.
    Of {
        /// Its name.
        attribute: String,
        /// The value if there is no such attribute.
        default: Option<Box<AttributeValue>>,
    },
}

/// A type of attribute values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// Whole numbers.
    Int,
    /// Numbers.
    Double,
    /// Texts.
    String,
    /// True or false.
    Bool,
}
