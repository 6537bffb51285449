//! rt_sigaction and everything about signals.

use alloc::sync::Arc;

use enclave_rt::entry;
use kobject::{Errno, Result, Waiter, clock};

use super::Call;
use super::table::Row;
use crate::process::{Process, table};
use crate::signal::{Action, ActionFlags, AlternateStack, Signal, SignalInfo, SignalSet, code, frame, send};
use crate::uapi::{Sigaction, SignalStack, Timespec};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        13,
        "rt_sigaction",
        sys_rt_sigaction,
        "dxxd",
        "SA_NOCLDSTOP and SA_NOCLDWAIT wait for processes",
    ),
    Row::full(14, "rt_sigprocmask", sys_rt_sigprocmask, "dxxd"),
    Row::full(127, "rt_sigpending", sys_rt_sigpending, "xd"),
    Row::full(130, "rt_sigsuspend", sys_rt_sigsuspend, "xd"),
    Row::full(34, "pause", sys_pause, ""),
    Row::full(128, "rt_sigtimedwait", sys_rt_sigtimedwait, "xxxd"),
    Row::full(15, "rt_sigreturn", sys_rt_sigreturn, ""),
    Row::full(131, "sigaltstack", sys_sigaltstack, "xx"),
    Row::partial(
        62,
        "kill",
        sys_kill,
        "dd",
        "stopping signals do not stop: nobody could continue the container",
    ),
    Row::partial(200, "tkill", sys_tkill, "dd", "as kill"),
    Row::partial(234, "tgkill", sys_tgkill, "ddd", "as kill"),
    Row::full(129, "rt_sigqueueinfo", sys_rt_sigqueueinfo, "ddx"),
    Row::full(297, "rt_tgsigqueueinfo", sys_rt_tgsigqueueinfo, "dddx"),
];

/// Bytes of a signal set.
const SET_SIZE: u64 = 8;

pub(super) fn sys_rt_sigaction(call: &mut Call<'_>) -> Result<u64> {
    let [number, new, old, size, ..] = call.args;
    if size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let signal = Signal::from_raw(number & 0xffff_ffff).ok_or(Errno::EINVAL)?;
    let new = user::get_if::<Sigaction>(new)?;
    if new.is_some() && SignalSet::UNSTOPPABLE.contains(signal) {
        return Err(Errno::EINVAL);
    }
    let process = &call.thread.process;
    let before = {
        let mut actions = process.actions.lock();
        let before = actions.of(signal);
        if let Some(new) = new {
            let action = Action {
                handler: new.handler,
                flags: ActionFlags::from_bits_retain(new.flags),
                restorer: new.restorer,
                mask: SignalSet(new.mask).without(SignalSet::UNSTOPPABLE),
            };
            actions.set(signal, action);
            if action.ignores(signal) {
                process.pending.lock().remove(signal);
                call.thread.signals.lock().pending.remove(signal);
            }
        }
        before
    };
    let before = Sigaction {
        handler: before.handler,
        flags: before.flags.bits(),
        restorer: before.restorer,
        mask: before.mask.0,
    };
    user::put_if(old, &before)?;
    Ok(0)
}

pub(super) fn sys_rt_sigprocmask(call: &mut Call<'_>) -> Result<u64> {
    let [how, new, old, size, ..] = call.args;
    if size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let new = user::get_if::<u64>(new)?.map(SignalSet);
    let before = call.thread.signals.lock().mask;
    if let Some(new) = new {
        let mask = match how {
            0 => before.with(new),
            1 => before.without(new),
            2 => new,
            _ => return Err(Errno::EINVAL),
        };
        call.thread.signals.lock().mask = mask.without(SignalSet::UNSTOPPABLE);
        if call.thread.has_signal() {
            enclave_rt::thread::set_pending();
        }
    }
    user::put_if(old, &before.0)?;
    Ok(0)
}

pub(super) fn sys_rt_sigpending(call: &mut Call<'_>) -> Result<u64> {
    let signals = call.thread.signals.lock();
    let mask = signals.mask.0;
    let own = signals.pending.set().0;
    drop(signals);
    let set = (own | call.thread.process.pending.lock().set().0) & mask;
    user::put(call.args[0], &set)?;
    Ok(0)
}

/// Sets the mask for the duration of a wait; delivery, or the end of the call, brings the old one back.
pub(crate) fn with_mask<R>(
    call: &mut Call<'_>,
    mask: Option<SignalSet>,
    wait: impl FnOnce(&mut Call<'_>) -> Result<R>,
) -> Result<R> {
    let Some(mask) = mask else { return wait(call) };
    {
        let mut signals = call.thread.signals.lock();
        signals.suspended = Some(signals.mask);
        signals.mask = mask.without(SignalSet::UNSTOPPABLE);
    }
    if call.thread.has_signal() {
        enclave_rt::thread::set_pending();
    }
    let result = wait(call);
    if !matches!(result, Err(Errno::EINTR)) {
        let mut signals = call.thread.signals.lock();
        if let Some(before) = signals.suspended.take() {
            signals.mask = before;
        }
    }
    result
}

/// A mask argument of ppoll and the like: null for none.
pub(crate) fn mask_argument(at: u64, size: u64) -> Result<Option<SignalSet>> {
    if at != 0 && size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    Ok(user::get_if::<u64>(at)?.map(SignalSet))
}

pub(super) fn sys_rt_sigsuspend(call: &mut Call<'_>) -> Result<u64> {
    let mask = mask_argument(call.args[0], call.args[1])?.ok_or(Errno::EFAULT)?;
    with_mask(call, Some(mask), wait_for_signal)
}

pub(super) fn sys_pause(call: &mut Call<'_>) -> Result<u64> {
    wait_for_signal(call)
}

fn wait_for_signal(call: &mut Call<'_>) -> Result<u64> {
    let waiter = Waiter::new();
    loop {
        match waiter.sleep(None) {
            Err(Errno::EINTR) if !call.thread.is_interrupted() => {}
            Err(error) => return Err(error),
            Ok(()) => {}
        }
    }
}

pub(super) fn sys_rt_sigtimedwait(call: &mut Call<'_>) -> Result<u64> {
    let [set, info, timeout, size, ..] = call.args;
    let wanted = mask_argument(set, size)?
        .ok_or(Errno::EFAULT)?
        .without(SignalSet::UNSTOPPABLE);
    let timeout = user::get_if::<Timespec>(timeout)?
        .map(Timespec::nanoseconds)
        .transpose()?;
    let deadline = timeout.map(|timeout| clock::monotonic().saturating_add(timeout));
    let thread = call.thread;
    thread.signals.lock().awaited = wanted;
    let waiter = Waiter::new();
    let found = loop {
        let own = thread.signals.lock().pending.take(wanted);
        if let Some(found) = own.or_else(|| thread.process.pending.lock().take(wanted)) {
            break Ok(found);
        }
        match waiter.sleep(deadline) {
            Err(Errno::EINTR) => {
                let awaited = thread.signals.lock().pending.set().0 | thread.process.pending.lock().set().0;
                if awaited & wanted.0 == 0 && thread.is_interrupted() {
                    break Err(Errno::EINTR);
                }
                enclave_rt::thread::clear_pending();
            }
            Err(_) => break Err(Errno::EAGAIN),
            Ok(()) => {}
        }
    };
    thread.signals.lock().awaited = SignalSet(0);
    if thread.has_signal() {
        enclave_rt::thread::set_pending();
    }
    let found = found?;
    user::put_if(info, &found)?;
    Ok(found.signal as u64)
}

pub(super) fn sys_rt_sigreturn(call: &mut Call<'_>) -> Result<u64> {
    let stack_pointer = call.frame.registers().rsp;
    let thread = call.thread;
    let Ok(mut restored) = frame::pop(stack_pointer) else {
        // As Linux: a frame that cannot be read is a fault.
        send::forced(thread, SignalInfo::fault(Signal::SEGV, code::KERNEL, 0));
        return Err(Errno::EFAULT);
    };
    {
        let mut signals = thread.signals.lock();
        signals.mask = restored.mask.without(SignalSet::UNSTOPPABLE);
        if let Ok(stack) = frame::parse(&restored.stack) {
            signals.stack = stack;
        }
    }
    if thread.has_signal() {
        enclave_rt::thread::set_pending();
    }
    let registers = &mut restored.frame.registers;
    registers.rip = thread.process.space.actual_address(registers.rip);
    entry::enter_program(&mut restored.frame)
}

pub(super) fn sys_sigaltstack(call: &mut Call<'_>) -> Result<u64> {
    let [new, old, ..] = call.args;
    let stack_pointer = call.frame.registers().rsp;
    let new = user::get_if::<SignalStack>(new)?;
    let before: AlternateStack = call.thread.signals.lock().stack;
    if let Some(new) = new {
        if before.contains(stack_pointer) && !before.disarm {
            return Err(Errno::EPERM);
        }
        call.thread.signals.lock().stack = frame::parse(&new)?;
    }
    user::put_if(old, &frame::describe(&before, stack_pointer))?;
    Ok(0)
}

/// A signal's argument: `None` for 0, which only checks.
fn signal_argument(raw: u64) -> Result<Option<Signal>> {
    match raw as u32 {
        0 => Ok(None),
        raw => Signal::from_raw(raw.into()).map(Some).ok_or(Errno::EINVAL),
    }
}

fn may_signal(call: &Call<'_>, target: &Process) -> Result<()> {
    let sender = call.thread.process.context.lock().credentials.clone();
    let target = target.context.lock().credentials.clone();
    let allowed = sender.euid() == 0
        || [sender.uid[0], sender.uid[1]]
            .iter()
            .any(|id| [target.uid[0], target.uid[2]].contains(id));
    if allowed { Ok(()) } else { Err(Errno::EPERM) }
}

pub(super) fn sys_kill(call: &mut Call<'_>) -> Result<u64> {
    let pid = call.int(0);
    let signal = signal_argument(call.args[1])?;
    let process = &call.thread.process;
    let targets: alloc::vec::Vec<Arc<Process>> = match pid {
        1.. => table::process(pid as u32).into_iter().collect(),
        0 => in_group(process.group.load(core::sync::atomic::Ordering::Relaxed)),
        -1 => table::processes()
            .into_iter()
            .filter(|other| other.pid > 1 && other.pid != process.pid)
            .collect(),
        group => in_group(group.unsigned_abs()),
    };
    if targets.is_empty() {
        return Err(Errno::ESRCH);
    }
    let mut result = Err(Errno::EPERM);
    for target in &targets {
        if may_signal(call, target).is_ok() {
            result = Ok(0);
            if let Some(signal) = signal {
                let info = SignalInfo::sent(signal, code::USER, process.pid, process.uid());
                send::to_process(target, info)?;
            }
        }
    }
    result
}

fn in_group(group: u32) -> alloc::vec::Vec<Arc<Process>> {
    let all = table::processes().into_iter();
    all.filter(|process| process.group.load(core::sync::atomic::Ordering::Relaxed) == group)
        .collect()
}

fn signal_thread(call: &Call<'_>, group: Option<u32>, tid: u32, raw: u64) -> Result<u64> {
    let signal = signal_argument(raw)?;
    let thread = table::thread(tid).ok_or(Errno::ESRCH)?;
    if group.is_some_and(|group| group != thread.process.pid) {
        return Err(Errno::ESRCH);
    }
    may_signal(call, &thread.process)?;
    if let Some(signal) = signal {
        let process = &call.thread.process;
        send::to_thread(
            &thread,
            SignalInfo::sent(signal, code::TKILL, process.pid, process.uid()),
        )?;
    }
    Ok(0)
}

pub(super) fn sys_tkill(call: &mut Call<'_>) -> Result<u64> {
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    signal_thread(call, None, call.args[0] as u32, call.args[1])
}

pub(super) fn sys_tgkill(call: &mut Call<'_>) -> Result<u64> {
    if call.int(0) <= 0 || call.int(1) <= 0 {
        return Err(Errno::EINVAL);
    }
    signal_thread(call, Some(call.args[0] as u32), call.args[1] as u32, call.args[2])
}

/// The information that a program sends along: it may not pretend to be the kernel or kill.
fn queued_info(call: &Call<'_>, at: u64, raw: u64, pid: u64) -> Result<Option<SignalInfo>> {
    let signal = signal_argument(raw)?;
    let mut info: SignalInfo = user::get(at)?;
    let own = pid as u32 == call.thread.process.pid;
    if (info.code >= 0 || info.code == code::TKILL) && !own {
        return Err(Errno::EPERM);
    }
    Ok(signal.map(|signal| {
        info.signal = signal.raw().into();
        info
    }))
}

pub(super) fn sys_rt_sigqueueinfo(call: &mut Call<'_>) -> Result<u64> {
    let [pid, raw, at, ..] = call.args;
    let info = queued_info(call, at, raw, pid)?;
    let process = table::process(pid as u32).ok_or(Errno::ESRCH)?;
    may_signal(call, &process)?;
    info.map_or(Ok(()), |info| send::to_process(&process, info))?;
    Ok(0)
}

pub(super) fn sys_rt_tgsigqueueinfo(call: &mut Call<'_>) -> Result<u64> {
    let [pid, tid, raw, at, ..] = call.args;
    let info = queued_info(call, at, raw, pid)?;
    let thread = table::thread(tid as u32).filter(|thread| thread.process.pid == pid as u32);
    let thread = thread.ok_or(Errno::ESRCH)?;
    may_signal(call, &thread.process)?;
    info.map_or(Ok(()), |info| send::to_thread(&thread, info))?;
    Ok(0)
}
