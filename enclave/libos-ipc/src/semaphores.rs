//! System V semaphores: sets of counters that change together (semget(2), semop(2), semctl(2), ipc/sem.c).
//!
//! A call that has to wait stands in its set's queue. Whoever changes the set finishes what can go on then, first come first served.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::{Errno, Mutex, Result};
use linux_abi::ipc::{SEMAEM, SEMMNI, SEMMNS, SEMMSL, SEMVMX};
use linux_abi::{IpcFlags, SemFlags};

use crate::permissions::{Ownership, Permissions, READ, WRITE};
use crate::sleeper::{Sleep, Sleeper};
use crate::table::{Object, Table, Usage};
use crate::{Caller, Named};

/// Semaphores of all sets at most, so that they take at most 16 MiB: ENOMEM beyond. Linux has memory for more (SEMMNS).
const MOST_SEMAPHORES: usize = 1 << 20;

/// `struct sembuf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Which semaphore of the set.
    pub number: u16,
    /// What to add; 0 to wait for zero.
    pub change: i16,
    /// `IPC_NOWAIT`, `SEM_UNDO`.
    pub flags: i16,
}

impl Operation {
    fn may_not_wait(self) -> bool {
        self.flags_as_bits() & IpcFlags::IPC_NOWAIT.bits() != 0
    }

    fn is_undone(self) -> bool {
        self.flags_as_bits() & SemFlags::SEM_UNDO.bits() != 0
    }

    fn flags_as_bits(self) -> u32 {
        self.flags.cast_unsigned().into()
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Semaphore {
    /// 0 to SEMVMX.
    value: i32,
    /// Who changed it last.
    pid: u32,
}

struct Pending {
    operations: Vec<Operation>,
    pid: u32,
    sleeper: Arc<Sleeper<()>>,
}

/// What the processes' ends add, by semaphore.
type Adjustments = BTreeMap<u16, i32>;

struct Set {
    permissions: Permissions,
    semaphores: Vec<Semaphore>,
    operated: i64,
    changed: i64,
    /// By process.
    undo: BTreeMap<u32, Adjustments>,
    pending: Vec<Pending>,
}

impl Object for Set {
    fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    fn permissions_mut(&mut self) -> &mut Permissions {
        &mut self.permissions
    }
}

/// What `IPC_STAT` gives of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetState {
    /// Its identifier.
    pub id: i32,
    /// Who may do what.
    pub permissions: Permissions,
    /// The last operation, seconds since 1970; 0 for none.
    pub operated: i64,
    /// The last change of the set itself.
    pub changed: i64,
    /// How many semaphores it has.
    pub len: usize,
}

/// What an attempt to do all operations of a call came to.
enum Attempt {
    Done,
    /// The operation at this place has to wait.
    Blocked(usize),
    Failed(Errno),
}

/// The values and adjustments that a call leaves, of the semaphores that it names.
#[derive(Default)]
struct Plan {
    values: BTreeMap<u16, i32>,
    adjustments: Adjustments,
}

/// All sets.
pub struct Semaphores {
    sets: Mutex<Table<Set>>,
}

impl Default for Semaphores {
    fn default() -> Self {
        Self {
            sets: Mutex::new(Table::new(SEMMNI)),
        }
    }
}

impl Semaphores {
    /// `semget`. The order of its errors is Linux's.
    pub fn open(&self, caller: Caller<'_>, key: i32, len: i32, flags: u32) -> Result<i32> {
        let len = usize::try_from(len).ok().filter(|&len| len <= SEMMSL);
        let len = len.ok_or(Errno::EINVAL)?;
        let suits = |set: &Set| match len > set.semaphores.len() {
            true => Err(Errno::EINVAL),
            false => Ok(()),
        };
        let make = |sets: &mut Table<Set>, permissions| {
            if len == 0 {
                return Err(Errno::EINVAL);
            }
            let used = used(sets);
            if used + len > SEMMNS {
                return Err(Errno::ENOSPC);
            }
            if used + len > MOST_SEMAPHORES {
                return Err(Errno::ENOMEM);
            }
            Ok(Set {
                permissions,
                semaphores: alloc::vec![Semaphore::default(); len],
                operated: 0,
                changed: caller.now,
                undo: BTreeMap::new(),
                pending: Vec::new(),
            })
        };
        self.sets.lock().find_or_make(caller, key, flags, suits, make)
    }

    /// `semtimedop`: does all operations at once, as soon as all of them can be done.
    ///
    /// # Errors
    /// As semop(2). EAGAIN also if `sleep` gives ETIMEDOUT.
    pub fn operate(
        &self,
        caller: Caller<'_>,
        id: i32,
        operations: &[Operation],
        sleep: Sleep<'_>,
    ) -> Result<()> {
        let mut woken = Vec::new();
        let begun = self.begin(caller, id, operations, &mut woken);
        wake(woken);
        let Some(sleeper) = begun? else {
            return Ok(());
        };
        let error = match sleeper.wait(sleep) {
            Ok(outcome) => return outcome,
            Err(error) => error,
        };
        let mut sets = self.sets.lock();
        // Finished between the end of the wait and now.
        if let Some(outcome) = sleeper.take() {
            return outcome;
        }
        if let Ok(set) = sets.get_mut(id) {
            set.pending
                .retain(|pending| !Arc::ptr_eq(&pending.sleeper, &sleeper));
        }
        Err(match error {
            Errno::ETIMEDOUT => Errno::EAGAIN,
            error => error,
        })
    }

    /// Does the operations, or leaves them to others.
    fn begin(
        &self,
        caller: Caller<'_>,
        id: i32,
        operations: &[Operation],
        woken: &mut Vec<Arc<Sleeper<()>>>,
    ) -> Result<Option<Arc<Sleeper<()>>>> {
        let mut sets = self.sets.lock();
        let set = sets.get_mut(id)?;
        let highest = operations.iter().map(|operation| operation.number).max();
        if highest.is_none_or(|highest| usize::from(highest) >= set.semaphores.len()) {
            return Err(Errno::EFBIG);
        }
        let changes = operations.iter().any(|operation| operation.change != 0);
        set.permissions
            .check(caller, if changes { WRITE } else { READ })?;
        match set.attempt(operations, caller.pid) {
            Attempt::Done => {
                set.operated = caller.now;
                set.finish_pending(caller.now, woken);
                Ok(None)
            }
            Attempt::Failed(error) => Err(error),
            Attempt::Blocked(_) => {
                let sleeper = Sleeper::new();
                set.pending.push(Pending {
                    operations: operations.to_vec(),
                    pid: caller.pid,
                    sleeper: sleeper.clone(),
                });
                Ok(Some(sleeper))
            }
        }
    }

    /// `GETVAL`.
    pub fn value(&self, caller: Caller<'_>, id: i32, number: i32) -> Result<i32> {
        self.read(caller, id, number, |set, number| {
            set.semaphores.get(number).map_or(0, |semaphore| semaphore.value)
        })
    }

    /// `GETPID`.
    pub fn last_pid(&self, caller: Caller<'_>, id: i32, number: i32) -> Result<i32> {
        self.read(caller, id, number, |set, number| {
            let pid = set.semaphores.get(number).map_or(0, |semaphore| semaphore.pid);
            pid.cast_signed()
        })
    }

    /// `GETNCNT`: how many wait for it to grow.
    pub fn waiting_for_more(&self, caller: Caller<'_>, id: i32, number: i32) -> Result<i32> {
        self.read(caller, id, number, |set, number| {
            set.count(number, |change| change < 0)
        })
    }

    /// `GETZCNT`: how many wait for it to be 0.
    pub fn waiting_for_zero(&self, caller: Caller<'_>, id: i32, number: i32) -> Result<i32> {
        self.read(caller, id, number, |set, number| {
            set.count(number, |change| change == 0)
        })
    }

    fn read(
        &self,
        caller: Caller<'_>,
        id: i32,
        number: i32,
        read: impl FnOnce(&Set, usize) -> i32,
    ) -> Result<i32> {
        let sets = self.sets.lock();
        let set = sets.get(id)?;
        set.permissions.check(caller, READ)?;
        Ok(read(set, set.place(number)?))
    }

    /// `GETALL`.
    pub fn values(&self, caller: Caller<'_>, id: i32) -> Result<Vec<u16>> {
        let sets = self.sets.lock();
        let set = sets.get(id)?;
        set.permissions.check(caller, READ)?;
        Ok(set
            .semaphores
            .iter()
            .map(|semaphore| semaphore.value as u16)
            .collect())
    }

    /// How many semaphores a set has whose values `caller` may set.
    pub fn len_to_set(&self, caller: Caller<'_>, id: i32) -> Result<usize> {
        let sets = self.sets.lock();
        let set = sets.get(id)?;
        set.permissions.check(caller, WRITE)?;
        Ok(set.semaphores.len())
    }

    /// `SETVAL`.
    pub fn set_value(&self, caller: Caller<'_>, id: i32, number: i32, value: i32) -> Result<()> {
        if !(0..=SEMVMX).contains(&value) {
            return Err(Errno::ERANGE);
        }
        let mut woken = Vec::new();
        let result = self.change(id, |set| {
            let place = set.place(number)?;
            set.permissions.check(caller, WRITE)?;
            for adjustments in set.undo.values_mut() {
                adjustments.retain(|&at, _| usize::from(at) != place);
            }
            set.set(place, value, caller);
            set.changed = caller.now;
            set.finish_pending(caller.now, &mut woken);
            Ok(())
        });
        wake(woken);
        result
    }

    /// `SETALL`: as many values as [`Self::len_to_set`] says.
    pub fn set_values(&self, caller: Caller<'_>, id: i32, values: &[u16]) -> Result<()> {
        if values.iter().any(|&value| i32::from(value) > SEMVMX) {
            return Err(Errno::ERANGE);
        }
        let mut woken = Vec::new();
        let result = self.change(id, |set| {
            if values.len() != set.semaphores.len() {
                // Another set has the identifier since.
                return Err(Errno::EIDRM);
            }
            set.undo.clear();
            for (place, &value) in values.iter().enumerate() {
                set.set(place, value.into(), caller);
            }
            set.changed = caller.now;
            set.finish_pending(caller.now, &mut woken);
            Ok(())
        });
        wake(woken);
        result
    }

    fn change<R>(&self, id: i32, change: impl FnOnce(&mut Set) -> Result<R>) -> Result<R> {
        change(self.sets.lock().get_mut(id)?)
    }

    /// `IPC_STAT` and its kin.
    pub fn state(&self, caller: Caller<'_>, named: Named) -> Result<SetState> {
        let sets = self.sets.lock();
        let (id, set) = sets.look_at(caller, named)?;
        Ok(set.state(id))
    }

    /// `IPC_SET`.
    pub fn set_owner(&self, caller: Caller<'_>, id: i32, new: Ownership) -> Result<()> {
        let mut sets = self.sets.lock();
        let set = sets.changeable(caller, id)?;
        set.permissions.set(new)?;
        set.changed = caller.now;
        Ok(())
    }

    /// `IPC_RMID`: whoever waits gets EIDRM.
    pub fn remove(&self, caller: Caller<'_>, id: i32) -> Result<()> {
        let removed = {
            let mut sets = self.sets.lock();
            sets.changeable(caller, id)?;
            sets.remove(id)
        };
        let pending = removed.map(|set| set.pending).unwrap_or_default();
        for pending in &pending {
            pending.sleeper.finish(Err(Errno::EIDRM));
            pending.sleeper.wake();
        }
        Ok(())
    }

    /// `IPC_INFO` and `SEM_INFO`: the table's usage, and how many semaphores there are.
    pub fn usage(&self) -> (Usage, usize) {
        let sets = self.sets.lock();
        (sets.usage(), used(&sets))
    }

    /// All sets, for /proc.
    pub fn all(&self) -> Vec<SetState> {
        self.sets.lock().all().map(|(id, set)| set.state(id)).collect()
    }

    /// Whether something is to be undone when this process ends.
    pub fn undoes(&self, pid: u32) -> bool {
        self.sets.lock().all().any(|(_, set)| set.undo.contains_key(&pid))
    }

    /// A process has ended: what it did with `SEM_UNDO` is undone.
    pub fn process_ended(&self, pid: u32, now: i64) {
        let mut woken = Vec::new();
        for set in self.sets.lock().all_mut() {
            let Some(adjustments) = set.undo.remove(&pid) else {
                continue;
            };
            for (number, adjustment) in adjustments {
                if let Some(semaphore) = set.semaphores.get_mut(usize::from(number)) {
                    semaphore.value = (semaphore.value + adjustment).clamp(0, SEMVMX);
                    semaphore.pid = pid;
                }
            }
            set.operated = now;
            set.finish_pending(now, &mut woken);
        }
        wake(woken);
    }
}

fn used(sets: &Table<Set>) -> usize {
    sets.all().map(|(_, set)| set.semaphores.len()).sum()
}

fn wake(sleepers: Vec<Arc<Sleeper<()>>>) {
    for sleeper in sleepers {
        sleeper.wake();
    }
}

impl Set {
    fn state(&self, id: i32) -> SetState {
        SetState {
            id,
            permissions: self.permissions.clone(),
            operated: self.operated,
            changed: self.changed,
            len: self.semaphores.len(),
        }
    }

    /// The place of a semaphore that a program has numbered.
    fn place(&self, number: i32) -> Result<usize> {
        let place = usize::try_from(number).map_err(|_| Errno::EINVAL)?;
        match place < self.semaphores.len() {
            true => Ok(place),
            false => Err(Errno::EINVAL),
        }
    }

    fn set(&mut self, place: usize, value: i32, caller: Caller<'_>) {
        if let Some(semaphore) = self.semaphores.get_mut(place) {
            *semaphore = Semaphore {
                value,
                pid: caller.pid,
            };
        }
    }

    /// Does all operations, or none.
    fn attempt(&mut self, operations: &[Operation], pid: u32) -> Attempt {
        let Plan { values, adjustments } = match self.plan(operations, pid) {
            Ok(plan) => plan,
            Err(attempt) => return attempt,
        };
        for (number, value) in values {
            if let Some(semaphore) = self.semaphores.get_mut(usize::from(number)) {
                *semaphore = Semaphore { value, pid };
            }
        }
        if !adjustments.is_empty() {
            self.undo.entry(pid).or_default().extend(adjustments);
        }
        Attempt::Done
    }

    /// What all operations would come to, or why they cannot be done now.
    fn plan(&self, operations: &[Operation], pid: u32) -> core::result::Result<Plan, Attempt> {
        let mut plan = Plan::default();
        let before = self.undo.get(&pid);
        for (at, operation) in operations.iter().enumerate() {
            let number = operation.number;
            let semaphore = self.semaphores.get(usize::from(number));
            let known = semaphore.map_or(0, |semaphore| semaphore.value);
            let value = *plan.values.get(&number).unwrap_or(&known);
            let change = i32::from(operation.change);
            let is_blocked = match change {
                0 => value != 0,
                change => value + change < 0,
            };
            if is_blocked {
                return Err(match operation.may_not_wait() {
                    true => Attempt::Failed(Errno::EAGAIN),
                    false => Attempt::Blocked(at),
                });
            }
            if value + change > SEMVMX {
                return Err(Attempt::Failed(Errno::ERANGE));
            }
            if operation.is_undone() {
                let known = before.and_then(|before| before.get(&number));
                let adjustment = plan.adjustments.get(&number).or(known).copied();
                let adjustment = adjustment.unwrap_or_default() - change;
                if !(-SEMAEM - 1..=SEMAEM).contains(&adjustment) {
                    return Err(Attempt::Failed(Errno::ERANGE));
                }
                plan.adjustments.insert(number, adjustment);
            }
            plan.values.insert(number, value + change);
        }
        Ok(plan)
    }

    /// Finishes what waits and can go on, until nothing can.
    fn finish_pending(&mut self, now: i64, woken: &mut Vec<Arc<Sleeper<()>>>) {
        let mut at = 0;
        while let Some(next) = self.pending.get(at) {
            let (operations, pid) = (next.operations.clone(), next.pid);
            let outcome = match self.attempt(&operations, pid) {
                Attempt::Blocked(_) => {
                    at += 1;
                    continue;
                }
                Attempt::Done => Ok(()),
                Attempt::Failed(error) => Err(error),
            };
            let changes = operations.iter().any(|operation| operation.change != 0);
            let finished = self.pending.remove(at);
            finished.sleeper.finish(outcome);
            woken.push(finished.sleeper);
            if outcome.is_ok() {
                self.operated = now;
                if changes {
                    at = 0;
                }
            }
        }
    }

    /// How many wait because of an operation on a semaphore whose change is one `of`.
    fn count(&self, place: usize, of: impl Fn(i16) -> bool) -> i32 {
        let waits = |pending: &&Pending| match self.plan(&pending.operations, pending.pid) {
            Err(Attempt::Blocked(at)) => pending
                .operations
                .get(at)
                .is_some_and(|operation| usize::from(operation.number) == place && of(operation.change)),
            _ => false,
        };
        self.pending.iter().filter(waits).count() as i32
    }
}

#[cfg(test)]
mod tests {
    use kobject::Credentials;
    use linux_abi::ipc::IPC_PRIVATE;

    use super::*;

    fn caller(credentials: &Credentials, pid: u32) -> Caller<'_> {
        Caller {
            credentials,
            pid,
            now: 9,
        }
    }

    fn operation(number: u16, change: i16, flags: u32) -> Operation {
        Operation {
            number,
            change,
            flags: flags as i16,
        }
    }

    const NOWAIT: u32 = IpcFlags::IPC_NOWAIT.bits();
    const UNDO: u32 = SemFlags::SEM_UNDO.bits();

    #[test]
    fn all_is_done_or_nothing() {
        let user = Credentials::new(10, 10, Vec::new());
        let me = caller(&user, 5);
        let sets = Semaphores::default();
        let id = sets.open(me, IPC_PRIVATE, 3, 0o600).unwrap();
        let mut never = |_: &kobject::Waiter| panic!("nothing waits");
        let mut operate = |operations: &[Operation]| sets.operate(me, id, operations, &mut never);
        assert_eq!(operate(&[operation(0, 2, 0), operation(2, 1, 0)]), Ok(()));
        let both = [operation(0, -1, NOWAIT), operation(1, -1, NOWAIT)];
        assert_eq!(operate(&both), Err(Errno::EAGAIN));
        assert_eq!(sets.values(me, id), Ok(vec![2, 0, 1]));
        let within = [
            operation(1, 1, 0),
            operation(1, -1, NOWAIT),
            operation(1, 0, NOWAIT),
        ];
        assert_eq!(operate(&within), Ok(()));
        assert_eq!(operate(&[operation(3, 1, 0)]), Err(Errno::EFBIG));
        assert_eq!(operate(&[operation(0, i16::MAX, 0)]), Err(Errno::ERANGE));
        assert_eq!(sets.last_pid(me, id, 0), Ok(5));
        assert_eq!(sets.set_value(me, id, 0, SEMVMX + 1), Err(Errno::ERANGE));
        assert_eq!(sets.remove(me, id), Ok(()));
        assert_eq!(sets.values(me, id), Err(Errno::EINVAL));
    }

    #[test]
    fn the_end_of_a_process_undoes() {
        let user = Credentials::new(10, 10, Vec::new());
        let (me, other) = (caller(&user, 5), caller(&user, 6));
        let sets = Semaphores::default();
        let id = sets.open(me, IPC_PRIVATE, 2, 0o600).unwrap();
        let mut never = |_: &kobject::Waiter| panic!("nothing waits");
        sets.set_value(me, id, 0, 3).unwrap();
        sets.operate(
            other,
            id,
            &[operation(0, -2, UNDO), operation(1, 4, UNDO)],
            &mut never,
        )
        .unwrap();
        sets.process_ended(5, 20);
        assert_eq!(sets.values(me, id), Ok(vec![1, 4]));
        sets.process_ended(6, 20);
        assert_eq!(sets.values(me, id), Ok(vec![3, 0]));
        sets.operate(other, id, &[operation(0, 1, UNDO)], &mut never)
            .unwrap();
        // What is set is not undone.
        sets.set_value(me, id, 0, 7).unwrap();
        sets.process_ended(6, 20);
        assert_eq!(sets.values(me, id), Ok(vec![7, 0]));
    }
}
