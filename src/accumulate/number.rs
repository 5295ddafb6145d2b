//! Totals of sums.

use crate::otlp::point::Number;

impl Number {
    /// The sum of both, exact as long as both are integers and it fits 64 bits; `None` if it is
    /// beyond all doubles.
    #[inline]
    pub(super) fn plus(self, other: Number) -> Option<Number> {
        if let (Number::Int(a), Number::Int(b)) = (self, other)
            && let Some(sum) = a.checked_add(b)
        {
            return Some(Number::Int(sum));
        }
        let sum = self.as_double() + other.as_double();
        sum.is_finite().then_some(Number::Double(sum))
    }

    #[inline]
    pub(super) fn is_negative(self) -> bool {
        match self {
            Number::Int(value) => value < 0,
            Number::Double(value) => value < 0.0,
        }
    }
}

/// The sum of a histogram: unknown from the first point on that does not tell it.
#[inline]
pub(super) fn add_sums(total: Option<f64>, delta: Option<f64>) -> Option<f64> {
    known(Some(total? + delta?))
}

/// A sum that is no number tells nothing, and would spoil all later ones.
#[inline]
pub(super) fn known(sum: Option<f64>) -> Option<f64> {
    sum.filter(|sum| sum.is_finite())
}
