//! A batch as a message: a record of the same form as in the log on disk.

use crate::record::{self, FRAME, Frame, Head, Kind, Payload, is_intact};
use preamp_contract::Batch;
use prost::Message;

/// What of the format this version writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// The message of a batch that was accepted then, in milliseconds since 1970.
pub(super) fn encode(batch: &Batch, accepted_at: i64) -> Vec<u8> {
    let payload = Payload { sequence: 0, accepted_at, layout: 0, batches: vec![Head::of(batch)] };
    let mut message = Vec::with_capacity(FRAME + batch.body.len() + payload.encoded_len());
    record::write(Kind::Payload, 0, &payload, [batch.body.as_slice()], &mut message);
    message
}

/// The batch of a message, and when it was accepted; an error says why there is none.
pub(super) fn decode(message: &[u8]) -> Result<(Batch, i64), String> {
    let frame = message.first_chunk().and_then(Frame::read).ok_or("it is no record of a queue")?;
    let head_end = FRAME + frame.head_length as usize;
    let tail_end = head_end + frame.tail_length as usize;
    let (Some(head), Some(tail)) = (message.get(..head_end), message.get(head_end..tail_end)) else {
        return Err("it is cut off".to_owned());
    };
    if !is_intact(head) || crc32fast::hash(tail) != frame.tail_crc {
        return Err("it is damaged".to_owned());
    }
    let payload = Payload::decode(&head[FRAME..]).map_err(|error| error.to_string())?;
    let batch = payload.batches.into_iter().next().ok_or("it holds no batch")?;
    let batch = batch.with(tail.to_vec()).ok_or("it is written in an unknown protocol")?;
    Ok((batch, payload.accepted_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use preamp_contract::Protocol;

    fn batch() -> Batch {
        Batch {
            body: vec![7; 1000],
            digest: Some([1; 32]),
            partition: 5,
            points: 10,
            series: 9,
            samples: 8,
            histograms: 7,
            exemplars: 6,
            first: -5,
            last: 4,
            uncompressed_size: 3000,
            protocol: Protocol::RemoteWriteV2,
        }
    }

    #[test]
    fn a_batch_comes_back_from_its_message() {
        assert_eq!(decode(&encode(&batch(), 42)), Ok((batch(), 42)));
    }

    #[test]
    fn a_message_with_a_wrong_bit_or_too_short_is_no_batch() {
        let message = encode(&batch(), 42);
        for at in 0..message.len() {
            assert!(
                decode(&message[..at]).is_err() || message[at..].iter().all(|padding| *padding == 0),
                "{at}"
            );
            let mut flipped = message.clone();
            flipped[at] ^= 1;
            // The group says nothing here, and is covered all the same; padding is not.
            assert!(decode(&flipped).is_err() || at >= message.len() - 8, "{at}");
        }
    }
}
