//! Who writes: a thread of the runtime's pool for blocking work while there is something to write, and none otherwise. So
//! the queues of many exporters cost no thread each.

use super::committer::{Committer, Request, next_group};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Requests to a committer, which serves them in their order.
pub(super) struct Writer(Arc<Mailbox>);

struct Mailbox(Mutex<State>);

struct State {
    requests: VecDeque<Request>,
    committer: Option<Box<Committer>>,
    /// Whether it was told to end, or broke down. Requests are dropped then, which their senders notice.
    is_ended: bool,
}

impl Writer {
    pub fn new(committer: Committer) -> Self {
        let state =
            State { requests: VecDeque::new(), committer: Some(Box::new(committer)), is_ended: false };
        Writer(Arc::new(Mailbox(Mutex::new(state))))
    }

    /// Has a request served. Must be called inside a tokio runtime.
    pub fn ask(&self, request: Request) {
        let mut state = self.0.state();
        if state.is_ended {
            return;
        }
        state.requests.push_back(request);
        let idle = state.committer.take();
        drop(state);
        if let Some(committer) = idle {
            let serving =
                Serving { mailbox: Arc::clone(&self.0), committer: Some(committer), is_put_back: false };
            tokio::task::spawn_blocking(move || serving.serve());
        }
    }
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, State> {
        // Requests are only pushed and popped, so the state is whole even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A committer at work. It is put back when nothing is left to do, unless it was told to end or broke down.
struct Serving {
    mailbox: Arc<Mailbox>,
    committer: Option<Box<Committer>>,
    is_put_back: bool,
}

impl Serving {
    fn serve(mut self) {
        while let Some(group) = self.next_group() {
            let Some(committer) = &mut self.committer else { return };
            if let ControlFlow::Break(ended) = committer.commit(group) {
                self.committer = None;
                ended.tell();
                return;
            }
        }
    }

    /// What is to be written next. If that is nothing the committer is put back in the same moment, so that whoever asks
    /// next finds it.
    fn next_group(&mut self) -> Option<Vec<Request>> {
        let mut state = self.mailbox.state();
        if state.requests.is_empty() {
            state.committer = self.committer.take();
            self.is_put_back = true;
            return None;
        }
        Some(next_group(&mut state.requests))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.is_put_back {
            return;
        }
        let mut state = self.mailbox.state();
        state.is_ended = true;
        state.requests.clear();
    }
}
