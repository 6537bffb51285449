//! An enclave that does what a measured script says: host calls with fixed arguments and checks of their answers. It
//! stands for the library OS where the host runtime is to be tested alone.
#![expect(dead_code, reason = "each test file uses a part")]

#[path = "../../../sgx-platform/tests/tiny_enclave/signing.rs"]
mod signing;

use std::arch::global_asm;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use enclave_layout::{IMAGE_BASE, SLOT_STRIDE, Slot};
use host_abi::{HostCall, STAGING_OFFSET};
use sgx_arch::{SecInfo, SigStruct};
use sha2::{Digest, Sha256};
use signing::{Page, sgxs, sign, slot_pages, unsigned};

/// The script: first a word per thread, where it begins; then steps.
const SCRIPT: u64 = IMAGE_BASE + 0x10_0000;
/// Bytes to stage.
const BYTES: u64 = IMAGE_BASE + 0x20_0000;
/// A word that threads share.
pub const FLAG: u64 = IMAGE_BASE + 0x30_0000;
/// The host signals that have come to any thread.
pub const SIGNALS: u64 = FLAG + 8;
/// An argument: the answer of the last call.
const LAST: u64 = u64::MAX - 1;

/// One step: code, six arguments, length and address of what is staged, where in the staging buffer.
const STEP_SIZE: u64 = 80;

const END_THREAD: u64 = 0xff00;
const EXPECT: u64 = 0xff01;
const AWAIT: u64 = 0xff02;
const STORE: u64 = 0xff03;
const TRAP: u64 = 0xff04;
const REPEAT: u64 = 0xff05;

global_asm!(
    r#"
.section .text.scripted_enclave, "ax"
.balign 4096
.globl script_begin
script_begin:
    test rax, rax
    jnz 90f
    mov gs:[16], rcx
    rdgsbase rax
    lea rsp, [rax - 0x5010]
    cmp qword ptr gs:[24], 0
    jne 20f
# A thread begins: r12 = its first step.
    mov gs:[8], rdi
    movabs rcx, {first_gs}
    sub rax, rcx
    shr rax, {slot_shift}
    movabs rcx, {script}
    mov r12, [rcx + rax * 8]
# The step at r12.
10: mov gs:[24], r12
    mov rax, [r12]
    cmp rax, {end_thread}
    je 30f
    cmp rax, {expect}
    je 31f
    cmp rax, {await}
    je 32f
    cmp rax, {store}
    je 33f
    cmp rax, {trap}
    je 34f
    cmp rax, {repeat}
    je 35f
# A host call: bytes to stage, then the record.
    mov rbx, gs:[8]
    lea rdi, [rbx + {staging}]
    add rdi, [r12 + 72]
    mov rcx, [r12 + 56]
    mov rsi, [r12 + 64]
    cld
    rep movsb
    mov rax, [r12]
    mov [rbx], rax
    mov ecx, 1
11: mov rax, [r12 + rcx * 8]
    cmp rax, {last}
    jne 12f
    mov rax, gs:[32]
12: mov [rbx + rcx * 8], rax
    inc ecx
    cmp ecx, 7
    jne 11b
    xor edi, edi
21: mov rbx, gs:[16]
    mov eax, 4
    enclu
    .byte 0x66, 0x90
# Back from it.
20: mov rbx, gs:[8]
    mov rax, [rbx + 56]
    mov gs:[32], rax
    call 80f
    mov r12, gs:[24]
13: add r12, {step}
    jmp 10b

30: mov qword ptr gs:[24], 0
    mov edi, 1
    jmp 21b
# Expect the last answer, or end with 100 + the number of the argument.
31: mov rax, gs:[32]
    cmp rax, [r12 + 8]
    je 13b
    mov rbx, gs:[8]
    mov qword ptr [rbx], 0
    mov rax, [r12 + 16]
    shl rax, 8
    mov [rbx + 8], rax
    xor edi, edi
    jmp 21b
# Wait for bits of a word.
32: mov rax, [r12 + 8]
    mov rax, [rax]
    test rax, [r12 + 16]
    jz 32b
    jmp 13b
33: mov rax, [r12 + 8]
    mov rcx, [r12 + 16]
    mov [rax], rcx
    jmp 13b
# A system call: #UD.
34: mov eax, 39
    syscall
    mov gs:[32], rax
    jmp 13b
# Goes back some steps, a number of times.
35: inc qword ptr gs:[48]
    mov rax, gs:[48]
    cmp rax, [r12 + 16]
    jae 36f
    imul rax, qword ptr [r12 + 8], {step}
    sub r12, rax
    jmp 10b
36: mov qword ptr gs:[48], 0
    jmp 13b

# Notes the signals in the record.
80: mov rbx, gs:[8]
    mov rax, [rbx + 80]
    movabs rcx, {signals}
    lock or [rcx], rax
    ret

# An exception or interrupt: behind a system call, the answer is -1.
90: mov gs:[40], rcx
    rdgsbase rsp
    sub rsp, 16
    call 80b
    rdgsbase rax
    cmp dword ptr [rax + {ssa_exit_info}], 0
    je 91f
    add qword ptr [rax + {ssa_rip}], 2
    mov qword ptr [rax + {ssa_rax}], -1
91: mov rbx, gs:[40]
    mov edi, 2
    mov eax, 4
    enclu
    .byte 0x66, 0x90
.globl script_end
script_end:
    .balign 4096
.text
"#,
    first_gs = const Slot::new(0).unwrap().gs(),
    slot_shift = const SLOT_STRIDE.trailing_zeros(),
    script = const SCRIPT,
    staging = const STAGING_OFFSET,
    last = const -2,
    step = const STEP_SIZE,
    signals = const SIGNALS,
    end_thread = const END_THREAD,
    expect = const EXPECT,
    await = const AWAIT,
    store = const STORE,
    trap = const TRAP,
    repeat = const REPEAT,
    // The first SSA frame is the page behind GS's; GPRSGX are its last 184 bytes.
    ssa_exit_info = const 8192 - 184 + 160,
    ssa_rip = const 8192 - 184 + 136,
    ssa_rax = const 8192 - 184,
);

unsafe extern "C" {
    fn script_begin();
    fn script_end();
}

fn code() -> &'static [u8] {
    let (begin, end) = (script_begin as *const u8, script_end as *const u8);
    // SAFETY: the assembly between the two labels, which nobody writes.
    unsafe { std::slice::from_raw_parts(begin, end as usize - begin as usize) }
}

/// What threads do, in order.
#[derive(Default)]
pub struct Script {
    steps: Vec<u8>,
    bytes: Vec<u8>,
    threads: Vec<u64>,
}

impl Script {
    const STEPS_AT: u64 = SCRIPT + 128;

    /// What follows is what the next thread does.
    pub fn thread(mut self) -> Self {
        self.threads.push(Self::STEPS_AT + self.steps.len() as u64);
        self
    }

    fn step(mut self, code: u64, args: [u64; 6], staged: &[u8], at: u64) -> Self {
        let words = [staged.len() as u64, BYTES + self.bytes.len() as u64, at];
        self.bytes.extend(staged);
        for word in [code].into_iter().chain(args).chain(words) {
            self.steps.extend(word.to_le_bytes());
        }
        self
    }

    /// A host call.
    pub fn call<C: HostCall>(self, call: C) -> Self {
        self.step(C::CODE as u64, call.to_args(), &[], 0)
    }

    /// A host call whose argument number `index` is the last answer.
    pub fn call_with_last<C: HostCall>(self, call: C, index: usize) -> Self {
        let mut args = call.to_args();
        args[index] = LAST;
        self.step(C::CODE as u64, args, &[], 0)
    }

    /// A host call with bytes that go along, and their place in the staging buffer.
    pub fn call_staged<C: HostCall>(self, call: C, at: u64, bytes: &[u8]) -> Self {
        self.step(C::CODE as u64, call.to_args(), bytes, at)
    }

    /// The last answer must be this, or the container ends with `status`.
    pub fn expect(self, value: i64, status: u8) -> Self {
        self.step(EXPECT, [value.cast_unsigned(), status.into(), 0, 0, 0, 0], &[], 0)
    }

    /// Spins until the word at an address has one of these bits.
    pub fn spin_until(self, address: u64, bits: u64) -> Self {
        self.step(AWAIT, [address, bits, 0, 0, 0, 0], &[], 0)
    }

    /// Stores a word.
    pub fn store(self, address: u64, word: u64) -> Self {
        self.step(STORE, [address, word, 0, 0, 0, 0], &[], 0)
    }

    /// Executes a system call instruction; its handler answers -1.
    pub fn system_call(self) -> Self {
        self.step(TRAP, [0; 6], &[], 0)
    }

    /// Does the last `steps` steps this often.
    pub fn repeat(self, steps: u64, times: u64) -> Self {
        self.step(REPEAT, [steps, times, 0, 0, 0, 0], &[], 0)
    }

    /// Ends the thread.
    pub fn end_thread(self) -> Self {
        self.step(END_THREAD, [0; 6], &[], 0)
    }

    /// Ends the container with an exit code.
    pub fn exit(self, code: u8) -> Self {
        self.call(host_abi::Exit {
            status: u16::from(code) << 8,
        })
    }

    /// The SGXS file and its signature.
    pub fn files(&self) -> (Vec<u8>, Vec<u8>) {
        let mut script = Vec::new();
        for thread in &self.threads {
            script.extend(thread.to_le_bytes());
        }
        script.resize((Self::STEPS_AT - SCRIPT) as usize, 0);
        script.extend(&self.steps);
        let mut pages = Vec::new();
        let mut add = |start: u64, permissions: u64, bytes: &[u8]| {
            for (bytes, page) in bytes.chunks(4096).zip(0..) {
                pages.push(Page::regular(start + page * 4096, permissions, Some(bytes)));
            }
        };
        add(IMAGE_BASE, SecInfo::R | SecInfo::X, code());
        add(SCRIPT, SecInfo::R, &script);
        add(BYTES, SecInfo::R, &self.bytes);
        add(FLAG, SecInfo::R | SecInfo::W, &[0; 16]);
        for index in 0..self.threads.len() as u64 {
            pages.extend(slot_pages(index, IMAGE_BASE));
        }
        let sgxs = sgxs(&pages);
        let enclave_hash = Sha256::digest(&sgxs).into();
        let signature = sign(SigStruct {
            enclave_hash,
            ..unsigned()
        });
        (sgxs, signature.to_bytes().into())
    }

    /// `nacre-host` with this script, in a directory that lives as long as the value.
    pub fn host(&self) -> Host {
        let (sgxs, signature) = self.files();
        Host::new(&sgxs, &signature)
    }
}

/// A prepared `nacre-host`.
pub struct Host {
    pub command: Command,
    dir: PathBuf,
}

impl Host {
    /// Of these files and a root file system of some bytes.
    pub fn new(sgxs: &[u8], signature: &[u8]) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("nacre-host-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = |name: &str| dir.join(name);
        std::fs::write(path("sgxs"), sgxs).unwrap();
        std::fs::write(path("sig"), signature).unwrap();
        std::fs::write(path("rootfs"), [7; 8192]).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_nacre-host"));
        command
            .arg("--sgxs")
            .arg(path("sgxs"))
            .arg("--sig")
            .arg(path("sig"));
        // Scripts are no configured enclaves.
        command.args(["--config", "/dev/null"]);
        command.arg("--rootfs").arg(path("rootfs"));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self { command, dir }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
