//! A network that loses requests, answers and time.

use super::fate::{Fate, TIMEOUT, fate};
use super::lock;
use super::world::World;
use bytes::Bytes;
use preamp_contract::{Header, Request, Response};
use preamp_host::delivery::{Exchange, Transport};
use preamp_queue::Pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// The way from one process to the receiver.
pub struct Network {
    pub world: Arc<World>,
    /// Whether the process is dead already, and only does not know it.
    pub is_dead: Arc<AtomicBool>,
}

impl Network {
    fn answer(&self, status: u16, text: impl Into<Vec<u8>>) -> Exchange {
        let headers =
            vec![Header { name: "date".to_owned(), value: self.world.http_date_at(self.world.age()) }];
        Exchange::answered(Response { status, headers, body: text.into() })
    }

    /// Has a request arrive after a while, whoever still waits for it.
    fn deliver(&self, body: Bytes, after: Duration) -> oneshot::Receiver<(u16, String)> {
        let (reply, answer) = oneshot::channel();
        let world = self.world.clone();
        tokio::spawn(async move {
            sleep(after).await;
            let answer = lock(&world.receiver).write(&body);
            let _nobody_waits = reply.send(answer);
        });
        answer
    }

    async fn exchange(&self, body: Bytes) -> Exchange {
        let (fate, trip) = fate(&self.world);
        match fate {
            Fate::IsLost => {}
            Fate::IsLate => drop(self.deliver(body, TIMEOUT + trip * 10)),
            Fate::AnswerIsLost => drop(self.deliver(body, trip)),
            Fate::BreaksOffAfterwards => {
                let _answer = self.deliver(body, trip).await;
                return Exchange::unanswered("connection reset");
            }
            Fate::IsRefused => {
                sleep(trip).await;
                return Exchange::not_sent("connection refused");
            }
            Fate::Unavailable => {
                sleep(trip).await;
                return self.answer(503, "");
            }
            Fate::RateExceeded => {
                sleep(trip).await;
                return self.answer(429, r#"{"message":"Rate exceeded"}"#);
            }
            Fate::Arrives => {
                if let Ok((status, text)) = self.deliver(body, trip).await {
                    sleep(trip).await;
                    return self.answer(status, text);
                }
            }
        }
        std::future::pending().await
    }
}

impl Transport for Network {
    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn send(&self, _head: Request, body: Bytes) -> Pending<'_, Exchange> {
        Box::pin(async move {
            if self.is_dead.load(Ordering::Relaxed) {
                return std::future::pending().await;
            }
            let answered = timeout(TIMEOUT, self.exchange(body)).await;
            answered.unwrap_or_else(|_elapsed| Exchange::unanswered("no answer"))
        })
    }
}
