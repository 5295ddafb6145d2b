//! What is done with payloads between receiver and component: the Collector's processors. The one named `batch` acts
//! where batches wait (`crate::delivery`).

mod memory;
mod resource;

use crate::memory_budget::Full;
use bytes::Bytes;
use memory::Limiter;
use preamp_config::Processors as Settings;
use preamp_contract::Encoding;
use preamp_queue::Queue;
use resource::{ATTRIBUTES_MAX, Actions, Output, Problem};

/// The processors of a pipeline.
#[derive(Default)]
pub struct Processors {
    limiter: Option<Limiter>,
    resource: Option<Actions>,
}

impl Processors {
    /// Starts them. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(settings: &Settings) -> Self {
        Processors {
            limiter: settings.memory_limiter.as_ref().map(Limiter::start),
            resource: (!settings.resource.is_empty()).then(|| Actions::new(&settings.resource)),
        }
    }

    /// Whether there is memory for a payload, while as much waits as the queue says.
    ///
    /// # Errors
    ///
    /// Why it has to come again later.
    pub fn allow(&self, queue: &dyn Queue) -> Result<(), String> {
        self.limiter.as_ref().map_or(Ok(()), |limiter| limiter.allow(queue))
    }

    /// What is to be translated in place of a payload. One that cannot be read is left to the component to refuse.
    /// `grow` asks for room for more bytes.
    ///
    /// # Errors
    ///
    /// When it becomes too large, or there is no room for it.
    pub fn process(
        &self,
        payload: Bytes,
        encoding: Encoding,
        grow: &mut (dyn FnMut(usize) -> Result<(), Full> + Send),
    ) -> Result<Bytes, ProcessError> {
        let Some(actions) = &self.resource else { return Ok(payload) };
        match actions.rewrite(&payload, encoding, Output::new(payload.len(), grow)) {
            Ok(rewritten) => Ok(rewritten),
            Err(Problem::Unreadable) => Ok(payload),
            Err(Problem::NoRoom(full)) => Err(ProcessError::NoRoom(full)),
            Err(Problem::TooManyAttributes) => Err(ProcessError::TooManyAttributes(ATTRIBUTES_MAX)),
            Err(Problem::TooLarge(limit)) => Err(ProcessError::TooLarge(limit)),
        }
    }
}

/// Why a payload cannot be processed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no room for it at the moment.
    #[error("{0}")]
    NoRoom(Full),
    /// A resource has more attributes than this.
    #[error(
        "a resource has more than {0} attributes, and the processor resource changes no more: set fewer attributes"
    )]
    TooManyAttributes(usize),
    /// It becomes larger than this many bytes.
    #[error(
        "the attributes that the processor resource sets make the payload larger than {0} bytes: send fewer resources in \
         one request"
    )]
    TooLarge(usize),
}
