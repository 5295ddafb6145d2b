//! The core as a filter of Envoy: takes OTLP/HTTP, has the core decide what to do, and has Envoy do it.
//!
//! ```text
//!  sender ──▶ Request ──▶ Gateway ──▶ Passage      one for each payload, as many at a time as there are
//!                ▲           │  ▲
//!   local reply ─┘           ▼  └─ answer, or a tick of the clock
//!                     a cluster of Envoy, which signs
//! ```
//!
//! Each worker thread of Envoy has an instance of its own, and they share nothing.

mod configuration;
mod gateway;
mod metrics;
mod request;
mod teller;

use gateway::Gateway;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use request::Request;
use std::rc::Rc;

// Exports the function that Envoy calls first.
#[allow(unsafe_code)]
mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::<super::Plugin>::default());
    }}
}

/// The filter as it stands in a configuration of Envoy; its requests are [`Request`]s.
#[derive(Default)]
struct Plugin {
    /// `None` until it is configured.
    gateway: Option<Rc<Gateway>>,
}

impl RootContext for Plugin {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = self.get_plugin_configuration().unwrap_or_default();
        match configuration::read(&text).and_then(Gateway::open) {
            Ok(gateway) => {
                self.gateway = Some(Rc::new(gateway));
                true
            }
            Err(problems) => {
                for problem in problems {
                    teller::error(&format!("preamp: the configuration of this filter: {problem}"));
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(gateway) = &self.gateway {
            gateway.tick();
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request::new(id, self.gateway.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Plugin {
    // The answer to what was sent at a tick.
    fn on_http_call_response(&mut self, call: u32, fields: usize, body_bytes: usize, _trailers: usize) {
        if let Some(gateway) = &self.gateway {
            gateway.answered(call, fields, body_bytes);
        }
    }
}
