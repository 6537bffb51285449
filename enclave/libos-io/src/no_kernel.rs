//! Tests run outside an enclave, where there is no LibOS to call: what the runtime links to, and none of it
//! is ever used.

use enclave_rt::frame::{SyscallFrame, TrapFrame};
use enclave_rt::handlers::Kernel;
use enclave_rt::user::Access;

struct NoKernel;

impl Kernel for NoKernel {
    fn boot(&self) -> ! {
        unreachable!("nobody enters")
    }

    fn syscall(&self, _: &mut SyscallFrame) {}

    fn syscall_pending(&self, _: &mut SyscallFrame) {}

    fn trap(&self, _: &mut TrapFrame) {}

    fn trap_pending(&self, _: &mut TrapFrame) {}

    fn populate(&self, _: u64, _: Access) -> bool {
        false
    }

    fn not_sent(&self, _: u64, _: Option<kobject::Errno>) {
        unreachable!("nothing is posted without an enclave")
    }

    fn is_present(&self, _: u64, _: Access) -> bool {
        false
    }
}

enclave_rt::kernel!(&NoKernel);
