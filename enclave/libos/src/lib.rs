//! The kernel of the container: processes, signals, time and the system-call table.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;
use enclave_rt::handlers::Kernel;
struct K;
impl Kernel for K {
    fn boot(&self) -> ! { 
        enclave_rt::call::staging().write(b"hello\n");
        let _ = enclave_rt::call::call(&host_abi::Message{kind: host_abi::MessageKind::Notice, len: 6});
        let v = alloc::vec![1u8; 100000];
        panic!("x {}", v[99]) }
    fn syscall(&self, _: &mut enclave_rt::frame::SyscallFrame) {}
    fn syscall_pending(&self, _: &mut enclave_rt::frame::SyscallFrame) {}
    fn trap(&self, _: &mut enclave_rt::frame::TrapFrame) {}
    fn trap_pending(&self, _: &mut enclave_rt::frame::TrapFrame) {}
    fn populate(&self, _: u64, _: enclave_rt::user::Access) -> bool { false }
}
/// The LibOS, for the runtime.
pub static KERNEL: &dyn Kernel = &K;
