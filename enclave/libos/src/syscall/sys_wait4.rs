//! wait4, waitid.

use kobject::{Errno, Result};

use super::Call;
use super::table::{Restart, Row};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        61,
        "wait4",
        sys_wait4,
        "dxxx",
        "always ECHILD: there are no child processes in this version",
    )
    .restarts(Restart::WithFlag),
    Row::partial(
        247,
        "waitid",
        sys_wait4,
        "ddxx",
        "always ECHILD: there are no child processes in this version",
    )
    .restarts(Restart::WithFlag),
];

/// There are no children as long as there is no fork.
fn sys_wait4(_: &mut Call<'_>) -> Result<u64> {
    Err(Errno::ECHILD)
}
