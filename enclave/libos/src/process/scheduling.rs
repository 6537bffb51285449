//! What threads have asked the scheduler for: policy, nice value, processors, priority of input and output, slack of timers; and where
//! their memory is to lie.
//!
//! It is remembered, told and inherited as on Linux. It does not change who runs when: the host schedules.

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::{MemoryPolicyMode, MemoryPolicyModeFlags, SchedulingPolicy};

/// How late timers may be at first, in nanoseconds.
const TIMER_SLACK: u64 = 50_000;

/// set_mempolicy(2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryPolicy {
    pub(crate) mode: MemoryPolicyMode,
    pub(crate) flags: MemoryPolicyModeFlags,
    /// A bit for each node.
    pub(crate) nodes: u64,
}

/// What a thread has asked for.
#[derive(Clone, Debug)]
pub(crate) struct Scheduling {
    pub(crate) policy: SchedulingPolicy,
    /// From 1 to 99 under `SCHED_FIFO` and `SCHED_RR`, else 0.
    pub(crate) priority: u32,
    /// From -20 to 19.
    pub(crate) nice: i32,
    /// `SCHED_RESET_ON_FORK`: children get neither a real-time policy nor a negative nice value.
    pub(crate) resets_on_fork: bool,
    /// The mask that sched_setaffinity(2) has set; `None` for all processors that there are.
    pub(crate) affinity: Option<Arc<[u8]>>,
    /// ioprio_set(2): class and data, 0 for none.
    pub(crate) io_priority: u32,
    /// `PR_SET_TIMERSLACK`, in nanoseconds.
    pub(crate) timer_slack: u64,
    /// What `PR_SET_TIMERSLACK` with 0 brings back.
    pub(crate) default_timer_slack: u64,
    pub(crate) memory_policy: MemoryPolicy,
}

impl Scheduling {
    /// Of the first thread of a container's program.
    pub(crate) const fn first() -> Self {
        Self {
            policy: SchedulingPolicy::SCHED_NORMAL,
            priority: 0,
            nice: 0,
            resets_on_fork: false,
            affinity: None,
            io_priority: 0,
            timer_slack: TIMER_SLACK,
            default_timer_slack: TIMER_SLACK,
            memory_policy: MemoryPolicy {
                mode: MemoryPolicyMode::MPOL_DEFAULT,
                flags: MemoryPolicyModeFlags::empty(),
                nodes: 0,
            },
        }
    }

    /// Whether the policy is one of real time.
    pub(crate) fn is_real_time(&self) -> bool {
        matches!(
            self.policy,
            SchedulingPolicy::SCHED_FIFO | SchedulingPolicy::SCHED_RR
        )
    }

    /// The mask of the processors that it may run on.
    pub(crate) fn processors(&self) -> Vec<u8> {
        match &self.affinity {
            Some(some) => some.to_vec(),
            None => all_processors().collect(),
        }
    }

    /// The processor that programs are told it runs on: the first that it may run on.
    pub(crate) fn processor(&self) -> u32 {
        let mask = self.processors();
        let first = mask.iter().position(|&byte| byte != 0).unwrap_or_default();
        let within = mask.get(first).map_or(0, |byte| byte.trailing_zeros());
        first as u32 * 8 + within
    }

    /// What a new thread or process gets from the one that makes it (`sched_fork` of the kernel).
    pub(crate) fn inherited(&self) -> Self {
        let mut child = self.clone();
        child.default_timer_slack = self.timer_slack;
        if self.resets_on_fork {
            child.resets_on_fork = false;
            if self.is_real_time() {
                (child.policy, child.priority, child.nice) = (SchedulingPolicy::SCHED_NORMAL, 0, 0);
            }
            child.nice = child.nice.max(0);
        }
        child
    }
}

/// The mask of all processors that the host lets the container use, from 0 on: a bit for each, 8 in a byte.
pub(crate) fn all_processors() -> impl Iterator<Item = u8> {
    let count = crate::container().processor.count as usize;
    (0..count.div_ceil(8)).map(move |byte| match count - byte * 8 {
        left @ 0..8 => (1 << left) - 1,
        _ => u8::MAX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_inherit_unless_it_is_reset() {
        let mut parent = Scheduling::first();
        (parent.policy, parent.priority, parent.nice) = (SchedulingPolicy::SCHED_RR, 7, -3);
        parent.timer_slack = 1;
        let child = parent.inherited();
        assert_eq!(
            (child.policy, child.priority, child.nice),
            (SchedulingPolicy::SCHED_RR, 7, -3)
        );
        assert_eq!((child.timer_slack, child.default_timer_slack), (1, 1));
        parent.resets_on_fork = true;
        let child = parent.inherited();
        assert_eq!(
            (child.policy, child.priority, child.nice),
            (SchedulingPolicy::SCHED_NORMAL, 0, 0)
        );
        assert!(!child.resets_on_fork);
        (parent.policy, parent.nice) = (SchedulingPolicy::SCHED_BATCH, 4);
        assert_eq!(parent.inherited().nice, 4);
        assert_eq!(parent.inherited().policy, SchedulingPolicy::SCHED_BATCH);
    }
}
