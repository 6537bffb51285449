//! A host runtime that tells one lie.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::ThreadId;

use host_abi::{Answer, BootInfo, CallCode, CpuidEntry, ReadyEvent, STAGING_SIZE};
use host_runtime::hostile::{HostRegisters, Left, VectorState};
use host_runtime::{Host, Staging};
use sector_cipher::ImageKey;

use crate::lies::{self, Boot, Lie, Registers, Tell, When};
use crate::sample::noise;

/// Statuses of the lying host's own.
pub mod status {
    /// The program saw what no Linux shows (`guests/claims.h`).
    pub const BROKEN: i32 = 9;
    /// The enclave neither ends nor calls: it computes for ever.
    pub const SPINS: i32 = 96;
    /// The enclave has handed out what it must keep.
    pub const BETRAYED: i32 = 97;
    /// The enclave has not ended in time; it waits for the host, or asks again and again.
    pub const STARVED: i32 = 98;
}

/// A host that tells one lie, and otherwise the truth.
pub struct Liar {
    lie: &'static Lie,
    calls: AtomicU64,
    lied_to: AtomicU64,
    random: AtomicU64,
    has_written: AtomicBool,
    last: Mutex<Answer>,
    first: Mutex<Option<(Answer, Vec<u8>)>>,
    known: Mutex<(HashSet<ThreadId>, Vec<Staging>)>,
}

impl Liar {
    /// Tells this lie.
    pub fn new(lie: &'static Lie) -> Self {
        Self {
            lie,
            calls: AtomicU64::new(0),
            lied_to: AtomicU64::new(0),
            random: AtomicU64::new(1),
            has_written: AtomicBool::new(false),
            last: Mutex::new(Answer {
                value: 0,
                extra: [0; 2],
            }),
            first: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// What is told.
    pub fn lie(&self) -> &'static Lie {
        self.lie
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// Changes what lies in the staging buffers, for [`Tell::Race`]. To be called again and again from a thread of its own.
    pub fn race(&self) {
        let stagings = self.known.lock().expect("no panic").1.clone();
        for staging in stagings {
            let at = self.next_random() as usize % 4096;
            staging.write(at, &noise(64, self.next_random()));
        }
    }

    fn next_random(&self) -> u64 {
        // Weyl's sequence, mixed (splitmix64).
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 27
    }

    /// Looks for what the enclave must not hand out.
    fn look_for_secrets(&self, staging: Staging) {
        // The whole buffer now and then; its beginning is what most calls use.
        let len = if self.calls().is_multiple_of(32) {
            STAGING_SIZE
        } else {
            4096
        };
        let bytes = staging.read(0, len);
        if bytes.windows(16).any(|window| window == &secret()[..16]) {
            betrayed("the secret is in the staging buffer");
        }
    }

    fn note(&self, staging: Staging) {
        let mut known = self.known.lock().expect("no panic");
        if known.0.insert(std::thread::current().id()) {
            known.1.push(staging);
        }
    }

    fn is_told(&self, when: When) -> bool {
        let count = self.lied_to.fetch_add(1, Relaxed);
        match when {
            When::Always => true,
            When::Only(which) => count == which,
            When::Every(of) => count % of == of - 1,
        }
    }

    fn tell(&self, what: lies::Answer, staging: Staging, honest: &mut dyn FnMut() -> Answer) -> Answer {
        use lies::Answer::{
            Extra, Filled, Instead, Noise, Random, Repeated, Replayed, Shifted, Staged, Stale, Value,
        };
        match what {
            Value(value) => Answer { value, ..honest() },
            Shifted(by) => {
                let answer = honest();
                Answer {
                    value: answer.value.wrapping_add(by),
                    ..answer
                }
            }
            Instead(value, extra) => Answer { value, extra },
            Extra(index, word) => {
                let mut answer = honest();
                answer.extra[index] = word;
                answer
            }
            Noise(from) => {
                let answer = honest();
                staging.write(from, &noise(STAGING_SIZE - from, self.next_random()));
                answer
            }
            Filled(from, byte) => {
                let answer = honest();
                staging.write(from, &vec![byte; STAGING_SIZE - from]);
                answer
            }
            Staged(bytes, value) => {
                staging.write(0, bytes);
                // Where sockets have their data.
                staging.write(host_abi::MAX_SOCKADDR, bytes);
                let len = bytes.len() as u64;
                Answer {
                    value,
                    extra: [len.min(16), 0],
                }
            }
            Repeated(count) => {
                let answer = honest();
                if answer.value <= 0 {
                    return answer;
                }
                let first = staging.read(0, ReadyEvent::SIZE);
                staging.write(0, &first.repeat(count as usize));
                Answer {
                    value: count,
                    ..answer
                }
            }
            Random => {
                honest();
                let word = || match self.next_random() % 4 {
                    0 => self.next_random(),
                    1 => self.next_random() % 8,
                    2 => self.next_random() % (1 << 17),
                    _ => (self.next_random() % 140).wrapping_neg(),
                };
                Answer {
                    value: word().cast_signed(),
                    extra: [word(), word()],
                }
            }
            Replayed => {
                let mut first = self.first.lock().expect("no panic");
                let (answer, bytes) = first.get_or_insert_with(|| (honest(), staging.read(0, STAGING_SIZE)));
                staging.write(0, bytes);
                *answer
            }
            Stale => *self.last.lock().expect("no panic"),
        }
    }

    fn changed(&self, honest: Vec<u8>, change: Boot) -> Vec<u8> {
        let mut bytes = honest;
        match change {
            Boot::Word(at, word) => bytes[at..at + 8].copy_from_slice(&word.to_le_bytes()),
            // All ones: no length that would fit.
            Boot::Cut(len) => bytes[len..].fill(0xff),
            Boot::Noise => bytes = noise(STAGING_SIZE, 5),
            _ => {
                let mut info = BootInfo::decode(&bytes).expect("an honest start");
                change_info(&mut info, change);
                bytes = info.encode(STAGING_SIZE).expect("a lie that fits");
            }
        }
        bytes
    }
}

fn change_info(info: &mut BootInfo, change: Boot) {
    match change {
        Boot::Cpuid(word) => info
            .cpuid
            .iter_mut()
            .for_each(|entry| entry.registers = [word; 4]),
        Boot::CpuidRegister([leaf, subleaf], register, value) => {
            let asked = |entry: &&mut CpuidEntry| [entry.leaf, entry.subleaf] == [leaf, subleaf];
            let entry = info.cpuid.iter_mut().find(asked);
            entry.expect("a leaf that every host tells").registers[register] = value;
        }
        Boot::CpuidNoise => {
            let words = noise(16 * info.cpuid.len(), 3);
            for (entry, words) in info.cpuid.iter_mut().zip(words.as_chunks::<16>().0) {
                let word =
                    |at: usize| u32::from_le_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]]);
                *entry = CpuidEntry {
                    registers: [word(0), word(4), word(8), word(12)],
                    ..*entry
                };
            }
        }
        Boot::Args(count, len) => info.args = vec![vec![b'a'; len]; count],
        Boot::Env(variable) => info.env = vec![variable.to_vec()],
        Boot::Hostname(name) => info.hostname = name.to_vec(),
        Boot::ResolvConf(len) => info.resolv_conf = vec![b'#'; len],
        Boot::ImageKey => {
            info.image_key = ImageKey::new(&std::array::from_fn::<u8, 64, _>(|at| at as u8)).ok()
        }
        Boot::Flags => {
            info.flags = host_abi::BootFlags {
                trace: true,
                stats: true,
                terminal: false,
            }
        }
        Boot::Word(..) | Boot::Cut(_) | Boot::Noise => {}
    }
}

/// The program's secret (`guests/claims.h`).
fn secret() -> [u8; 32] {
    std::array::from_fn(|i| (i as u8).wrapping_mul(37).wrapping_add(11) ^ 0x5a)
}

fn betrayed(what: &str) -> ! {
    eprintln!("{what}");
    std::process::exit(status::BETRAYED)
}

/// The host's registers, as [`Tell::Registers`] has them.
#[derive(Debug)]
pub struct Hands(pub Registers);

impl HostRegisters for Hands {
    fn present(&self) -> Option<VectorState> {
        match self.0 {
            Registers::AsTheyAre => None,
            Registers::Used(components, mxcsr, fcw) => {
                Some(VectorState::filled(components, 0x77, mxcsr, fcw))
            }
        }
    }

    fn observe(&self, left: &Left) {
        // Registers hold the secret in pieces of at least 8 bytes.
        let secret = secret();
        let pieces = [&secret[..8], &secret[8..16]];
        let bytes = left.vector.bytes();
        if let Some(at) = bytes.windows(8).position(|window| pieces.contains(&window)) {
            betrayed(&format!(
                "the secret is in the vector state, at {at} of the XSAVE image"
            ));
        }
        for (number, register) in left.general.iter().enumerate() {
            if pieces.contains(&&register.to_le_bytes()[..]) {
                betrayed(&format!("the secret is in general register {number}"));
            }
        }
        const RSP: usize = 4;
        const RBP: usize = 5;
        if [left.general[RSP], left.general[RBP]] != left.stack {
            betrayed("RSP and RBP are not the host's");
        }
    }
}

impl Host for Liar {
    fn answer(
        &self,
        code: CallCode,
        _: [u64; 6],
        staging: Staging,
        honest: &mut dyn FnMut() -> Answer,
    ) -> Answer {
        self.calls.fetch_add(1, Relaxed);
        self.look_for_secrets(staging);
        self.note(staging);
        if code == CallCode::StreamWrite {
            self.has_written.store(true, Relaxed);
        }
        // No sample was converted with --debug, so none may let its host run anything in it.
        if matches!(code, CallCode::TakeRequest | CallCode::AnswerRequest) {
            betrayed("an enclave without debugging takes requests of its host");
        }
        match self.lie.tell {
            Tell::Answer(calls, when, what) if calls.contains(&code) => {
                let answer = if self.is_told(when) {
                    self.tell(what, staging, honest)
                } else {
                    honest()
                };
                *self.last.lock().expect("no panic") = answer;
                answer
            }
            _ => honest(),
        }
    }

    fn boot_info(&self, honest: Vec<u8>) -> Vec<u8> {
        match self.lie.tell {
            Tell::Boot(change) => self.changed(honest, change),
            _ => honest,
        }
    }

    fn signals(&self, honest: u64) -> u64 {
        match self.lie.tell {
            Tell::Signals(mask) if self.has_written.load(Relaxed) && self.next_random().is_multiple_of(8) => {
                mask
            }
            _ => honest,
        }
    }

    fn sent(&self, honest: i64) -> i64 {
        match self.lie.tell {
            Tell::Posted(result) => {
                self.is_told(When::Always);
                result
            }
            _ => honest,
        }
    }

    fn call_area(&self, honest: u64) -> u64 {
        match self.lie.tell {
            Tell::CallArea(address) => address,
            _ => honest,
        }
    }
}
