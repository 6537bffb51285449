//! membarrier.

use core::sync::atomic::Ordering;

use kobject::{Errno, Result};

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

const QUERY: u64 = 0;
const GLOBAL: u64 = 1;
const GLOBAL_EXPEDITED: u64 = 2;
const REGISTER_GLOBAL_EXPEDITED: u64 = 4;
const PRIVATE_EXPEDITED: u64 = 8;
const REGISTER_PRIVATE_EXPEDITED: u64 = 16;
const GET_REGISTRATIONS: u64 = 512;

fn sys_membarrier(call: &mut Call<'_>) -> Result<u64> {
    let (command, flags) = (u64::from(call.uint(0)), call.uint(1));
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let process = &call.thread.process;
    match command {
        QUERY => Ok(GLOBAL
            | GLOBAL_EXPEDITED
            | REGISTER_GLOBAL_EXPEDITED
            | PRIVATE_EXPEDITED
            | REGISTER_PRIVATE_EXPEDITED
            | GET_REGISTRATIONS),
        REGISTER_GLOBAL_EXPEDITED | REGISTER_PRIVATE_EXPEDITED => {
            process.barriers.fetch_or(command, Ordering::Relaxed);
            Ok(0)
        }
        GET_REGISTRATIONS => Ok(process.barriers.load(Ordering::Relaxed)),
        PRIVATE_EXPEDITED if process.barriers.load(Ordering::Relaxed) & REGISTER_PRIVATE_EXPEDITED == 0 => {
            Err(Errno::EPERM)
        }
        PRIVATE_EXPEDITED => {
            barrier::run(call.thread, process.threads());
            Ok(0)
        }
        GLOBAL | GLOBAL_EXPEDITED => {
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
