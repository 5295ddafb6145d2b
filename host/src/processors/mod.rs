//! What is done with payloads between receiver and component: the Collector's processors. The one named `batch` acts
//! where batches wait (`crate::delivery`).

mod memory;
mod resource;

use crate::component::Encoding;
use crate::config::Processors as Settings;
use crate::queue::Queue;
use bytes::Bytes;
use memory::Limiter;
use resource::Actions;

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
    pub fn admit(&self, queue: &dyn Queue) -> Result<(), String> {
        self.limiter.as_ref().map_or(Ok(()), |limiter| limiter.admit(queue))
    }

    /// What is to be translated in place of a payload. One that cannot be read is left to the component to refuse.
    #[must_use]
    pub fn process(&self, payload: Bytes, encoding: Encoding) -> Bytes {
        match &self.resource {
            Some(actions) => actions.rewrite(&payload, encoding).unwrap_or(payload),
            None => payload,
        }
    }
}
