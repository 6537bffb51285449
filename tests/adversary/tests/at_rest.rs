//! Changes to the files of a converted image never lead to wrong data.
//!
//! Each change goes through a whole `nacre run` of an image whose program reads everything that it has.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use adversary::places::{BLOCK, Region, Target};
use adversary::sample::{self, Workplace};
use adversary::verdict::{Honest, Tally, Verdict};
use anyhow::{Context, Result, ensure};
use harness::Outcome;
use image_convert::Part;

use Verdict::{IoError, Killed, Noticed, Refused, Unaffected};

/// Runs that go on at the same time.
const WORKERS: usize = 2;

struct Attack {
    place: Workplace,
    target: Target,
    honest: Honest,
}

/// Other bytes in the place of some of the archive's.
struct Change {
    offset: u64,
    bytes: Vec<u8>,
}

impl Attack {
    fn new(transport: &str) -> Result<Self> {
        let place = Workplace::new()?;
        let image = format!("{transport}:image.tar");
        place.convert(sample::reader(&place, 1)?, &image, &[])?;
        let target = Target::new(&place.path("image.tar"), &place.package(&image)?)?;
        let honest = Honest::new(place.run(&image)?)?;
        Ok(Self {
            place,
            target,
            honest,
        })
    }

    fn bytes(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        File::open(&self.target.archive)?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn a_byte_of_every_block(&self, region: Region) -> impl Iterator<Item = u64> {
        let blocks = self
            .target
            .ranges(region)
            .flat_map(|range| range.step_by(BLOCK as usize));
        blocks.zip(0..).map(|(block, index)| block + index * 37 % BLOCK)
    }

    /// One bit of each of these bytes, which bit depends on the place.
    fn flips(&self, offsets: BTreeSet<u64>) -> Result<Vec<Change>> {
        let flip = |(index, offset): (usize, u64)| {
            let old = self.bytes(offset, 1)?;
            let bytes = old.iter().map(|byte| byte ^ (1 << (index % 8))).collect();
            Ok(Change { offset, bytes })
        };
        offsets.into_iter().enumerate().map(flip).collect()
    }

    /// Runs the image with each of the changes by itself. A verdict that `allowed` does not list for the region is a failure.
    fn judge(&self, transport: &str, changes: &[Change], allowed: &[(Region, &[Verdict])]) -> Result<Tally> {
        let next = AtomicUsize::new(0);
        let tally = Mutex::new(Tally::new());
        let wrong = Mutex::new(Vec::new());
        let work = |worker: usize| -> Result<()> {
            let name = format!("changed-{worker}.tar");
            let archive = self.place.path(&name);
            fs::copy(&self.target.archive, &archive)?;
            let file = File::options().write(true).open(archive)?;
            while let Some(change) = changes.get(next.fetch_add(1, Ordering::Relaxed)) {
                file.write_all_at(&change.bytes, change.offset)?;
                let outcome = self.place.run(&format!("{transport}:{name}"))?;
                file.write_all_at(&self.bytes(change.offset, change.bytes.len())?, change.offset)?;
                let region = self.target.region(change.offset)?;
                let may = allowed.iter().find(|(of, _)| *of == region);
                let (_, may) = may.with_context(|| format!("nothing is said of {region:?}"))?;
                match self.honest.judge(&outcome) {
                    Ok(verdict) if may.contains(&verdict) => {
                        *tally.lock().expect("no panic").entry(verdict).or_default() += 1;
                    }
                    verdict => wrong.lock().expect("no panic").push(format!(
                        "byte {:#x} ({region:?}): {}\n{}",
                        change.offset,
                        verdict.map_or_else(|error| error.to_string(), |verdict| format!("{verdict:?}")),
                        shown(&outcome)
                    )),
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS)
                .map(|worker| scope.spawn(move || work(worker)))
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().expect("no panic"))
        })?;
        let wrong = wrong.into_inner().expect("no panic");
        ensure!(
            wrong.is_empty(),
            "{} of {} changes:\n{}",
            wrong.len(),
            changes.len(),
            wrong.iter().take(10).cloned().collect::<Vec<_>>().join("\n")
        );
        let tally = tally.into_inner().expect("no panic");
        println!("{} changes: {tally:?}", changes.len());
        Ok(tally)
    }
}

/// The beginning of what was printed, and all that was said.
fn shown(outcome: &Outcome) -> String {
    let mut outcome = outcome.clone();
    outcome.stdout = outcome
        .stdout
        .lines()
        .take(5)
        .map(|line| format!("{line}\n"))
        .collect();
    outcome.to_string()
}

const ROOTFS: &[(Region, &[Verdict])] = &[
    (Region::FileSystem, &[Refused, IoError, Killed]),
    (Region::HashTree, &[Refused, IoError, Killed]),
    (Region::CallSites, &[Noticed]),
    (Region::VeritySuperblock, &[Unaffected]),
];

/// A byte of every block, and places denser where the structures are.
#[test]
fn the_file_system() -> Result<()> {
    let attack = Attack::new("oci-archive")?;
    let mut offsets = attack
        .target
        .evenly(&[Region::FileSystem, Region::CallSites], 350);
    offsets.extend(attack.a_byte_of_every_block(Region::FileSystem));
    let ranges = attack.target.ranges(Region::FileSystem).next();
    let start = ranges.context("no file system")?.start;
    offsets.extend((start + 1024..start + 1024 + 128).step_by(3));
    offsets.extend((start + 1152..start + 4 * BLOCK).step_by(61));
    offsets.extend(attack.target.evenly(&[Region::CallSites], 20));
    ensure!(offsets.len() >= 700, "only {} places", offsets.len());
    let tally = attack.judge("oci-archive", &attack.flips(offsets)?, ROOTFS)?;
    for verdict in [Refused, IoError, Killed] {
        ensure!(tally.get(&verdict).is_some_and(|&count| count > 20), "{tally:?}");
    }
    Ok(())
}

#[test]
fn the_hash_tree() -> Result<()> {
    let attack = Attack::new("oci-archive")?;
    let mut offsets = attack.target.evenly(&[Region::HashTree], 300);
    offsets.extend(attack.a_byte_of_every_block(Region::HashTree));
    offsets.extend(attack.target.evenly(&[Region::VeritySuperblock], 20));
    ensure!(offsets.len() >= 300, "only {} places", offsets.len());
    let tally = attack.judge("oci-archive", &attack.flips(offsets)?, ROOTFS)?;
    for verdict in [Refused, IoError] {
        ensure!(tally.get(&verdict).is_some_and(|&count| count > 20), "{tally:?}");
    }
    ensure!(tally.get(&Unaffected) == Some(&20), "{tally:?}");
    Ok(())
}

/// What is measured or signed: nothing is without effect.
const MEASURED: &[(Region, &[Verdict])] = &[(Region::Enclave, &[Refused]), (Region::Signature, &[Refused])];

#[test]
fn the_enclave_and_its_signature() -> Result<()> {
    let attack = Attack::new("oci-archive")?;
    let mut offsets = attack.target.evenly(&[Region::Enclave], 250);
    offsets.extend(attack.target.evenly(&[Region::Signature], 300));
    let enclave = attack
        .target
        .ranges(Region::Enclave)
        .next()
        .context("no enclave")?;
    // ECREATE whole, the first EADD and EEXTEND, and the last records.
    offsets.extend((enclave.start..enclave.start + 3 * 64).step_by(2));
    offsets.extend((enclave.end - 512..enclave.end).step_by(7));
    attack.judge("oci-archive", &attack.flips(offsets)?, MEASURED)?;
    Ok(())
}

/// What nobody believes: refused where it cannot be read, else without effect.
const UNTRUSTED: &[(Region, &[Verdict])] = &[
    (Region::Config, &[Refused, Unaffected]),
    (Region::HostRuntime, &[Unaffected]),
    (Region::Wrapping, &[Refused, Unaffected]),
];

#[test]
fn the_copy_of_the_configuration_and_the_host_runtime() -> Result<()> {
    let attack = Attack::new("oci-archive")?;
    let mut offsets = attack.target.evenly(&[Region::Config], 200);
    offsets.extend(attack.target.evenly(&[Region::HostRuntime], 30));
    attack.judge("oci-archive", &attack.flips(offsets)?, UNTRUSTED)?;
    Ok(())
}

#[test]
fn the_wrapping_as_oci_archive() -> Result<()> {
    wrapping("oci-archive")
}

#[test]
fn the_wrapping_as_docker_archive() -> Result<()> {
    wrapping("docker-archive")
}

fn wrapping(transport: &str) -> Result<()> {
    let attack = Attack::new(transport)?;
    let mut offsets = BTreeSet::new();
    for range in attack.target.ranges(Region::Wrapping) {
        // Headers and documents begin at blocks of 512 bytes; what is zero between them is padding.
        for block in range.clone().step_by(512) {
            let len = (range.end - block).min(512);
            let bytes = attack.bytes(block, len as usize)?;
            let used = (block..).zip(&bytes).filter(|(_, byte)| **byte != 0);
            offsets.extend(used.map(|(at, _)| at).step_by(31));
            offsets.insert(block + len / 2);
        }
    }
    ensure!(offsets.len() > 200, "only {} places", offsets.len());
    let tally = attack.judge(transport, &attack.flips(offsets)?, UNTRUSTED)?;
    ensure!(tally.get(&Refused).is_some_and(|&count| count > 50), "{tally:?}");
    Ok(())
}

#[test]
fn blocks_in_the_place_of_others() -> Result<()> {
    let attack = Attack::new("oci-archive")?;
    let blocks: Vec<u64> = [Region::FileSystem, Region::HashTree]
        .into_iter()
        .flat_map(|region| attack.target.ranges(region))
        .flat_map(|range| range.step_by(BLOCK as usize))
        .collect();
    let mut changes = Vec::new();
    for (index, &offset) in blocks.iter().enumerate().step_by(2) {
        // Its neighbour, and one that is far away.
        let from = blocks[(index + [1, 97][index / 2 % 2]) % blocks.len()];
        let bytes = attack.bytes(from, BLOCK as usize)?;
        if bytes != attack.bytes(offset, BLOCK as usize)? {
            changes.push(Change { offset, bytes });
        }
    }
    ensure!(changes.len() > 80, "only {} blocks", changes.len());
    attack.judge("oci-archive", &changes, ROOTFS)?;
    Ok(())
}

/// Between two looks of the enclave, the image changes and changes back.
#[test]
fn an_image_that_changes_all_the_time() -> Result<()> {
    let attack = Attack::new("oci-archive")?;
    let archive = attack.place.path("moving.tar");
    fs::copy(&attack.target.archive, &archive)?;
    let file = File::options().read(true).write(true).open(archive)?;
    let start = attack
        .target
        .ranges(Region::FileSystem)
        .next()
        .context("no file system")?
        .start;
    let end = attack
        .target
        .ranges(Region::HashTree)
        .last()
        .context("no hash tree")?
        .end;
    let is_over = AtomicBool::new(false);
    let mover = || -> Result<()> {
        let mut round = 0u64;
        while !is_over.load(Ordering::Relaxed) {
            let offset = start + round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (end - start);
            let mut byte = [0];
            file.read_exact_at(&mut byte, offset)?;
            file.write_all_at(&[!byte[0]], offset)?;
            std::thread::sleep(Duration::from_micros(20 * (round % 40)));
            file.write_all_at(&byte, offset)?;
            round += 1;
        }
        Ok(())
    };
    let mut tally = Tally::new();
    std::thread::scope(|scope| {
        let mover = scope.spawn(mover);
        let runs = (0..100).try_for_each(|_| {
            let outcome = attack.place.run("oci-archive:moving.tar")?;
            let verdict = attack.honest.judge(&outcome).with_context(|| shown(&outcome))?;
            *tally.entry(verdict).or_default() += 1;
            Ok(())
        });
        is_over.store(true, Ordering::Relaxed);
        mover.join().expect("no panic").and(runs)
    })?;
    // Whether a change meets a look is chance; that it never does, or always, is none.
    ensure!(tally.len() > 1, "{tally:?}");
    println!("{tally:?}");
    Ok(())
}

#[test]
fn an_archive_that_is_cut_off() -> Result<()> {
    let attack = Attack::new("oci-archive")?;
    let len = attack.target.len;
    let mut lengths = attack
        .target
        .evenly(&[Region::FileSystem, Region::Enclave, Region::Wrapping], 40);
    for region in [
        Region::FileSystem,
        Region::HashTree,
        Region::Enclave,
        Region::Signature,
        Region::Config,
    ] {
        for range in attack.target.ranges(region) {
            lengths.extend([range.start, range.start + 1, range.end - 1, range.end]);
        }
    }
    lengths.extend([0, 1, 511, 512, 513, len - 1, len - 512, len - 1024]);
    let archive = attack.place.path("cut.tar");
    let mut tally = Tally::new();
    for length in lengths {
        fs::copy(&attack.target.archive, &archive)?;
        File::options().write(true).open(&archive)?.set_len(length)?;
        let outcome = attack.place.run("oci-archive:cut.tar")?;
        let verdict = attack
            .honest
            .judge(&outcome)
            .with_context(|| format!("{length} bytes: {}", shown(&outcome)))?;
        // The end of an archive is two blocks of zeros; who reads it may do without them.
        ensure!(
            verdict == Refused || verdict == Unaffected && length >= len - 10240,
            "{length} of {len} bytes: {verdict:?}"
        );
        *tally.entry(verdict).or_default() += 1;
    }
    ensure!(tally.get(&Refused).is_some_and(|&count| count > 60), "{tally:?}");
    Ok(())
}

fn start(place: &Workplace, sgxs: &str, sig: &str, rootfs: &str) -> Result<Outcome> {
    let mut command = std::process::Command::new(place.path("a/nacre-host"));
    command
        .arg("--sgxs")
        .arg(place.path(sgxs))
        .arg("--sig")
        .arg(place.path(sig));
    // The copy of the configuration that belongs to this enclave, so that it is the enclave that refuses.
    let image = if sgxs.starts_with("b/") { "b" } else { "a" };
    command
        .arg("--config")
        .arg(place.path(image).join("enclave.config"));
    command.arg("--rootfs").arg(place.path(rootfs));
    Outcome::of(command, b"")
}

#[test]
fn files_of_another_image_and_files_cut_off() -> Result<()> {
    let place = Workplace::new()?;
    for (name, seed) in [("a", 1), ("b", 2)] {
        let image = format!("oci-archive:{name}.tar");
        place.convert(sample::reader(&place, seed)?, &image, &[])?;
        sample::unpack(&place, &image, name)?;
    }
    let honest = Honest::new(start(&place, "a/enclave.sgxs", "a/enclave.sig", "a/rootfs.img")?)?;
    let refused = |sgxs: &str, sig: &str, rootfs: &str| -> Result<()> {
        let outcome = start(&place, sgxs, sig, rootfs)?;
        let verdict = honest.judge(&outcome).with_context(|| shown(&outcome))?;
        ensure!(verdict == Refused, "{sgxs}, {sig}, {rootfs}: {verdict:?}");
        Ok(())
    };
    refused("b/enclave.sgxs", "a/enclave.sig", "a/rootfs.img")?;
    refused("a/enclave.sgxs", "b/enclave.sig", "a/rootfs.img")?;
    refused("a/enclave.sgxs", "a/enclave.sig", "b/rootfs.img")?;
    refused("b/enclave.sgxs", "b/enclave.sig", "a/rootfs.img")?;
    // Files of one image, each in the place of another.
    refused("a/enclave.sig", "a/enclave.sig", "a/rootfs.img")?;
    refused("a/enclave.sgxs", "a/enclave.sgxs", "a/rootfs.img")?;
    refused("a/enclave.sgxs", "a/enclave.sig", "a/enclave.sgxs")?;
    let mut files = ["a/enclave.sgxs", "a/enclave.sig", "a/rootfs.img"];
    for at in 0..files.len() {
        let whole = fs::read(place.path(files[at]))?;
        let (path, last) = (files[at], whole.len());
        files[at] = "cut";
        for len in [
            0,
            1,
            63,
            64,
            4095,
            last / 3,
            last / 2,
            last - 4096.min(last),
            last - 1,
        ] {
            fs::write(place.path("cut"), whole.get(..len).unwrap_or(&[]))?;
            let [sgxs, sig, rootfs] = files;
            refused(sgxs, sig, rootfs)?;
        }
        // Something behind the end of what is measured is not a part of it.
        if path == "a/rootfs.img" {
            fs::write(place.path("cut"), [&whole[..], &[0xff; 5000]].concat())?;
            let outcome = start(&place, files[0], files[1], files[2])?;
            ensure!(honest.judge(&outcome)? == Unaffected);
        } else {
            fs::write(place.path("cut"), [&whole[..], &[0]].concat())?;
            refused(files[0], files[1], files[2])?;
        }
        files[at] = path;
    }
    Ok(())
}

/// The program that asks a key broker is the host's to supply, and the configuration's to measure.
#[test]
fn the_program_that_asks_a_broker() -> Result<()> {
    let place = Workplace::new()?;
    let authority = rcgen::generate_simple_self_signed(["authority".to_owned()])?;
    fs::write(place.path("broker.pem"), authority.cert.pem())?;
    let choices = ["--broker-ca", "broker.pem"];
    place.convert(sample::reader(&place, 1)?, "oci-archive:image.tar", &choices)?;
    let package = place.package("oci-archive:image.tar")?;
    let init = package.locate(Part::Init).context("no nacre-init")?;
    let archive = place.path("image.tar");
    let run = || {
        let mut command = place.nacre()?;
        command.args(["run", "--broker", "nowhere", "oci-archive:image.tar"]);
        Outcome::of(command, b"")
    };
    // Unchanged, it runs: these are its own words.
    let outcome = run()?;
    ensure!(outcome.stderr.contains("nowhere is not https://"), "{outcome}");
    for index in 0..16 {
        let offset = init.offset + (init.len - 1) * index / 15;
        let mut byte = [0];
        let file = File::options().read(true).write(true).open(&archive)?;
        file.read_exact_at(&mut byte, offset)?;
        file.write_all_at(&[byte[0] ^ 1 << (index % 8)], offset)?;
        let outcome = run()?;
        ensure!(outcome.status == 125, "{outcome}");
        ensure!(
            outcome
                .stderr
                .contains("nacre-init is not the one that was measured"),
            "{outcome}"
        );
        file.write_all_at(&byte, offset)?;
    }
    Ok(())
}
