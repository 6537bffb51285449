//! Where memory lies: get_mempolicy, set_mempolicy, mbind, set_mempolicy_home_node, migrate_pages, move_pages.
//!
//! The machine that programs see has one node, with number 0, and all memory lies there. So every policy that Linux would take there has
//! the same effect.

use alloc::vec::Vec;

use enclave_layout::PAGE_SIZE;
use kobject::{Errno, Result};
use libos_mm::AddressSpace;
use linux_abi::memory_policy::{MAX_NODES, MPOL_MODE_FLAGS};
use linux_abi::{BindFlags, Capabilities, MemoryPolicyMode, MemoryPolicyModeFlags, PolicyQuery};

use super::Call;
use super::sys_kcmp::may_inspect;
use super::table::Row;
use crate::process::scheduling::MemoryPolicy;
use crate::process::{Process, table};
use crate::user::{self, Address};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(237, "mbind", sys_mbind, "xldxxx", FORGOTTEN),
    Row::full(238, "set_mempolicy", sys_set_mempolicy, "dxx"),
    Row::partial(239, "get_mempolicy", sys_get_mempolicy, "xxxxx", FORGOTTEN),
    Row::partial(
        450,
        "set_mempolicy_home_node",
        sys_set_mempolicy_home_node,
        "xlxx",
        FORGOTTEN,
    ),
    Row::full(256, "migrate_pages", sys_migrate_pages, "dxxx"),
    Row::full(279, "move_pages", sys_move_pages, "dlxxxx"),
];

const FORGOTTEN: &str = "the policies of ranges are checked and forgotten: there is one node";

/// What nodes are given as: the words of a mask.
type Nodes = Vec<u64>;

/// The nodes that there are.
const ONLINE: u64 = 1;

fn sys_set_mempolicy(call: &mut Call<'_>) -> Result<u64> {
    let (mode, nodes, bits) = (call.int(0), call.pointer(1), call.ulong(2));
    let (mode, flags) = mode_and_flags(mode)?;
    let policy = policy(mode, flags, nodes_at(nodes, bits)?)?;
    call.thread.scheduling.lock().memory_policy = policy;
    Ok(0)
}

fn sys_get_mempolicy(call: &mut Call<'_>) -> Result<u64> {
    let (mode_at, nodes_at, bits, address) =
        (call.pointer(0), call.pointer(1), call.ulong(2), call.pointer(3));
    let flags = PolicyQuery::from_bits(call.ulong(4)).ok_or(Errno::EINVAL)?;
    if nodes_at != 0 && bits < 1 {
        return Err(Errno::EINVAL);
    }
    let asks_node = flags.contains(PolicyQuery::MPOL_F_NODE);
    let of_address = flags.contains(PolicyQuery::MPOL_F_ADDR);
    if flags.contains(PolicyQuery::MPOL_F_MEMS_ALLOWED) {
        if asks_node || of_address {
            return Err(Errno::EINVAL);
        }
        user::put_if(mode_at, &0u32)?;
        return put_nodes(nodes_at, bits, ONLINE);
    }
    let own = call.thread.scheduling.lock().memory_policy;
    if of_address {
        let space = call.thread.process.space();
        space.check_mapped(address, 1).map_err(|_| Errno::EFAULT)?;
    } else if address != 0 {
        return Err(Errno::EINVAL);
    }
    let mode = match (asks_node, of_address) {
        (false, _) => own.mode.0 | own.flags.bits(),
        // Wherever the page is, or the next one will be.
        (true, true) => 0,
        (true, false) => match own.mode {
            MemoryPolicyMode::MPOL_INTERLEAVE | MemoryPolicyMode::MPOL_WEIGHTED_INTERLEAVE => 0,
            _ => return Err(Errno::EINVAL),
        },
    };
    user::put_if(mode_at, &mode)?;
    put_nodes(nodes_at, bits, own.nodes)
}

fn sys_mbind(call: &mut Call<'_>) -> Result<u64> {
    let (start, len, mode) = (call.pointer(0), call.ulong(1), call.int(2));
    let (nodes, bits) = (call.pointer(3), call.ulong(4));
    let (mode, mode_flags) = mode_and_flags(mode)?;
    let nodes = nodes_at(nodes, bits)?;
    let flags: BindFlags = call.flags(5)?;
    if flags.contains(BindFlags::MPOL_MF_MOVE_ALL) {
        call.thread.credentials().require(Capabilities::CAP_SYS_NICE)?;
    }
    let len = page_range(start, len)?;
    if len == 0 {
        return Ok(0);
    }
    policy(mode, mode_flags, nodes)?;
    let space = call.thread.process.space();
    space.check_mapped(start, len).map_err(|_| Errno::EFAULT)?;
    Ok(0)
}

fn sys_set_mempolicy_home_node(call: &mut Call<'_>) -> Result<u64> {
    let (start, len, node, flags) = (call.pointer(0), call.ulong(1), call.ulong(2), call.ulong(3));
    if !start.is_multiple_of(PAGE_SIZE) || flags != 0 || node != 0 {
        return Err(Errno::EINVAL);
    }
    if page_range(start, len)? == 0 {
        return Ok(0);
    }
    // No range has a policy of its own.
    Err(Errno::ENOENT)
}

fn sys_migrate_pages(call: &mut Call<'_>) -> Result<u64> {
    let (bits, old, new) = (call.ulong(1), call.pointer(2), call.pointer(3));
    nodes_at(old, bits)?;
    let new = nodes_at(new, bits)?;
    let target = process_of(call)?;
    may_move(call, &target)?;
    let there_are = |index| if index == 0 { ONLINE } else { 0 };
    let is_beyond = new
        .iter()
        .enumerate()
        .any(|(index, &word)| word & !there_are(index) != 0);
    if is_beyond {
        call.thread.credentials().require(Capabilities::CAP_SYS_NICE)?;
    }
    if first_word(&new) & ONLINE == 0 {
        return Err(Errno::EINVAL);
    }
    // How many pages could not be moved.
    Ok(0)
}

fn sys_move_pages(call: &mut Call<'_>) -> Result<u64> {
    let (count, pages, nodes, status) = (call.ulong(1), call.pointer(2), call.pointer(3), call.pointer(4));
    let flags: BindFlags = call.flags(5)?;
    if flags.contains(BindFlags::MPOL_MF_STRICT) {
        return Err(Errno::EINVAL);
    }
    if flags.contains(BindFlags::MPOL_MF_MOVE_ALL) {
        call.thread.credentials().require(Capabilities::CAP_SYS_NICE)?;
    }
    let target = process_of(call)?;
    may_move(call, &target)?;
    let space = target.space();
    for index in 0..count {
        let element = |array: Address, size: u64| {
            let offset = index.checked_mul(size);
            offset
                .and_then(|offset| array.checked_add(offset))
                .ok_or(Errno::EFAULT)
        };
        let page: u64 = user::get(element(pages, 8)?)?;
        if nodes != 0 {
            let node: i32 = user::get(element(nodes, 4)?)?;
            if node != 0 {
                return Err(Errno::ENODEV);
            }
        }
        user::put(element(status, 4)?, &node_of(&space, page))?;
    }
    Ok(0)
}

/// The node where a page lies, or the negated error.
fn node_of(space: &AddressSpace, address: Address) -> i32 {
    match space
        .residency(address - address % PAGE_SIZE, PAGE_SIZE)
        .as_deref()
    {
        Ok([0]) => Errno::ENOENT.as_return() as i32,
        Ok(_) => 0,
        Err(_) => Errno::EFAULT.as_return() as i32,
    }
}

/// A mode and the flags that stand beside it (`sanitize_mpol_flags` of the kernel).
fn mode_and_flags(raw: i32) -> Result<(MemoryPolicyMode, MemoryPolicyModeFlags)> {
    let raw = raw.cast_unsigned();
    let flags = MemoryPolicyModeFlags::from_bits_truncate(raw & MPOL_MODE_FLAGS);
    let mode = MemoryPolicyMode(raw & !MPOL_MODE_FLAGS);
    let numbers = MemoryPolicyModeFlags::NUMBERS;
    let is_wrong = mode.0 > MemoryPolicyMode::MPOL_WEIGHTED_INTERLEAVE.0
        || flags.contains(numbers)
        || (flags.contains(MemoryPolicyModeFlags::MPOL_F_NUMA_BALANCING)
            && !matches!(
                mode,
                MemoryPolicyMode::MPOL_BIND | MemoryPolicyMode::MPOL_PREFERRED_MANY
            ));
    match is_wrong {
        true => Err(Errno::EINVAL),
        false => Ok((mode, flags)),
    }
}

/// The policy that a program asks for (`mpol_new` and `mpol_set_nodemask` of the kernel).
fn policy(mode: MemoryPolicyMode, flags: MemoryPolicyModeFlags, nodes: Nodes) -> Result<MemoryPolicy> {
    let has_nodes = nodes.iter().any(|&word| word != 0);
    let names_numbers = flags.intersects(MemoryPolicyModeFlags::NUMBERS);
    let mode = match (mode, has_nodes) {
        (MemoryPolicyMode::MPOL_DEFAULT, false) => {
            return Ok(MemoryPolicy {
                mode,
                flags: MemoryPolicyModeFlags::empty(),
                nodes: 0,
            });
        }
        (MemoryPolicyMode::MPOL_PREFERRED | MemoryPolicyMode::MPOL_LOCAL, false) if !names_numbers => {
            MemoryPolicyMode::MPOL_LOCAL
        }
        (MemoryPolicyMode::MPOL_DEFAULT | MemoryPolicyMode::MPOL_LOCAL, _) | (_, false) => {
            return Err(Errno::EINVAL);
        }
        (mode, true) => mode,
    };
    let effective = match mode {
        MemoryPolicyMode::MPOL_LOCAL => 0,
        // Counted around the nodes that there are: each number is the first one.
        _ if flags.contains(MemoryPolicyModeFlags::MPOL_F_RELATIVE_NODES) => ONLINE,
        _ if first_word(&nodes) & ONLINE == 0 => return Err(Errno::EINVAL),
        _ => first_word(&nodes) & ONLINE,
    };
    let nodes = if names_numbers {
        first_word(&nodes)
    } else {
        effective
    };
    Ok(MemoryPolicy { mode, flags, nodes })
}

/// The mask of nodes at an address, of one bit less than `bits` (`get_nodes` of the kernel). EINVAL for a bit beyond those that Linux has.
fn nodes_at(at: Address, bits: u64) -> Result<Nodes> {
    let bits = bits.wrapping_sub(1);
    if bits == 0 || at == 0 {
        return Ok(Vec::new());
    }
    if bits > PAGE_SIZE * 8 {
        return Err(Errno::EINVAL);
    }
    let count = bits.div_ceil(64) as usize;
    let mut words = user::get_all::<u64>(at, count, count)?;
    if let (Some(last), within @ 1..) = (words.last_mut(), bits % 64) {
        *last &= (1 << within) - 1;
    }
    match words.iter().skip(MAX_NODES / 64).any(|&word| word != 0) {
        true => Err(Errno::EINVAL),
        false => Ok(words),
    }
}

fn first_word(nodes: &[u64]) -> u64 {
    nodes.first().copied().unwrap_or_default()
}

/// Gives a mask to a program that has room for one bit less than `bits` (`copy_nodes_to_user` of the kernel).
fn put_nodes(at: Address, bits: u64, nodes: u64) -> Result<u64> {
    let size = bits.wrapping_sub(1).div_ceil(64).saturating_mul(8);
    if at == 0 || size == 0 {
        return Ok(0);
    }
    if size > PAGE_SIZE {
        return Err(Errno::EINVAL);
    }
    let mut mask = nodes.to_ne_bytes().to_vec();
    mask.resize(size as usize, 0);
    user::put_bytes(at, &mask)?;
    Ok(0)
}

/// The length of a range in whole pages; EINVAL unless it begins with one and ends before the last address.
fn page_range(start: Address, len: u64) -> Result<u64> {
    let len = len.checked_next_multiple_of(PAGE_SIZE).unwrap_or_default();
    match start.is_multiple_of(PAGE_SIZE) && start.checked_add(len).is_some() {
        true => Ok(len),
        false => Err(Errno::EINVAL),
    }
}

/// The process that the first argument names; 0 is the calling one.
fn process_of(call: &Call<'_>) -> Result<alloc::sync::Arc<Process>> {
    let pid = call.uint(0);
    if pid == 0 {
        return Ok(call.thread.process.clone());
    }
    let thread = table::thread(pid).ok_or(Errno::ESRCH)?;
    Ok(thread.process.clone())
}

/// EPERM unless the caller may look into a process.
fn may_move(call: &Call<'_>, target: &Process) -> Result<()> {
    match may_inspect(call.thread, target) {
        true => Ok(()),
        false => Err(Errno::EPERM),
    }
}
