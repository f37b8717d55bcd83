//! Machines in virtual time: each can be paused, killed, and cut off from the store.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use hookctl_core::clock::{Clock, Stamp, Writer};
use hookctl_record::shared::{
    Blob, BlobError, BlobErrorKind, BlobFuture, Blobs, MemoryBlobs, Version, Written,
};
use tokio::time::{Instant, sleep, sleep_until};

/// Numbers that look random, from a seed.
#[derive(Debug)]
pub(crate) struct Dice(Mutex<u64>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    pub(crate) fn below(&self, limit: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 16) % limit.max(1)
    }

    pub(crate) fn millis(&self, limit: u64) -> Duration {
        Duration::from_millis(self.below(limit))
    }
}

/// The clock of a machine: of another start, and of another speed.
#[derive(Debug)]
struct MachineClock {
    started: Instant,
    offset: Duration,
    /// In thousandths of the true speed.
    speed: u32,
}

impl Clock for MachineClock {
    fn now(&self) -> Stamp {
        let passed = self.started.elapsed() * self.speed / 1000 + self.offset;
        Stamp {
            at: jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::try_from(passed).unwrap(),
            uptime_ms: passed.as_millis().try_into().unwrap(),
            writer: Writer {
                host: "model".to_owned(),
                boot: Some("boot".to_owned()),
                run: String::new(),
            },
        }
    }
}

/// One machine.
#[derive(Debug)]
pub(crate) struct Machine {
    paused_until: Mutex<Instant>,
    parted_until: Mutex<Instant>,
    /// How many in a hundred operations of the store fail.
    pub(crate) faults: u64,
    pub(crate) dice: Dice,
    clock: Arc<MachineClock>,
}

impl Machine {
    pub(crate) fn new(seed: u64, faults: u64) -> Arc<Self> {
        let dice = Dice::new(seed);
        let now = Instant::now();
        Arc::new(Self {
            paused_until: Mutex::new(now),
            parted_until: Mutex::new(now),
            faults,
            clock: Arc::new(MachineClock {
                started: now,
                offset: dice.millis(100_000_000),
                speed: 970 + u32::try_from(dice.below(60)).unwrap(),
            }),
            dice,
        })
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    pub(crate) fn pause(&self, time: Duration) {
        *self.paused_until.lock().unwrap() = Instant::now() + time;
    }

    pub(crate) fn part(&self, time: Duration) {
        *self.parted_until.lock().unwrap() = Instant::now() + time;
    }

    async fn until_running(&self) {
        loop {
            let until = *self.paused_until.lock().unwrap();
            if Instant::now() >= until {
                return;
            }
            sleep_until(until).await;
        }
    }

    fn is_parted(&self) -> bool {
        Instant::now() < *self.parted_until.lock().unwrap()
    }
}

/// A program of a machine: nothing of it goes on during a pause.
pub(crate) struct Program<F> {
    pub(crate) machine: Arc<Machine>,
    pub(crate) body: Pin<Box<F>>,
    pub(crate) timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl<F: Future> Future for Program<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let until = *self.machine.paused_until.lock().unwrap();
        if Instant::now() < until {
            let mut timer = Box::pin(sleep_until(until));
            let _ = timer.as_mut().poll(context);
            self.timer = Some(timer);
            return Poll::Pending;
        }
        self.body.as_mut().poll(context)
    }
}

/// The way of a machine to the store.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) store: MemoryBlobs,
    pub(crate) machine: Arc<Machine>,
    /// Whether the store overwrites entries of the log, as it does not.
    pub(crate) overwrites: bool,
}

/// What happens to an operation.
enum Fate {
    Fine,
    /// It fails without an effect.
    Refused,
    /// It has its effect, and the response is lost.
    Lost,
    /// It has its effect after so long, and the response is lost.
    Late(Duration),
    /// The store refuses it although its condition holds.
    Competing,
}

impl Link {
    fn fate(&self) -> Fate {
        let dice = &self.machine.dice;
        if self.machine.is_parted() {
            return Fate::Refused;
        }
        if dice.below(100) >= self.machine.faults {
            return Fate::Fine;
        }
        match dice.below(4) {
            0 => Fate::Refused,
            1 => Fate::Lost,
            2 => Fate::Late(dice.millis(20_000)),
            _ => Fate::Competing,
        }
    }

    async fn write(
        self,
        name: String,
        content: Vec<u8>,
        version: Option<Version>,
    ) -> Result<Written, BlobError> {
        sleep(self.machine.dice.millis(40)).await;
        self.machine.until_running().await;
        let store = self.store.clone();
        let overwrites = self.overwrites && name.starts_with("log/");
        let act = move || {
            if overwrites {
                store.damage(&name, None);
            }
            store.write(&name, content, version.as_ref())
        };
        let result = match self.fate() {
            Fate::Fine => Ok(act()),
            Fate::Refused => Err(unavailable()),
            Fate::Competing => Ok(Written::Refused),
            Fate::Lost => {
                act();
                Err(unavailable())
            }
            Fate::Late(after) => {
                // Whatever becomes of its sender.
                tokio::spawn(async move {
                    sleep(after).await;
                    act();
                });
                Err(unavailable())
            }
        };
        sleep(self.machine.dice.millis(40)).await;
        self.machine.until_running().await;
        result
    }

    async fn until_read(&self) -> Result<(), BlobError> {
        sleep(self.machine.dice.millis(60)).await;
        self.machine.until_running().await;
        match self.fate() {
            Fate::Fine | Fate::Competing => Ok(()),
            Fate::Refused | Fate::Lost | Fate::Late(_) => Err(unavailable()),
        }
    }
}

fn unavailable() -> BlobError {
    BlobError::new(BlobErrorKind::Unavailable, "503")
}

impl Blobs for Link {
    fn create(&self, name: &str, content: Vec<u8>) -> BlobFuture<'_, Written> {
        Box::pin(self.clone().write(name.to_owned(), content, None))
    }

    fn swap(&self, name: &str, content: Vec<u8>, version: &Version) -> BlobFuture<'_, Written> {
        let version = Some(version.clone());
        Box::pin(self.clone().write(name.to_owned(), content, version))
    }

    fn read(&self, name: &str, unless: Option<&Version>) -> BlobFuture<'_, Blob> {
        let (name, unless) = (name.to_owned(), unless.cloned());
        Box::pin(async move {
            self.until_read().await?;
            self.store.read(&name, unless.as_ref()).await
        })
    }

    fn list_after(&self, folder: &str, after: &str) -> BlobFuture<'_, Vec<String>> {
        let (folder, after) = (folder.to_owned(), after.to_owned());
        Box::pin(async move {
            self.until_read().await?;
            self.store.list_after(&folder, &after).await
        })
    }
}
