//! How the processors lie, as CPUID says it: each is a core of its own, and all are one package with one last cache, as in
//! `/sys/devices/system/cpu`.
//!
//! The host's answers are of its own processors, and of the one on which it happened to ask. Programs that look at each processor by
//! binding a thread to it (hwloc, OpenMP, Intel's libraries) would find one many times.

use alloc::vec::Vec;

use libos_fs::{Cache, CacheKind};

/// The leaf of version and features, Intel's of caches, and the two of extended topology (SDM vol. 2A, CPUID).
const FEATURES: u32 = 0x1;
const CACHES: u32 = 0x4;
const TOPOLOGY: u32 = 0xb;
const TOPOLOGY_V2: u32 = 0x1f;
/// AMD's leaves of sizes, of caches, of identifiers, and of extended topology (APM vol. 3, appendix E).
const SIZES: u32 = 0x8000_0008;
const CACHES_AMD: u32 = 0x8000_001d;
const IDENTIFIERS: u32 = 0x8000_001e;
const TOPOLOGY_AMD: u32 = 0x8000_0026;

/// The lowest level of a cache that all processors share.
const SHARED_LEVEL: u32 = 3;

/// The host's answer with what it says of the topology replaced, on processor `number` of `count`.
pub(super) fn place(leaf: u32, subleaf: u32, answer: [u32; 4], count: u32, number: u32) -> [u32; 4] {
    let [a, b, c, d] = answer;
    // Identifiers are numbered in as many bits as the highest needs.
    let width = count.next_power_of_two().trailing_zeros();
    let last = count.next_power_of_two() - 1;
    match leaf {
        FEATURES => {
            const SEVERAL: u32 = 1 << 28;
            let several = if count > 1 { SEVERAL } else { 0 };
            let counted = count.next_power_of_two().min(0xff) << 16;
            [
                a,
                b & 0xffff | counted | (number & 0xff) << 24,
                c,
                d & !SEVERAL | several,
            ]
        }
        CACHES | CACHES_AMD => {
            let sharing = match level(a) {
                0..SHARED_LEVEL => 0,
                _ => last.min(0xfff),
            };
            // Cores of the package; AMD reserves these bits.
            let cores = if leaf == CACHES && a & 0x1f != 0 {
                last.min(0x3f)
            } else {
                0
            };
            [a & 0x3fff | sharing << 14 | cores << 26, b, c, d]
        }
        // A processor without it answers zeros.
        TOPOLOGY | TOPOLOGY_V2 if answer == [0; 4] && subleaf == 0 => answer,
        TOPOLOGY | TOPOLOGY_V2 => {
            const THREADS: u32 = 1 << 8;
            const CORES: u32 = 2 << 8;
            match subleaf {
                0 => [0, 1, THREADS, number],
                1 => [width, count, CORES | 1, number],
                _ => [0, 0, subleaf & 0xff, number],
            }
        }
        SIZES => [a, b, c & !0xf0ff | (count - 1).min(0xff) | width << 12, d],
        IDENTIFIERS => [number, number & 0xff, 0, d],
        // Programs then take the leaf that both makers have.
        TOPOLOGY_AMD => [0; 4],
        _ => answer,
    }
}

/// The caches that these answers of a leaf of caches (subleaf 0, 1, …) describe.
pub(super) fn caches(answers: impl Iterator<Item = [u32; 4]>) -> Vec<Cache> {
    answers
        .map_while(|[a, b, c, _]| {
            let kind = match a & 0x1f {
                1 => CacheKind::Data,
                2 => CacheKind::Instruction,
                3 => CacheKind::Unified,
                _ => return None,
            };
            Some(Cache {
                level: level(a),
                kind,
                line_size: (b & 0xfff) + 1,
                partitions: (b >> 12 & 0x3ff) + 1,
                ways: (b >> 22) + 1,
                sets: c.saturating_add(1),
                is_shared: level(a) >= SHARED_LEVEL,
            })
        })
        .collect()
}

/// The leaves of caches: Intel's, then AMD's. A processor has one of them.
pub(super) const CACHE_LEAVES: [u32; 2] = [CACHES, CACHES_AMD];

/// Subleaves of a leaf of caches that are looked at: no processor has more caches.
pub(super) const MAX_CACHES: u32 = 8;

/// The level of a cache, by EAX of its subleaf.
const fn level(eax: u32) -> u32 {
    eax >> 5 & 0x7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_processor_is_a_core_of_one_package() {
        let claim = [0x00a1_0f11, 0x7f08_0800, 0, 0];
        assert_eq!(place(1, 0, claim, 2, 1)[1], 0x0102_0800);
        assert_eq!(place(0xb, 0, [1, 2, 0x100, 9], 6, 5), [0, 1, 0x100, 5]);
        assert_eq!(place(0xb, 1, [7, 99, 0x201, 9], 6, 5), [3, 6, 0x201, 5]);
        assert_eq!(place(0xb, 2, [0; 4], 6, 5), [0, 0, 2, 5]);
        assert_eq!(place(0x1f, 0, [0; 4], 6, 5), [0; 4]);
        assert_eq!(place(0x8000_001e, 0, [9, 0x0109, 0x0301, 0], 6, 5), [5, 5, 0, 0]);
        assert_eq!(place(0x8000_0026, 0, [1, 2, 3, 4], 6, 5), [0; 4]);
        // The highest numbers do not overflow.
        assert_eq!(
            place(0xb, 1, [7, 99, 0x201, 9], 4096, 4095),
            [12, 4096, 0x201, 4095]
        );
        assert_eq!(place(1, 0, claim, 4096, 4095)[1] >> 16, 0xffff);
    }

    #[test]
    fn only_the_last_cache_is_shared() {
        // EPYC 9004: 32 KiB, 8 ways; 32 MiB, 16 ways.
        let first = [0x0000_4121, 0x01c0_003f, 63, 0];
        let last = [0x0003_c163, 0x03c0_003f, 32767, 1];
        assert_eq!(place(0x8000_001d, 0, first, 2, 0)[0], 0x121);
        assert_eq!(place(0x8000_001d, 3, last, 2, 0)[0], 0x4163);
        let found = caches([first, last, [0; 4], last].into_iter());
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].size(), found[0].ways, found[0].is_shared),
            (32 << 10, 8, false)
        );
        assert_eq!(
            (found[1].size(), found[1].level, found[1].is_shared),
            (32 << 20, 3, true)
        );
        let greatest = caches([[0xe3, u32::MAX, u32::MAX, 0]].into_iter());
        assert!(greatest[0].size() > 1 << 60);
    }
}
