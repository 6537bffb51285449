//! `/sys/devices/system/cpu`: the processors, how they lie, and their caches.
//!
//! Each processor is a core of its own, and all are one package with one last cache. How the host's really lie is its secret, or its
//! lie; CPUID says the same as these files.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use kobject::{Errno, Result};

use crate::inode::Link;
use crate::proc::processor_list;
use crate::synthetic::{Item, Numbered, Shape, Subject, Synthetic};
use crate::system::{Cache, CacheKind};

pub(super) const ALL: &[Item] = &[
    Item::fixed("isolated", "\n"),
    Item::fixed("kernel_max", "8191\n"),
    Item::fixed("offline", "\n"),
    Item::text("online", list_of_all),
    Item::text("possible", list_of_all),
    Item::text("present", list_of_all),
];

pub(super) const EACH: Numbered = Numbered {
    prefix: "cpu",
    numbers: |fs, _| (0..fs.system.processors()).collect(),
    subject: |fs, subject, number| (number < fs.system.processors()).then_some(Subject { number, ..subject }),
    permissions: |_, _| 0o555,
    shape: Shape::Directory(
        &[
            Item {
                name: "cache",
                permissions: 0o555,
                shape: Shape::Directory(&[], Some(&CACHES)),
            },
            Item::fixed("online", "1\n"),
            Item::directory("topology", TOPOLOGY),
        ],
        None,
    ),
};

/// The processors of the one memory node, by links.
pub(super) const OF_NODE: Numbered = Numbered {
    prefix: "cpu",
    numbers: |fs, _| (0..fs.system.processors()).collect(),
    subject: |fs, subject, number| (number < fs.system.processors()).then_some(Subject { number, ..subject }),
    permissions: |_, _| 0o777,
    shape: Shape::Link(|_, subject| {
        let path = format!("../../cpu/cpu{}", subject.number);
        Ok(Link::Path(path.into_bytes().into()))
    }),
};

const TOPOLOGY: &[Item] = &[
    Item::text("cluster_cpus", mask_of_this),
    Item::text("cluster_cpus_list", this),
    Item::fixed("cluster_id", "65535\n"),
    Item::text("core_cpus", mask_of_this),
    Item::text("core_cpus_list", this),
    Item::text("core_id", this),
    Item::text("core_siblings", mask_of_all),
    Item::text("core_siblings_list", list_of_all),
    Item::text("die_cpus", mask_of_all),
    Item::text("die_cpus_list", list_of_all),
    Item::fixed("die_id", "0\n"),
    Item::text("package_cpus", mask_of_all),
    Item::text("package_cpus_list", list_of_all),
    Item::fixed("physical_package_id", "0\n"),
    Item::text("thread_siblings", mask_of_this),
    Item::text("thread_siblings_list", this),
];

const CACHES: Numbered = Numbered {
    prefix: "index",
    numbers: |fs, _| (0..).zip(fs.system.caches()).map(|(number, _)| number).collect(),
    subject: |fs, subject, cache| {
        let subject = Subject { cache, ..subject };
        this_cache(fs, subject).is_ok().then_some(subject)
    },
    permissions: |_, _| 0o555,
    shape: Shape::Directory(CACHE, None),
};

const CACHE: &[Item] = &[
    Item::text("coherency_line_size", |fs, subject| {
        line(this_cache(fs, subject)?.line_size)
    }),
    Item::text("id", |fs, subject| {
        let cache = this_cache(fs, subject)?;
        line(if cache.is_shared { 0 } else { subject.number })
    }),
    Item::text("level", |fs, subject| line(this_cache(fs, subject)?.level)),
    Item::text("number_of_sets", |fs, subject| {
        line(this_cache(fs, subject)?.sets)
    }),
    Item::text("physical_line_partition", |fs, subject| {
        line(this_cache(fs, subject)?.partitions)
    }),
    Item::text("shared_cpu_list", |fs, subject| {
        match this_cache(fs, subject)?.is_shared {
            true => list_of_all(fs, subject),
            false => this(fs, subject),
        }
    }),
    Item::text("shared_cpu_map", |fs, subject| {
        match this_cache(fs, subject)?.is_shared {
            true => mask_of_all(fs, subject),
            false => mask_of_this(fs, subject),
        }
    }),
    Item::text("size", |fs, subject| {
        line(format!("{}K", this_cache(fs, subject)?.size() / 1024))
    }),
    Item::text("type", |fs, subject| {
        line(match this_cache(fs, subject)?.kind {
            CacheKind::Data => "Data",
            CacheKind::Instruction => "Instruction",
            CacheKind::Unified => "Unified",
        })
    }),
    Item::text("ways_of_associativity", |fs, subject| {
        line(this_cache(fs, subject)?.ways)
    }),
];

fn this_cache(fs: &Synthetic, subject: Subject) -> Result<Cache> {
    let caches = fs.system.caches();
    caches.get(subject.cache as usize).copied().ok_or(Errno::ENOENT)
}

/// All processors, as `0-1`.
pub(super) fn list_of_all(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    line(processor_list(fs.system.processors()))
}

fn this(_: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    line(subject.number)
}

/// All processors, as `3`.
pub(super) fn mask_of_all(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    line(mask(fs.system.processors(), |_| true))
}

fn mask_of_this(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    line(mask(fs.system.processors(), |number| number == subject.number))
}

fn line(text: impl core::fmt::Display) -> Result<Vec<u8>> {
    Ok(format!("{text}\n").into_bytes())
}

/// A mask of `count` processors as Linux prints it: hexadecimal words of 32 bits, the highest first and as long as it must be.
fn mask(count: u32, has: impl Fn(u32) -> bool) -> String {
    let words = (0..count.div_ceil(32)).rev().map(|word| {
        let first = word * 32;
        let bits = (count - first).min(32);
        let mask = (0..bits)
            .filter(|bit| has(first + bit))
            .fold(0u32, |mask, bit| mask | 1 << bit);
        format!("{mask:0width$x}", width = bits.div_ceil(4) as usize)
    });
    words.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_as_linux_prints_them() {
        assert_eq!(mask(1, |_| true), "1");
        assert_eq!(mask(2, |number| number == 1), "2");
        assert_eq!(mask(12, |_| true), "fff");
        assert_eq!(mask(12, |number| number == 3), "008");
        assert_eq!(mask(64, |number| number == 32), "00000001,00000000");
        assert_eq!(mask(40, |_| true), "ff,ffffffff");
    }
}
