//! How many instances and watches each user has, and may have.

use alloc::collections::BTreeMap;

use kobject::{Errno, Result, SpinLock};

/// Most events that wait in an instance (`/proc/sys/fs/inotify/max_queued_events`).
pub const MAX_QUEUED_EVENTS: usize = 16_384;
/// Most instances of a user (`max_user_instances`).
pub const MAX_USER_INSTANCES: usize = 128;
/// Most watches of a user (`max_user_watches`), which take about 200 bytes each.
pub const MAX_USER_WATCHES: usize = 65_536;

#[derive(Clone, Copy, Default)]
struct Usage {
    instances: usize,
    watches: usize,
}

static USERS: SpinLock<BTreeMap<u32, Usage>> = SpinLock::new(BTreeMap::new());

/// One more instance of a user: EMFILE.
pub(super) fn add_instance(user: u32) -> Result<()> {
    let mut users = USERS.lock();
    let usage = users.entry(user).or_default();
    if usage.instances >= MAX_USER_INSTANCES {
        return Err(Errno::EMFILE);
    }
    usage.instances += 1;
    Ok(())
}

/// One more watch of a user: ENOSPC.
pub(super) fn add_watch(user: u32) -> Result<()> {
    let mut users = USERS.lock();
    let usage = users.entry(user).or_default();
    if usage.watches >= MAX_USER_WATCHES {
        return Err(Errno::ENOSPC);
    }
    usage.watches += 1;
    Ok(())
}

/// So many instances and watches of a user are gone.
pub(super) fn give_back(user: u32, instances: usize, watches: usize) {
    let mut users = USERS.lock();
    if let Some(usage) = users.get_mut(&user) {
        usage.instances = usage.instances.saturating_sub(instances);
        usage.watches = usage.watches.saturating_sub(watches);
        if (usage.instances, usage.watches) == (0, 0) {
            users.remove(&user);
        }
    }
}
