//! A process of a machine. It can die, and its machine can be disturbed, at each of its steps.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Machine;

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The process dies.
    Death,
    /// The machine stops for a time.
    Pause(Duration),
    /// The machine cannot reach the object store for a time.
    StoreCut(Duration),
    /// The machine cannot reach the API for a time.
    ApiCut(Duration),
}

/// A process.
#[derive(Debug)]
pub struct Life {
    machine: Arc<Machine>,
    began: Instant,
    troubles: BTreeMap<u64, Trouble>,
    steps: AtomicU64,
    is_dead: AtomicBool,
    died: Notify,
}

impl Life {
    /// Returns a process with troubles by the number of the step, from 0.
    pub fn new(
        machine: Arc<Machine>,
        troubles: impl IntoIterator<Item = (u64, Trouble)>,
    ) -> Arc<Self> {
        Arc::new(Self {
            machine,
            began: Instant::now(),
            troubles: troubles.into_iter().collect(),
            steps: AtomicU64::new(0),
            is_dead: AtomicBool::new(false),
            died: Notify::new(),
        })
    }

    /// Returns the machine.
    pub fn machine(&self) -> &Arc<Machine> {
        &self.machine
    }

    /// Returns how many steps it took.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    /// Returns whether it died, or was paused or cut off from the store.
    pub fn was_troubled(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst) || self.machine.was_troubled_after(self.began)
    }

    /// Takes a step. Never returns to a dead process, and to a paused one only after the pause.
    pub async fn step(&self) {
        self.step_before_send().await;
        self.machine.until_running().await;
    }

    /// Takes a step right before a send, like [`step`](Self::step), but a pause begins after the send.
    pub async fn step_before_send(&self) {
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        match self.troubles.get(&step) {
            Some(Trouble::Death) => {
                self.is_dead.store(true, Ordering::SeqCst);
                self.died.notify_one();
            }
            Some(Trouble::Pause(time)) => self.machine.pause(*time),
            Some(Trouble::StoreCut(time)) => self.machine.cut_store(*time),
            Some(Trouble::ApiCut(time)) => self.machine.cut_api(*time),
            None => {}
        }
        if self.is_dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    /// Runs the program of the process. Returns `None` if the process dies.
    pub async fn run<T>(&self, body: impl Future<Output = T>) -> Option<T> {
        let mortal = async {
            tokio::select! {
                biased;
                () = self.died.notified() => None,
                ended = body => Some(ended),
            }
        };
        Program {
            machine: Arc::clone(&self.machine),
            body: Box::pin(mortal),
            timer: None,
        }
        .await
    }
}

/// A program of a machine: nothing of it continues during a pause.
struct Program<F> {
    machine: Arc<Machine>,
    body: Pin<Box<F>>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<F: Future> Future for Program<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if let Some(until) = self.machine.paused_until() {
            let mut timer = Box::pin(sleep_until(until));
            let _ = timer.as_mut().poll(context);
            self.timer = Some(timer);
            return Poll::Pending;
        }
        self.body.as_mut().poll(context)
    }
}
