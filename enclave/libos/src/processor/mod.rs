//! The processor as programs see it: CPUID, `/proc/cpuinfo`, the auxiliary vector.

mod cpuid;
mod topology;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enclave_rt::frame::{Exception, TrapFrame};
use enclave_rt::{processor, state_component};
use host_abi::BootInfo;
use libos_fs::Cache;

pub(crate) use self::cpuid::Contradiction;
use self::cpuid::Cpuid;
use crate::process::CURRENT;
use crate::user;

/// What is known of the processor.
pub(crate) struct Processor {
    /// How many the host lets the container use, 1 at least.
    pub(crate) count: u32,
    cpuid: Cpuid,
    frequency: u64,
}

impl Processor {
    /// What the host says of it, unless that contradicts what it is.
    pub(crate) fn new(info: &BootInfo) -> Result<Self, Contradiction> {
        let layout = state_component::all().ok_or(Contradiction("XSAVE's layout is not known"))?;
        Ok(Self {
            count: info.processors.clamp(1, 4096),
            cpuid: Cpuid::new(info.cpuid.clone(), processor::components(), layout.collect())?,
            frequency: info.tsc_hz,
        })
    }

    /// AT_HWCAP: CPUID.1:EDX.
    pub(crate) fn capabilities(&self) -> u64 {
        self.cpuid.answer(1, 0)[3].into()
    }

    /// The caches of each processor.
    pub(crate) fn caches(&self) -> Vec<Cache> {
        let of = |leaf| {
            topology::caches((0..topology::MAX_CACHES).map(|subleaf| self.cpuid.answer(leaf, subleaf)))
        };
        let mut found = topology::CACHE_LEAVES.into_iter().map(of);
        found.find(|caches| !caches.is_empty()).unwrap_or_default()
    }

    /// /proc/cpuinfo.
    pub(crate) fn info(&self) -> Vec<u8> {
        let [_, b, c, d] = self.cpuid.answer(0, 0);
        let vendor: Vec<u8> = [b, d, c].iter().flat_map(|word| word.to_le_bytes()).collect();
        let signature = self.cpuid.answer(1, 0)[0];
        let family = ((signature >> 8) & 0xf) + ((signature >> 20) & 0xff);
        let model = ((signature >> 4) & 0xf) | ((signature >> 12) & 0xf0);
        let name: Vec<u8> = (0x8000_0002..=0x8000_0004)
            .flat_map(|leaf| self.cpuid.answer(leaf, 0))
            .flat_map(u32::to_le_bytes)
            .take_while(|&byte| byte != 0)
            .collect();
        let megahertz = self.frequency / 1_000_000;
        let kilohertz = self.frequency / 1000 % 1000;
        let flags = self.flags();
        let mut out = String::new();
        for number in 0..self.count {
            out.push_str(&format!(
                "processor\t: {number}\nvendor_id\t: {}\ncpu family\t: {family}\nmodel\t\t: {model}\n\
                 model name\t: {}\nstepping\t: {}\ncpu MHz\t\t: {megahertz}.{kilohertz:03}\n\
                 physical id\t: 0\nsiblings\t: {count}\ncore id\t\t: {number}\ncpu cores\t: {count}\n\
                 fpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\nflags\t\t: {flags}\n\
                 clflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: 48 bits physical, 48 bits virtual\n\n",
                String::from_utf8_lossy(&vendor),
                String::from_utf8_lossy(&name).trim(),
                signature & 0xf,
                count = self.count,
            ));
        }
        out.into_bytes()
    }

    /// The flags that programs look for, by the kernel's names.
    fn flags(&self) -> String {
        let words = [
            self.cpuid.answer(1, 0)[3],
            self.cpuid.answer(1, 0)[2],
            self.cpuid.answer(7, 0)[1],
            self.cpuid.answer(7, 0)[2],
            self.cpuid.answer(0x8000_0001, 0)[2],
            self.cpuid.answer(0x8000_0001, 0)[3],
        ];
        let known = FLAGS
            .iter()
            .filter(|(word, bit, _)| words.get(*word).is_some_and(|w| w >> bit & 1 == 1));
        known.map(|(.., name)| *name).collect::<Vec<_>>().join(" ")
    }
}

/// Word of `Processor::flags`, bit, name.
const FLAGS: &[(usize, u32, &str)] = &[
    (0, 0, "fpu"),
    (0, 4, "tsc"),
    (0, 8, "cx8"),
    (0, 15, "cmov"),
    (0, 19, "clflush"),
    (0, 23, "mmx"),
    (0, 24, "fxsr"),
    (0, 25, "sse"),
    (0, 26, "sse2"),
    (5, 11, "syscall"),
    (5, 20, "nx"),
    (5, 27, "rdtscp"),
    (5, 29, "lm"),
    (1, 0, "pni"),
    (1, 1, "pclmulqdq"),
    (1, 9, "ssse3"),
    (1, 12, "fma"),
    (1, 13, "cx16"),
    (1, 19, "sse4_1"),
    (1, 20, "sse4_2"),
    (1, 22, "movbe"),
    (1, 23, "popcnt"),
    (1, 25, "aes"),
    (1, 26, "xsave"),
    (1, 28, "avx"),
    (1, 29, "f16c"),
    (1, 30, "rdrand"),
    (4, 0, "lahf_lm"),
    (4, 5, "abm"),
    (2, 3, "bmi1"),
    (2, 5, "avx2"),
    (2, 8, "bmi2"),
    (2, 9, "erms"),
    (2, 16, "avx512f"),
    (2, 17, "avx512dq"),
    (2, 18, "rdseed"),
    (2, 19, "adx"),
    (2, 23, "clflushopt"),
    (2, 24, "clwb"),
    (2, 28, "avx512cd"),
    (2, 29, "sha_ni"),
    (2, 30, "avx512bw"),
    (2, 31, "avx512vl"),
    (3, 9, "vaes"),
    (3, 10, "vpclmulqdq"),
    (3, 22, "rdpid"),
];

/// Answers an instruction that is illegal in an enclave: CPUID, and RDTSCP's kin where the processor lacks them. Whether it was one.
pub(crate) fn emulate(frame: &mut TrapFrame) -> bool {
    const CPUID: [u8; 2] = [0x0f, 0xa2];
    let registers = &mut frame.registers;
    if user::get::<[u8; 2]>(registers.rip) != Ok(CPUID) {
        return false;
    }
    let processor = &crate::container().processor;
    let (leaf, subleaf) = (registers.rax as u32, registers.rcx as u32);
    let answer = processor.cpuid.answer(leaf, subleaf);
    let number = CURRENT.with(|thread| thread.scheduling.lock().processor());
    let [a, b, c, d] = topology::place(leaf, subleaf, answer, processor.count, number);
    (registers.rax, registers.rbx, registers.rcx, registers.rdx) = (a.into(), b.into(), c.into(), d.into());
    registers.rip += 2;
    frame.exception.vector = Exception::NONE;
    true
}
