//! Finds the parts of a converted image, and chooses the bytes to change.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use enclave_config::Config;
use image_convert::{Package, Part};

/// Bytes of a block of the root file system.
pub const BLOCK: u64 = 4096;

/// What a byte of a converted image belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    /// EROFS: superblock, inodes, names, contents. Verified when read.
    FileSystem,
    /// The call-site maps, behind the file system in the same hash tree. What cannot be read of them is as if it were not there:
    /// system calls trap, which is slower and right.
    CallSites,
    /// The superblock of the hash tree, for `veritysetup`: the enclave has its contents from its configuration, and never
    /// reads it.
    VeritySuperblock,
    /// The hash tree.
    HashTree,
    /// The enclave: every record and every chunk is measured.
    Enclave,
    /// Its SIGSTRUCT: signed, or checked against what is signed.
    Signature,
    /// The copy of the configuration, by which the tools tell early what the enclave would refuse. The enclave has its own.
    Config,
    /// The host's own program, which nobody trusts; `nacre run` has its own.
    HostRuntime,
    /// Tar and OCI, around the files: how they are found.
    Wrapping,
}

/// A converted image in one archive.
pub struct Target {
    /// The archive.
    pub archive: PathBuf,
    /// Its length.
    pub len: u64,
    /// Where its parts are, in order, without gaps.
    parts: Vec<(Range<u64>, Region)>,
}

impl Target {
    /// The archive's map.
    ///
    /// # Errors
    /// When a part is not in it.
    pub fn new(archive: &Path, package: &Package) -> Result<Self> {
        let len = archive.metadata()?.len();
        let config = Config::decode(&package.read(Part::Config)?)?;
        let mut known = Vec::new();
        for (part, region) in [
            (Part::HostRuntime, Region::HostRuntime),
            (Part::Enclave, Region::Enclave),
            (Part::Signature, Region::Signature),
            (Part::Config, Region::Config),
        ] {
            let located = package.locate(part).context("no such part")?;
            known.push((located.offset..located.offset + located.len, region));
        }
        let rootfs = package.rootfs();
        let maps = config.rootfs.callsites;
        // A map shares its first block with nothing: it begins at a block's start.
        let ends = [
            (maps.offset, Region::FileSystem),
            (config.rootfs.hash_offset, Region::CallSites),
            (config.rootfs.hash_offset + BLOCK, Region::VeritySuperblock),
            (rootfs.len, Region::HashTree),
        ];
        let mut start = 0;
        for (end, region) in ends {
            known.push((rootfs.offset + start..rootfs.offset + end, region));
            start = end;
        }
        known.sort_by_key(|(range, _)| range.start);
        let mut parts = Vec::new();
        let mut at = 0;
        for (range, region) in known {
            parts.push((at..range.start, Region::Wrapping));
            at = range.end;
            parts.push((range, region));
        }
        parts.push((at..len, Region::Wrapping));
        parts.retain(|(range, _)| !range.is_empty());
        Ok(Self {
            archive: archive.to_owned(),
            len,
            parts,
        })
    }

    /// The ranges of a region.
    pub fn ranges(&self, region: Region) -> impl Iterator<Item = Range<u64>> + '_ {
        let of_region = self.parts.iter().filter(move |(_, found)| *found == region);
        of_region.map(|(range, _)| range.clone())
    }

    /// What the byte at this offset of the archive belongs to.
    ///
    /// # Errors
    /// When it is behind the end.
    pub fn region(&self, offset: u64) -> Result<Region> {
        let found = self.parts.iter().find(|(range, _)| range.contains(&offset));
        found.map(|(_, region)| *region).context("behind the end")
    }

    /// Evenly chosen offsets, about `count`, in the ranges of these regions together.
    pub fn evenly(&self, regions: &[Region], count: u64) -> BTreeSet<u64> {
        let ranges: Vec<_> = regions.iter().flat_map(|&region| self.ranges(region)).collect();
        let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        // Odd, so that the steps meet every residue of what is a power of two apart.
        let step = (total / count.max(1)) | 1;
        let mut places = BTreeSet::new();
        let mut skip = step / 2;
        for range in ranges {
            let mut at = range.start + skip;
            while at < range.end {
                places.insert(at);
                at += step;
            }
            skip = at - range.end;
        }
        places
    }
}
