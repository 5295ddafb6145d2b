//! The resource `passage`.

use super::{Shared, wit};
use crate::passage::{KeyRequest, Outcome, Step};
use std::cell::RefCell;
use std::rc::Rc;
use wit::GuestPassage;

/// A passage, and what it shares with others of its exporter.
pub(super) struct Passage {
    shared: Rc<Shared>,
    passage: RefCell<crate::passage::Passage>,
}

impl Passage {
    pub(super) fn new(shared: Rc<Shared>, passage: crate::passage::Passage) -> Self {
        Passage { shared, passage: RefCell::new(passage) }
    }
}

impl GuestPassage for Passage {
    fn next(&self, now: wit::Instant) -> wit::Step {
        let Shared { exporter, route } = &*self.shared;
        self.passage.borrow_mut().next(&mut exporter.borrow_mut(), &mut route.borrow_mut(), now).into()
    }

    fn give_key(&self, key: Option<wit::SigningKey>, now: wit::Instant) {
        self.passage.borrow_mut().give_key(&mut self.shared.route.borrow_mut(), key.map(Into::into), now);
    }

    fn answered(&self, response: wit::Response, now: wit::Instant) {
        let Shared { exporter, route } = &*self.shared;
        self.passage.borrow_mut().answered(
            &mut exporter.borrow_mut(),
            &mut route.borrow_mut(),
            &response.into(),
            now,
        );
    }

    fn give_up(&self) -> wit::Outcome {
        self.passage.borrow_mut().give_up().into()
    }
}

impl From<Step> for wit::Step {
    fn from(step: Step) -> Self {
        match step {
            Step::Send { request, batch } => {
                let body = batch.map(|batch| batch.body.clone()).unwrap_or_default();
                wit::Step::Send(wit::Outgoing { head: request.into(), body })
            }
            Step::Key(KeyRequest { date, region, service, is_refused }) => {
                wit::Step::Key(wit::KeyRequest { date, region, service, is_refused })
            }
            Step::Wait(pause) => wit::Step::Wait(pause),
            Step::Done(outcome) => wit::Step::Done(outcome.into()),
        }
    }
}

impl From<Outcome> for wit::Outcome {
    fn from(outcome: Outcome) -> Self {
        wit::Outcome {
            status: outcome.status,
            headers: outcome.headers.into_iter().map(wit::Header::from).collect(),
            body: outcome.body,
            delivered: outcome.delivered,
            partly_rejected: outcome.partly_rejected,
            rejected: outcome.rejected,
            unsettled: outcome.unsettled,
            explanations: outcome.explanations.into_iter().map(wit::Explanation::from).collect(),
        }
    }
}
