//! A store that many share: a thread has it, and commits together what waits.
//!
//! While one commit is on its way to the disk, the next changes gather. So the number of changes in a second is not bounded by
//! the number of times that the disk can be flushed.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::store::{Job, Outcome, Store};
use crate::transaction::Transaction;

/// Changes that may wait. Whoever comes then has to wait to be taken.
const MAX_WAITING: usize = 1024;
/// Changes in one commit at most.
const MAX_TOGETHER: usize = 128;

/// A handle on a store that its own thread works on. Copies are of the same store; the thread ends with the last one.
#[derive(Clone)]
pub struct SharedStore(SyncSender<Box<dyn Waiting>>);

/// A change that waits, with whoever waits for it.
trait Waiting: Send {
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Outcome;
    /// After the commit.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
    /// Whether it is work on the store itself.
    fn is_alone(&self) -> bool {
        false
    }
    /// That work.
    fn alone(&mut self, _: &mut Store) {}
}

struct Change<T, E, F> {
    change: F,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

struct Alone<T, F> {
    work: F,
    result: Option<T>,
    reply: oneshot::Sender<T>,
}

impl SharedStore {
    /// Gives the store to a thread.
    ///
    /// # Errors
    /// When the system has none.
    pub fn start(store: Store) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let thread = thread::Builder::new().name("store".to_owned());
        thread.spawn(move || work(store, &receiver))?;
        Ok(Self(sender))
    }

    /// Makes a change, as [`Store::update`]. It is on the disk when this returns.
    ///
    /// # Errors
    /// With the change's own, or when it could not be committed.
    pub async fn update<T, E>(
        &self,
        change: impl FnMut(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(Change {
            change,
            result: None,
            reply,
        }))
        .await?;
        answer.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    /// Works on the store itself, between changes.
    ///
    /// # Errors
    /// When its thread has ended.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Store) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Box::new(Alone {
            work,
            result: None,
            reply,
        }))
        .await?;
        answer.await.map_err(|_| stopped())
    }

    async fn send(&self, waiting: Box<dyn Waiting>) -> Result<(), StoreError> {
        use std::sync::mpsc::TrySendError;
        let waiting = match self.0.try_send(waiting) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(_)) => return Err(stopped()),
            Err(TrySendError::Full(waiting)) => waiting,
        };
        let sender = self.0.clone();
        let sent = tokio::task::spawn_blocking(move || sender.send(waiting).is_ok()).await;
        sent.is_ok_and(|sent| sent).then_some(()).ok_or_else(stopped)
    }
}

fn stopped() -> StoreError {
    StoreError::Closed("its thread has ended".to_owned())
}

fn work(mut store: Store, receiver: &Receiver<Box<dyn Waiting>>) {
    while let Ok(first) = receiver.recv() {
        let mut together = vec![first];
        let more = receiver.try_iter().take(MAX_TOGETHER.saturating_sub(1));
        together.extend(more);
        let mut changes: Vec<Box<dyn Waiting>> = Vec::new();
        for mut waiting in together {
            // It sees the changes before it, so those are committed first.
            if waiting.is_alone() {
                commit(&mut store, std::mem::take(&mut changes));
                waiting.alone(&mut store);
                waiting.finish(Ok(()));
            } else {
                changes.push(waiting);
            }
        }
        commit(&mut store, changes);
    }
}

fn commit(store: &mut Store, mut changes: Vec<Box<dyn Waiting>>) {
    if changes.is_empty() {
        return;
    }
    let mut runs: Vec<_> = changes
        .iter_mut()
        .map(|waiting| move |transaction: &mut Transaction<'_>| waiting.run(transaction))
        .collect();
    let mut jobs: Vec<&mut Job<'_>> = runs.iter_mut().map(|run| run as &mut Job<'_>).collect();
    let committed = store.update_all(&mut jobs);
    drop(runs);
    for waiting in changes {
        waiting.finish(committed.clone());
    }
}

impl<T, E, F> Waiting for Change<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnMut(&mut Transaction<'_>) -> Result<T, E> + Send,
{
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Outcome {
        let result = (self.change)(transaction);
        let outcome = if result.is_ok() {
            Outcome::Commit
        } else {
            Outcome::Discard
        };
        self.result = Some(result);
        outcome
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Err(error), _) => Err(error.into()),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(stopped().into()),
        };
        // Nobody waits any more when the request was cut off.
        let _ = self.reply.send(result);
    }
}

impl<T: Send, F: FnMut(&mut Store) -> T + Send> Waiting for Alone<T, F> {
    fn run(&mut self, _: &mut Transaction<'_>) -> Outcome {
        Outcome::Discard
    }

    fn finish(self: Box<Self>, _: Result<(), StoreError>) {
        if let Some(result) = self.result {
            let _ = self.reply.send(result);
        }
    }

    fn is_alone(&self) -> bool {
        true
    }

    fn alone(&mut self, store: &mut Store) {
        self.result = Some((self.work)(store));
    }
}
