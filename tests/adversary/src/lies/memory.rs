//! Lies about the enclave's pages. The enclave accepts each page, so a host that lies about one stops it.

use host_abi::CallCode::{self, *};

use super::Answer::{Instead, Value};
use super::When::{Always, Every, Only};
use super::{ENOMEM, EPERM, End, Lie, answer};

const ALL: &[CallCode] = &[Commit, Protect, Trim, Remove];
const ADDING: &[CallCode] = &[Commit];
/// Without memory a program is killed, as on Linux, or does not start.
const POOR: &[End] = &[End::Right, End::Refused, End::Killed, End::Stopped];
const STOPPED: &[End] = &[End::Refused, End::Killed, End::Stopped];

pub(super) const LIES: &[Lie] = table! {
    answer("memory/none", "threads", ADDING, Always, Instead(ENOMEM, [0; 2]), STOPPED),
    answer("memory/none-sometimes", "threads", ADDING, Every(5), Instead(ENOMEM, [0; 2]), POOR),
    answer("memory/one-is-missing", "threads", ADDING, Only(40), Instead(ENOMEM, [0; 2]), POOR),
    answer("memory/given-but-refused", "threads", ADDING, Every(7), Value(EPERM), POOR),
    answer("memory/not-given", "threads", ADDING, Only(20), Instead(0, [0; 2]), STOPPED),
    answer("memory/value", "threads", ADDING, Only(20), Value(1), POOR),
    answer("memory/not-protected", "threads", &[Protect], Only(3), Instead(0, [0; 2]), STOPPED),
    answer("memory/protection-refused", "threads", &[Protect], Every(3), Instead(EPERM, [0; 2]), POOR),
    answer("memory/not-trimmed", "threads", &[Trim], Only(2), Instead(0, [0; 2]), STOPPED),
    answer("memory/trim-refused", "threads", &[Trim], Only(2), Instead(EPERM, [0; 2]), STOPPED),
    answer("memory/not-removed", "threads", &[Remove], Always, Instead(0, [0; 2]), POOR),
    answer("memory/remove-refused", "threads", &[Remove], Only(2), Instead(EPERM, [0; 2]), STOPPED),
    answer("memory/error-smallest", "threads", ALL, Every(9), Value(i64::MIN), POOR),
};
