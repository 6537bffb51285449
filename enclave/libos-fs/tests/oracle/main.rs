//! Linux is the oracle: random calls, made on the overlay over an image and on a tmpfs with the same files, have the same results.
//!
//! Needs root (for `chroot` and the identities of files) and a tmpfs at /dev/shm; says so if it has not. Where this machine protects files
//! in sticky directories more than Linux does by itself (fs.protected_regular and the like), no directory is sticky.

mod call;
#[path = "../common/mod.rs"]
mod common;
mod linux;
mod ours;
mod strategy;

use call::{Call, World};
use linux::{Linux, become_user, c, in_linux};
use ours::Overlay;
use proptest::prelude::*;
use strategy::{call, tree};

fn sysctl(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/fs/protected_{name}"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Whether sticky directories are as Linux has them by itself.
fn has_sticky() -> bool {
    ["symlinks", "regular", "fifos"]
        .iter()
        .all(|name| sysctl(name) == "0")
}

fn has_oracle() -> bool {
    // SAFETY: asks for the user.
    let root = unsafe { libc::geteuid() } == 0;
    let has = root && sysctl("hardlinks") == "1";
    if !has {
        eprintln!("SKIPPED: comparing with Linux needs root and fs.protected_hardlinks = 1");
    }
    has
}

/// The calls with modes that this machine has plain results for.
fn plain(calls: &[(bool, Call)]) -> Vec<(bool, Call)> {
    let mut calls = calls.to_vec();
    if !has_sticky() {
        for (_, call) in &mut calls {
            if let Call::Open { mode, .. }
            | Call::OpenWithin { mode, .. }
            | Call::MakeDirectory { mode, .. }
            | Call::ChangeMode { mode, .. } = call
            {
                *mode &= !0o1000;
            }
        }
    }
    calls
}

fn compare(overlay: &mut Overlay, linux: &mut Linux, calls: &[(bool, Call)]) -> Result<(), String> {
    for (at, (user, call)) in calls.iter().enumerate() {
        let (expected, found) = (linux.call(*user, call), overlay.call(*user, call));
        if expected != found {
            let who = if *user { "user" } else { "root" };
            return Err(format!(
                "call {at} by {who}: {call:?}\n Linux: {expected:?}\n  ours: {found:?}"
            ));
        }
    }
    become_user(false);
    // SAFETY: the root is there.
    assert_eq!(unsafe { libc::chdir(c("/").as_ptr()) }, 0);
    let (expected, found) = (linux.survey(), overlay.survey());
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these
            .iter()
            .filter(|line| !those.contains(line))
            .cloned()
            .collect()
    };
    if expected == found {
        return Ok(());
    }
    Err(format!(
        "at the end\n Linux: {:#?}\n  ours: {:#?}",
        only(&expected, &found),
        only(&found, &expected)
    ))
}

#[test]
fn the_worlds_begin_the_same() {
    if has_oracle() {
        let tree = tree();
        in_linux(|linux| {
            linux.populate(&tree);
            compare(&mut Overlay::new(&tree), linux, &[]).unwrap();
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig {  max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_calls_have_linux_results(calls in prop::collection::vec((any::<bool>(), call()), 1..60)) {
        if has_oracle() {
            let (tree, calls) = (tree(), plain(&calls));
            let outcome = in_linux(|linux| {
                linux.populate(&tree);
                compare(&mut Overlay::new(&tree), linux, &calls)
            });
            if let Err(difference) = outcome {
                return Err(TestCaseError::fail(difference));
            }
        }
    }
}
