//! Protected records that arrived before the messages that make their keys.

use crate::record::RecordHeader;
use crate::record::unified::UnifiedHeader;

/// The cost of a stored record in addition to its content: header and allocation.
const RECORD_COST: usize = 64;

/// A bounded store. Records that do not fit are dropped, like lost datagrams.
#[derive(Default)]
pub(crate) struct EarlyRecords {
    records: Vec<(RecordHeader, Vec<u8>)>,
    unified: Vec<(UnifiedHeader, Vec<u8>)>,
    cost: usize,
}

impl EarlyRecords {
    /// Returns `false` if the limit forbids it.
    pub(crate) fn keep(&mut self, header: RecordHeader, content: &[u8], limit: usize) -> bool {
        let cost = self.cost + content.len() + RECORD_COST;
        if cost > limit {
            return false;
        }
        self.cost = cost;
        self.records.push((header, content.to_vec()));
        true
    }

    /// Keeps a record of DTLS 1.3 with its header.
    pub(crate) fn keep_unified(&mut self, header: UnifiedHeader, record: &[u8], limit: usize) -> bool {
        let cost = self.cost + record.len() + RECORD_COST;
        if cost > limit {
            return false;
        }
        self.cost = cost;
        self.unified.push((header, record.to_vec()));
        true
    }

    /// Returns the records of DTLS 1.2, in the order of arrival.
    pub(crate) fn take(&mut self) -> Vec<(RecordHeader, Vec<u8>)> {
        self.cost = self.unified.iter().map(|(_, record)| record.len() + RECORD_COST).sum();
        std::mem::take(&mut self.records)
    }

    /// Returns the records of DTLS 1.3, in the order of arrival.
    pub(crate) fn take_unified(&mut self) -> Vec<(UnifiedHeader, Vec<u8>)> {
        self.cost = self.records.iter().map(|(_, content)| content.len() + RECORD_COST).sum();
        std::mem::take(&mut self.unified)
    }
}
