//! A layer of Debian packages, as an image of a distribution has it: merged /usr, no documentation.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::archive::{self, Entry};

/// Unpacks the packages and their dependencies, without running anything of them, and adds `files`.
pub(super) fn layer(packages: &[&str], files: Vec<Entry<'_>>, scratch: &Path) -> Result<Vec<u8>> {
    let unpacked = scratch.join("unpacked.tar");
    let output = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=extract", "--include", &packages.join(",")])
        .arg(codename()?)
        .arg(&unpacked)
        .env("TMPDIR", scratch)
        .output();
    let Ok(output) = output else {
        bail!("cannot run mmdebstrap; install the package of this name")
    };
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut entries: Vec<Entry<'_>> = MERGED
        .iter()
        .map(|(link, target)| Entry::symlink(link, target))
        .collect();
    entries.extend(
        ACCOUNTS
            .iter()
            .map(|(path, text)| Entry::file(path, 0o644, text.as_bytes())),
    );
    entries.extend(files);
    let mut taken: BTreeSet<String> = entries.iter().map(|entry| entry.path().to_owned()).collect();
    let wants_perl = packages.iter().any(|package| package.starts_with("perl"));
    let mut tar = tar::Archive::new(File::open(&unpacked)?);
    for item in tar.entries()? {
        let mut item = item?;
        let path = item
            .path()?
            .to_str()
            .context("a package has a file whose name is not UTF-8")?
            .to_owned();
        let path = merged(&path).into_owned();
        let is_dropped = is_dropped(&path) || (is_perl(&path) && !wants_perl);
        if path.is_empty() || is_dropped || !taken.insert(path.clone()) {
            continue;
        }
        let mode = item.header().mode()?;
        let link = item
            .link_name()?
            .and_then(|link| link.to_str().map(str::to_owned));
        entries.push(match (item.header().entry_type(), link) {
            (tar::EntryType::Directory, _) => Entry::directory(path.trim_end_matches('/'), mode),
            (tar::EntryType::Symlink, Some(target)) => Entry::symlink(&path, &target),
            (tar::EntryType::Link, Some(target)) => Entry::hard_link(&path, &merged(&target)),
            (tar::EntryType::Regular, _) => {
                let mut bytes = Vec::new();
                item.read_to_end(&mut bytes)?;
                Entry::file(&path, mode, bytes)
            }
            (kind, _) => bail!("{path} is a {kind:?}, which no package of ours has"),
        });
    }
    archive::layer(entries)
}

/// The name of this machine's release: its own sources and keys serve it.
pub(super) fn codename() -> Result<String> {
    let text = std::fs::read_to_string("/etc/os-release").context("/etc/os-release")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(line
        .context("this is neither Debian nor Ubuntu: /etc/os-release has no VERSION_CODENAME")?
        .trim_matches('"')
        .to_owned())
}

/// Every current distribution has these; packages may still be written without them in mind.
const MERGED: &[(&str, &str)] = &[
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("sbin", "usr/sbin"),
];

/// What the packages' installation scripts would have made.
const ACCOUNTS: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nredis:x:100:101::/var/lib/redis:/usr/sbin/nologin\n\
         memcache:x:101:102::/nonexistent:/bin/false\n\
         postgres:x:102:103:PostgreSQL:/var/lib/postgresql:/bin/sh\n\
         mysql:x:103:104:MySQL:/var/lib/mysql:/bin/false\n\
         www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    (
        "etc/group",
        "root:x:0:\nredis:x:101:\nmemcache:x:102:\npostgres:x:103:\nmysql:x:104:\nwww-data:x:33:\nnogroup:x:65534:\n",
    ),
    (
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\n",
    ),
];

/// The path below the root, with /bin and its kind moved to /usr.
fn merged(path: &str) -> Cow<'_, str> {
    let path = path.trim_start_matches("./");
    if MERGED
        .iter()
        .any(|(old, _)| path.strip_prefix(old).is_some_and(|rest| rest.starts_with('/')))
    {
        Cow::Owned(format!("usr/{path}"))
    } else {
        Cow::Borrowed(path)
    }
}

/// Perl, which only the packages' installation scripts use, unless it is asked for.
fn is_perl(path: &str) -> bool {
    const PERL: &[&str] = &[
        "usr/bin/perl",
        "usr/lib/x86_64-linux-gnu/libperl",
        "usr/lib/x86_64-linux-gnu/perl",
        "usr/share/perl",
    ];
    PERL.iter().any(|prefix| path.starts_with(prefix))
}

/// Documentation, translations, devices, and what mmdebstrap adds of this machine.
fn is_dropped(path: &str) -> bool {
    const DROPPED: &[&str] = &[
        "dev/",
        "etc/apt/",
        "etc/dpkg/",
        "etc/fstab",
        "etc/hostname",
        "etc/resolv.conf",
        // Modules of Java for those who link images of their own.
        "usr/lib/jvm/java-17-openjdk-amd64/jmods/",
        "usr/share/bug/",
        "usr/share/doc/",
        "usr/share/info/",
        "usr/share/lintian/",
        "usr/share/locale/",
        "usr/share/man/",
        "var/cache/apt/",
        "var/lib/apt/",
        "var/lib/dpkg/",
    ];
    DROPPED.iter().any(|dropped| path.starts_with(dropped))
}
