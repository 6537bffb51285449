//! mlock, mlock2, munlock, mlockall, munlockall.

use kobject::Result;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        149,
        "mlock",
        sys_mlock,
        "xl",
        "checked, and without effect: the host could page an enclave out all the same",
    ),
    Row::partial(325, "mlock2", sys_mlock, "xdx", "as mlock"),
    Row::partial(150, "munlock", sys_mlock, "xd", "as mlock"),
    Row::partial(151, "mlockall", sys_mlockall, "x", "as mlock"),
    Row::partial(152, "munlockall", sys_mlockall, "", "as mlock"),
];

/// mlock, mlock2, munlock: the host could page an enclave out whatever is asked here; it stays encrypted.
fn sys_mlock(call: &mut Call<'_>) -> Result<u64> {
    call.thread
        .process
        .space()
        .check_mapped(call.pointer(0), call.ulong(1))?;
    Ok(0)
}

fn sys_mlockall(_: &mut Call<'_>) -> Result<u64> {
    Ok(0)
}
