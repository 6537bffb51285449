//! Epoll instances as members of others: neither in a circle nor too deep.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::{Description, Errno, Mutex, Result};

use super::Epoll;

/// How many instances may be nested within the outermost (EP_MAX_NESTS of Linux).
const MAX_NESTS: u32 = 4;

/// Held while an instance becomes a member of another.
static TOPOLOGY: Mutex<()> = Mutex::new(());

impl Epoll {
    /// Has `add` make `target` a member of this instance. ELOOP if that would close a circle or nest too
    /// deep.
    pub(super) fn add_nested(&self, target: &Self, add: impl FnOnce() -> Result<()>) -> Result<()> {
        let _topology = TOPOLOGY.lock();
        let below = target.levels_below(self, 0).ok_or(Errno::ELOOP)?;
        if below + 1 + self.levels_above(0) > MAX_NESTS {
            return Err(Errno::ELOOP);
        }
        // From now on its readiness is the host's to tell as well, so it needs something to tell it by.
        target.host_instance(&mut target.state.lock())?;
        add()?;
        let mut state = target.state.lock();
        state.parents.retain(|parent| parent.strong_count() > 0);
        state.parents.push(self.this.clone());
        Ok(())
    }

    /// `target` is no member any more.
    pub(super) fn forget_parent(&self, parent: &Self) {
        let mut state = self.state.lock();
        let place = state.parents.iter().position(|other| other.ptr_eq(&parent.this));
        if let Some(place) = place {
            state.parents.swap_remove(place);
        }
    }

    /// How many levels of instances are among the members; `None` if `sought` is one of them or they are too
    /// many.
    fn levels_below(&self, sought: &Self, depth: u32) -> Option<u32> {
        if depth > MAX_NESTS {
            return None;
        }
        let members: Vec<Arc<Description>> = {
            let state = self.state.lock();
            let nested = state.members.descriptions();
            nested
                .filter(|member| member.object_as::<Self>().is_some())
                .collect()
        };
        let mut levels = 0;
        for member in &members {
            let Some(member) = member.object_as::<Self>() else {
                continue;
            };
            if core::ptr::eq(member, sought) {
                return None;
            }
            levels = levels.max(member.levels_below(sought, depth + 1)? + 1);
        }
        Some(levels)
    }

    /// How many levels of instances this one is nested in.
    fn levels_above(&self, depth: u32) -> u32 {
        let parents: Vec<Arc<Self>> = {
            let state = self.state.lock();
            state
                .parents
                .iter()
                .filter_map(|parent| parent.upgrade())
                .collect()
        };
        if depth > MAX_NESTS {
            return depth;
        }
        let levels = parents.iter().map(|parent| parent.levels_above(depth + 1) + 1);
        levels.max().unwrap_or(0)
    }
}
