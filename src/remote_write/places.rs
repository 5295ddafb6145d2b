//! Where in the labels of a shape, encoded with gaps for the values that differ, those belong that
//! each series has of its own.

use crate::translate::labels::PointLabels;

/// A place between labels: how many encoded bytes and how many gaps stand before it.
#[derive(Clone, Copy, Default)]
pub struct LabelOffset {
    pub bytes: usize,
    pub gaps: usize,
}

/// The places of the metric name and of the extra label.
#[derive(Clone, Copy, Default)]
pub struct LabelOffsets {
    pub name: LabelOffset,
    pub extra: LabelOffset,
}

impl LabelOffsets {
    /// Says what was encoded before the label of this index.
    pub fn mark(&mut self, index: usize, here: LabelOffset, labels: &PointLabels) {
        if index == labels.name_at() {
            self.name = here;
        }
        if index == labels.extra_at() {
            self.extra = here;
        }
    }
}
