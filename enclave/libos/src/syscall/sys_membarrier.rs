//! membarrier.

use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use linux_abi::MembarrierCommand;

use super::Call;
use super::table::Row;
use crate::process::{barrier, table};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    324,
    "membarrier",
    sys_membarrier,
    "dxd",
    "not for changed instructions (SYNC_CORE), nor for restartable sequences (RSEQ)",
)];

fn sys_membarrier(call: &mut Call<'_>) -> Result<u64> {
    let (command, flags) = (call.uint(0), call.uint(1));
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let process = &call.thread.process;
    let registered = MembarrierCommand::from_bits_retain(process.barriers.load(Ordering::Relaxed));
    match MembarrierCommand::from_bits_retain(command) {
        query if query.is_empty() => Ok(MembarrierCommand::all().bits().into()),
        MembarrierCommand::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
        | MembarrierCommand::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED => {
            process.barriers.fetch_or(command, Ordering::Relaxed);
            Ok(0)
        }
        MembarrierCommand::MEMBARRIER_CMD_GET_REGISTRATIONS => Ok(registered.bits().into()),
        MembarrierCommand::MEMBARRIER_CMD_PRIVATE_EXPEDITED
            if !registered.contains(MembarrierCommand::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) =>
        {
            Err(Errno::EPERM)
        }
        MembarrierCommand::MEMBARRIER_CMD_PRIVATE_EXPEDITED => {
            barrier::run(call.thread, process.threads());
            Ok(0)
        }
        MembarrierCommand::MEMBARRIER_CMD_GLOBAL | MembarrierCommand::MEMBARRIER_CMD_GLOBAL_EXPEDITED => {
            let threads = table::processes()
                .iter()
                .flat_map(|process| process.threads())
                .collect();
            barrier::run(call.thread, threads);
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}
