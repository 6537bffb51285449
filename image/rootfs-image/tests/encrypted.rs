//! An encrypted image: other software opens it with the key, nobody finds the contents without, and a change is refused.
//!
//! Debian: python3-cryptography (OpenSSL's XTS), erofs-utils, cryptsetup-bin.

mod common;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::process::Command;

use common::{CacheLock, Chance, Image, Kind, Tree, noise, params, sample, small_sample, walk};
use rootfs::{BLOCK_SIZE, Erofs, Error, Sectors, VerifiedBlocks, Verity};
use rootfs_image::{Options, Written};
use sector_cipher::{ImageKey, SectorCipher};

const SALT: [u8; 32] = [0; 32];
/// Bytes of the input that must be nowhere in the output.
const WINDOW: usize = 32;

type Encrypted<'a> = Erofs<Sectors<Verity<Image<'a>, CacheLock>>, CacheLock>;

fn key() -> ImageKey {
    ImageKey::new(&std::array::from_fn::<u8, 64, _>(|at| (at * 37 + 11) as u8)).unwrap()
}

fn write(tree: &Tree, extra: &[u8], cipher: Option<&SectorCipher>) -> (Vec<u8>, Written) {
    tree.write(&Options {
        salt: &SALT,
        cipher,
        extra,
    })
}

fn encrypt(tree: &Tree, extra: &[u8]) -> (Vec<u8>, Written) {
    write(tree, extra, Some(&SectorCipher::new(&key())))
}

fn open<'a>(image: &'a [u8], written: &Written, key: Option<&ImageKey>) -> Result<Encrypted<'a>, Error> {
    let verity = Verity::new(Image(image), &params(written, &SALT), 64)?;
    Erofs::open(Sectors::new(verity, key.map(SectorCipher::new)), 64)
}

#[test]
fn what_is_encrypted_is_read_back() {
    let (tree, extra) = (sample(), noise(10_001, 5));
    let (image, written) = encrypt(&tree, &extra);
    let (plain, as_plain) = write(&tree, &extra, None);
    assert_eq!(image.len(), plain.len(), "nothing is added");
    assert_ne!(written.root_hash, as_plain.root_hash);
    let erofs = open(&image, &written, Some(&key())).unwrap();
    let plain = common::open(&plain, &params(&as_plain, &SALT), 64).unwrap();
    assert_eq!(walk(&erofs).unwrap(), walk(&plain).unwrap());
    let mut found = vec![0; extra.len()];
    erofs.read_image(written.extra.offset, &mut found).unwrap();
    assert_eq!(found, extra);
}

#[test]
fn another_key_or_none_opens_nothing() {
    let (image, written) = encrypt(&sample(), b"");
    let other = ImageKey::new(&std::array::from_fn::<u8, 64, _>(|at| at as u8)).unwrap();
    for key in [None, Some(&other)] {
        assert!(matches!(
            open(&image, &written, key).err(),
            Some(Error::Corrupt(_))
        ));
    }
}

/// Names, targets and contents of the tree.
fn secrets(tree: &Tree) -> Vec<Vec<u8>> {
    let of = |inode: &common::Inode| match &inode.kind {
        Kind::File(bytes) | Kind::Symlink(bytes) => vec![bytes.clone()],
        Kind::Directory(names) => names.keys().cloned().collect(),
        _ => Vec::new(),
    };
    tree.inodes.iter().flat_map(of).collect()
}

#[test]
fn no_part_of_the_input_is_in_the_output() {
    let mut tree = sample();
    // Equal blocks would show where they are, if sectors were encrypted alike.
    tree.file(0, &[b'n'; 200], &vec![0x41; 40 * BLOCK_SIZE]);
    let extra = noise(10_001, 5);
    let mut windows: HashSet<&[u8]> = HashSet::new();
    let secrets = secrets(&tree);
    for secret in secrets.iter().chain([&extra]) {
        windows.extend(secret.windows(WINDOW));
    }
    assert!(windows.len() > 10_000);
    let found = |image: &[u8]| {
        image
            .windows(WINDOW)
            .filter(|window| windows.contains(window))
            .count()
    };
    let (plain, _) = write(&tree, &extra, None);
    assert!(found(&plain) > 10_000, "the scan finds what is there");
    let (image, written) = encrypt(&tree, &extra);
    // The tree's last block is padded with zeros, as everybody's is.
    let zeros = |window: &&[u8]| window.iter().all(|byte| *byte == 0);
    let data = &image[..written.hash_offset as usize];
    assert_eq!(found(data), 0);
    let tree = &image[written.hash_offset as usize..];
    let in_tree = tree.windows(WINDOW).filter(|window| windows.contains(window));
    assert_eq!(in_tree.filter(|window| !zeros(window)).count(), 0);
    let blocks: HashSet<_> = data.chunks(BLOCK_SIZE).collect();
    assert_eq!(blocks.len(), data.len() / BLOCK_SIZE, "no two blocks are alike");
}

/// Decrypts by dm-crypt's documented parameters: argv is the key file, the image, the data's length and the output.
const DECRYPT: &str = r#"
import sys
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
key, image = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
with open(sys.argv[4], "wb") as out:
    for at in range(0, int(sys.argv[3]), 4096):
        iv = (at // 512).to_bytes(16, "little")
        cipher = Cipher(algorithms.AES(key), modes.XTS(iv)).decryptor()
        out.write(cipher.update(image[at:at + 4096]) + cipher.finalize())
"#;

#[test]
fn openssl_decrypts_and_erofs_utils_read() {
    let tree = sample();
    let (image, written) = encrypt(&tree, b"");
    let (plain, _) = write(&tree, b"", None);
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("key"), key().as_bytes()).unwrap();
    fs::write(path("image"), &image).unwrap();
    let length = written.hash_offset.to_string();
    let arguments = [&path("key"), &path("image"), &length, &path("data")];
    run(Command::new("/usr/bin/python3")
        .args(["-c", DECRYPT])
        .args(arguments));
    let data = fs::read(path("data")).unwrap();
    assert!(data == plain[..data.len()], "OpenSSL finds what we had before");
    let said = run(Command::new("fsck.erofs").args(["-d3", &path("data")]));
    assert!(said.contains("No errors found"), "{said}");
    let root: String = written
        .root_hash
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let offset = format!("--hash-offset={}", written.hash_offset);
    run(Command::new("veritysetup").args(["verify", &path("image"), &path("image"), &root, &offset]));
}

fn run(command: &mut Command) -> String {
    let output = command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// Changes the image somewhere; gives what it did.
fn mutate(image: &mut Vec<u8>, older: &[u8], chance: &mut Chance) -> &'static str {
    let blocks = image.len() / BLOCK_SIZE;
    let (one, other) = (chance.below(blocks), chance.below(blocks));
    let block = |index: usize| index * BLOCK_SIZE..(index + 1) * BLOCK_SIZE;
    match chance.below(5) {
        0 => {
            let at = chance.below(image.len());
            image[at] ^= 1 << chance.below(8);
            "flipped a bit"
        }
        1 => {
            let copy = image[block(one)].to_vec();
            image.copy_within(block(other), one * BLOCK_SIZE);
            image[block(other)].copy_from_slice(&copy);
            "swapped two blocks"
        }
        2 => {
            image[block(one)].copy_from_slice(&older[block(one)]);
            "played back a block of an older image"
        }
        3 => {
            image[block(one)].fill(0);
            "wiped a block"
        }
        _ => {
            image.truncate(chance.below(image.len()));
            "cut off the end"
        }
    }
}

/// Flipped, swapped, played back, wiped and cut off, in data and tree: right data or an error.
#[test]
fn ten_thousand_changes_give_right_data_or_an_error() {
    let tree = small_sample();
    let (image, written) = encrypt(&tree, b"");
    let mut changed = tree.clone();
    for inode in &mut changed.inodes {
        inode.mtime.0 += 1;
        if let Kind::File(bytes) = &mut inode.kind {
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
    let (older, _) = encrypt(&changed, b"");
    let (plain, _) = write(&tree, b"", None);
    let mut chance = Chance::new(20);
    let mut refused = BTreeMap::new();
    for _ in 0..10_000 {
        let mut mutant = image.clone();
        let done = mutate(&mut mutant, &older, &mut chance);
        if reads_right_or_fails(&mutant, &written, &plain).is_err() {
            *refused.entry(done).or_insert(0) += 1;
        }
    }
    assert!(refused.values().all(|count| *count > 1000), "{refused:?}");
    assert_eq!(refused.len(), 5);
}

/// Reads every block, alone and with its neighbour. The error is the first one.
fn reads_right_or_fails(image: &[u8], written: &Written, plain: &[u8]) -> Result<(), Error> {
    let verity = Verity::<_, CacheLock>::new(Image(image), &params(written, &SALT), 64)?;
    let sectors = Sectors::new(verity, Some(SectorCipher::new(&key())));
    let (expected, _) = plain.as_chunks::<BLOCK_SIZE>();
    let mut result = Ok(());
    for index in 0..written.data_blocks - 1 {
        let mut pair = [[1; BLOCK_SIZE]; 2];
        let [first, second] = &mut pair;
        let (paired, at) = (sectors.read_pair(index, [first, second]), index as usize);
        match paired {
            Ok(()) => assert_eq!(pair, expected[at..at + 2]),
            Err(_) => assert_eq!(pair, [[0; BLOCK_SIZE]; 2], "nothing unverified stays"),
        }
        let alone = sectors.read_block(index, &mut pair[0]);
        assert_eq!(
            pair[0],
            if alone.is_ok() {
                expected[at]
            } else {
                [0; BLOCK_SIZE]
            }
        );
        result = result.and(paired).and(alone);
    }
    result
}
