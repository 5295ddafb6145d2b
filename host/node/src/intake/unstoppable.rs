//! Work that is finished even if nobody waits for it any more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// A future that runs where it is awaited. What is left of it when it is dropped becomes a task of its own. A task from
/// the start would cost each payload a hop to another thread.
pub struct Unstoppable<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send + 'static> Unstoppable<T> {
    /// Nothing is done before the first poll.
    pub fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Unstoppable(Some(Box::pin(work)))
    }
}

impl<T: Send + 'static> Future for Unstoppable<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Nobody polls what has ended.
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Unstoppable<T> {
    fn drop(&mut self) {
        // Without a runtime the process ends, and its work with it.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Unstoppable;
    use std::time::Duration;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_is_left_is_finished_without_the_caller() {
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let (finished, has_finished) = oneshot::channel();
        let work = Unstoppable::new(async move {
            let _gone_on = may_go_on.await;
            let _told = finished.send(7);
        });
        let waited = tokio::time::timeout(Duration::from_millis(1), work).await;
        assert!(waited.is_err());
        let _went_on = go_on.send(());
        assert_eq!(has_finished.await, Ok(7));
        assert_eq!(Unstoppable::new(async { 1 }).await, 1);
    }
}
