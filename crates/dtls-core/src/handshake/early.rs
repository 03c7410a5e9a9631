//! Protected records that overtook the messages that make their keys usable.

use crate::record::{Record, RecordHeader};

/// What one stored record costs beside its content: header and allocation.
const RECORD_COST: usize = 64;

/// A bounded store. What does not fit is lost, as a datagram may be.
#[derive(Default)]
pub(crate) struct EarlyRecords {
    records: Vec<(RecordHeader, Vec<u8>)>,
    cost: usize,
}

impl EarlyRecords {
    /// `false` where the limit forbids it.
    pub(crate) fn keep(&mut self, record: &Record<'_>, limit: usize) -> bool {
        let cost = self.cost + record.content.len() + RECORD_COST;
        if cost > limit {
            return false;
        }
        self.cost = cost;
        self.records.push((record.header, record.content.to_vec()));
        true
    }

    /// Everything, in the order of arrival.
    pub(crate) fn take(&mut self) -> Vec<(RecordHeader, Vec<u8>)> {
        self.cost = 0;
        std::mem::take(&mut self.records)
    }
}
