//! The host changes the image, or its maker was hostile: right data or an error, and never a panic.

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use common::{
    CacheLock, Chance, Image, Kind, Seen, Unverified, is_directory, noise, open, params, see, small_sample,
    walk,
};
use rootfs::{BLOCK_SIZE, Block, BlockSource, Erofs, Error, Nid, SourceError, VerifiedBlocks, Verity};
use rootfs_image::{Options, Written};

const EXTRA: usize = 5000;

fn sample_image() -> (Vec<u8>, Written) {
    small_sample().write(&Options {
        salt: &[9; 32],
        extra: &noise(EXTRA, 7),
        ..Options::default()
    })
}

fn sample_walk(image: &[u8], written: &Written) -> BTreeMap<Vec<u8>, Seen> {
    walk(&open(image, &params(written, &[9; 32]), 64).unwrap()).unwrap()
}

/// Looks at everything that there should be. Panics if anything is other than it should be without an error; returns how
/// many errors there were.
fn right_or_error<B: VerifiedBlocks>(
    erofs: &Erofs<B, CacheLock>,
    expected: &BTreeMap<Vec<u8>, Seen>,
) -> usize {
    expected
        .iter()
        .filter(|(path, expected)| find(erofs, path, expected).is_err())
        .count()
}

fn find<B: VerifiedBlocks>(erofs: &Erofs<B, CacheLock>, path: &[u8], expected: &Seen) -> Result<(), Error> {
    let mut nid = erofs.root();
    for name in path.split(|byte| *byte == b'/').skip(1) {
        let directory = erofs.inode(nid)?;
        let entry = erofs.lookup(&directory, name)?;
        nid = entry.expect("a name that is there must not be missed").nid;
    }
    let (inode, seen) = see(erofs, nid)?;
    assert_eq!(seen, *expected);
    if let Kind::File(contents) = &expected.kind {
        let mut out = vec![0; contents.len()];
        assert_eq!(erofs.read_past_cache(&inode, 0, &mut out)?, contents.len());
        assert_eq!(out, *contents);
    }
    Ok(())
}

#[test]
fn a_flipped_bit_anywhere_is_refused_or_without_effect() {
    let (image, written) = sample_image();
    let expected = sample_walk(&image, &written);
    let verity_superblock = written.hash_offset as usize..written.hash_offset as usize + BLOCK_SIZE;
    // Every structure's beginning, and more than a thousand places besides, prime steps apart.
    let structures = (0..image.len())
        .step_by(BLOCK_SIZE)
        .chain(1024..1024 + 128)
        .chain(4096..4096 + 200);
    let places: Vec<usize> = structures
        .chain((0..image.len()).step_by((image.len() / 1100) | 1))
        .collect();
    assert!(places.len() > 1300);
    let mut changed = image.clone();
    for (i, place) in places.into_iter().enumerate() {
        changed[place] ^= 1 << (i % 8);
        let unread = verity_superblock.contains(&place);
        match open(&changed, &params(&written, &[9; 32]), 64) {
            Ok(erofs) => {
                let errors = right_or_error(&erofs, &expected);
                let mut all = vec![0; written.data_blocks as usize * BLOCK_SIZE];
                let whole = erofs.read_image(0, &mut all);
                // What the verity superblock says is measured, so nobody reads it.
                assert_eq!(whole.is_ok(), unread, "byte {place}");
                assert!(!unread || errors == 0);
            }
            Err(error) => assert!(
                matches!(error, Error::Tampered { .. }) && !unread,
                "byte {place}: {error}"
            ),
        }
        changed[place] = image[place];
    }
}

#[test]
fn a_block_in_the_place_of_another_is_refused() {
    let (image, written) = sample_image();
    for block in 1..written.data_blocks as usize {
        let mut changed = image.clone();
        changed.copy_within((block - 1) * BLOCK_SIZE..block * BLOCK_SIZE, block * BLOCK_SIZE);
        let erofs = open(&changed, &params(&written, &[9; 32]), 64).unwrap();
        let read = erofs.read_image((block * BLOCK_SIZE) as u64, &mut [0; BLOCK_SIZE]);
        let expected = if changed == image {
            Ok(())
        } else {
            Err(Error::Tampered { block: block as u64 })
        };
        assert_eq!(read, expected);
    }
}

#[test]
fn a_shorter_image_is_refused_when_it_is_opened() {
    let (image, written) = sample_image();
    for len in (0..image.len()).step_by(BLOCK_SIZE / 4) {
        let error = open(&image[..len], &params(&written, &[9; 32]), 64)
            .err()
            .unwrap();
        let (needed, offered) = (written.image_len / 4096, len as u64 / 4096);
        assert_eq!(error, Error::Truncated { needed, offered });
    }
}

#[test]
fn parameters_that_contradict_each_other_are_refused() {
    let (image, written) = sample_image();
    let right = params(&written, &[9; 32]);
    let refused = |change: &dyn Fn(&mut rootfs::VerityParams)| {
        let mut params = right.clone();
        change(&mut params);
        open(&image, &params, 64).err().unwrap()
    };
    for error in [
        refused(&|params| params.data_blocks = 0),
        refused(&|params| params.data_blocks = u64::MAX),
        refused(&|params| params.data_blocks += 1),
        refused(&|params| params.hash_offset += 1),
        refused(&|params| params.hash_offset = 0),
        refused(&|params| params.salt = vec![0; 257]),
    ] {
        assert!(matches!(error, Error::Parameters(_)), "{error}");
    }
    let far = refused(&|params| params.hash_offset = u64::MAX - 4095);
    assert!(matches!(far, Error::Truncated { .. }), "{far}");
    for error in [
        refused(&|params| params.root_hash[31] ^= 1),
        refused(&|params| params.salt[0] ^= 1),
    ] {
        assert!(matches!(error, Error::Tampered { .. }), "{error}");
    }
}

/// A host that answers each read anew: rightly, wrongly, or not at all.
struct Fickle<'a> {
    image: &'a [u8],
    chance: RefCell<Chance>,
}

impl BlockSource for Fickle<'_> {
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), SourceError> {
        Image(self.image).read_block(index, out)?;
        let mut chance = self.chance.borrow_mut();
        match chance.below(12) {
            0 => Err(SourceError),
            1 => {
                out[chance.below(BLOCK_SIZE)] ^= 1 << chance.below(8);
                Ok(())
            }
            2 => Image(self.image).read_block(chance.below(self.image.len() / BLOCK_SIZE) as u64, out),
            _ => Ok(()),
        }
    }

    fn blocks(&self) -> u64 {
        u64::MAX
    }
}

#[test]
fn a_host_that_changes_its_mind_gives_right_data_or_an_error() {
    let (image, written) = sample_image();
    let expected = sample_walk(&image, &written);
    let (mut errors, mut opened) = (0, 0);
    for seed in 0..100 {
        let image = &image;
        let source = Fickle {
            image,
            chance: Chance::new(seed).into(),
        };
        // Tiny caches, so that blocks come and go.
        let verity = Verity::<_, CacheLock>::new(source, &params(&written, &[9; 32]), 2).unwrap();
        let Ok(erofs) = Erofs::<_, CacheLock>::open(verity, 8) else {
            continue;
        };
        opened += 1;
        errors += right_or_error(&erofs, &expected);
    }
    assert!(
        opened > 50 && errors > 100,
        "the host was not fickle enough: {opened} {errors}"
    );
}

#[test]
fn what_failed_to_verify_does_not_stay_in_the_buffer() {
    let (mut image, written) = sample_image();
    image[BLOCK_SIZE] ^= 1;
    let verity = Verity::<_, CacheLock>::new(Image(&image), &params(&written, &[9; 32]), 2).unwrap();
    let mut out = [0xaa; BLOCK_SIZE];
    assert_eq!(verity.read_block(1, &mut out), Err(Error::Tampered { block: 1 }));
    assert_eq!(out, [0; BLOCK_SIZE]);
}

#[test]
fn what_was_verified_stays_what_it_was() {
    let (image, written) = sample_image();
    let source = RefCell::new(image.clone());
    struct Shared<'a>(&'a RefCell<Vec<u8>>);
    impl BlockSource for Shared<'_> {
        fn read_block(&self, index: u64, out: &mut Block) -> Result<(), SourceError> {
            Image(&self.0.borrow()).read_block(index, out)
        }

        fn blocks(&self) -> u64 {
            Image(&self.0.borrow()).blocks()
        }
    }
    let verity = Verity::<_, CacheLock>::new(Shared(&source), &params(&written, &[9; 32]), 64).unwrap();
    let erofs = Erofs::<_, CacheLock>::open(verity, 1024).unwrap();
    let expected = sample_walk(&image, &written);
    assert_eq!(walk(&erofs).unwrap(), expected);
    source.borrow_mut().fill(0xff);
    assert_eq!(right_or_error(&erofs, &expected), 0);
}

#[test]
fn many_readers_at_once_each_see_the_truth() {
    let (image, written) = sample_image();
    let expected = sample_walk(&image, &written);
    // So few places that the readers push out each other's blocks.
    for cache in [0, 8, 1024] {
        let erofs = open(&image, &params(&written, &[9; 32]), cache).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2).for_each(|_| assert_eq!(right_or_error(&erofs, &expected), 0)));
            }
        });
    }
}

/// Values that break careless arithmetic.
const EDGES: [u64; 14] = [
    0,
    1,
    2,
    11,
    12,
    13,
    31,
    4095,
    4096,
    4097,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// A tree's maker may be hostile too, and then the hash tree vouches for the maker's bytes.
#[test]
fn a_hostile_file_system_with_a_right_hash_tree_harms_nothing() {
    let (image, written) = sample_image();
    let data = &image[..written.hash_offset as usize];
    // Metadata: the superblock, the inodes, and the directory blocks, which hold names.
    let nids: Vec<u64> = sample_walk(&image, &written)
        .values()
        .map(|seen| seen.inode)
        .collect();
    let blocks: Vec<usize> = (0..data.len() / BLOCK_SIZE)
        .filter(|block| {
            data[block * BLOCK_SIZE..][..BLOCK_SIZE]
                .windows(14)
                .any(|bytes| bytes == b"a name that is")
        })
        .collect();
    let mut chance = Chance::new(1);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..6000 {
        let mut hostile = data.to_vec();
        for _ in 0..=chance.below(3) {
            let nid = nids[chance.below(nids.len())] as usize;
            let place = match chance.below(8) {
                0 => 1024 + chance.below(128),
                1..=3 => nid * 32 + chance.below(64),
                4 => nid * 32 + 64 + chance.below(80),
                5 => nids[0] as usize * 32 + 64 + chance.below(400),
                _ => blocks[chance.below(blocks.len())] * BLOCK_SIZE + chance.below(BLOCK_SIZE),
            };
            // Fields are aligned to their size, up to eight bytes.
            let width = 1 << chance.below(4);
            let place = place / width * width;
            let value = match chance.below(3) {
                0 => chance.next(),
                1 => 1 << chance.below(64),
                _ => EDGES[chance.below(EDGES.len())],
            };
            hostile[place..place + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        match explore(&hostile) {
            Ok(()) => good += 1,
            Err(_) => bad += 1,
        }
    }
    // Both must happen often, or the changes are not where they matter.
    assert!(good > 500 && bad > 500, "{good} {bad}");
}

/// Calls everything that there is on whatever can be found. Returns the first error; goes on after it.
fn explore(image: &[u8]) -> Result<(), Error> {
    let erofs = Erofs::<_, CacheLock>::open(Unverified(Image(image)), 64)?;
    let mut result = Ok(());
    let mut note = |part: Result<(), Error>| result = result.and(part);
    let mut todo = vec![erofs.root()];
    let mut left = 200;
    while let Some(nid) = todo.pop() {
        // Directories may lie in themselves here.
        left -= 1;
        if left == 0 {
            break;
        }
        note(erofs.inode(nid).and_then(|inode| {
            note_all(&erofs, &inode)?;
            if is_directory(&inode) {
                let mut listed = 0;
                erofs.readdir(&inode, 0, |entry| {
                    listed += 1;
                    if entry.name != b"." && entry.name != b".." {
                        todo.push(entry.entry.nid);
                    }
                    if listed < 10_000 {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    }
                })?;
            }
            Ok(())
        }));
    }
    result
}

fn note_all<B: VerifiedBlocks>(erofs: &Erofs<B, CacheLock>, inode: &rootfs::Inode) -> Result<(), Error> {
    let mut out = [0; 3 * BLOCK_SIZE];
    let results = [
        erofs.xattrs(inode).map(drop),
        erofs.xattr(inode, b"user.something").map(drop),
        match inode.kind {
            rootfs::Kind::Symlink => erofs.readlink(inode).map(drop),
            rootfs::Kind::Directory => [&b"inline"[..], b"many", b"", b"\xff"]
                .into_iter()
                .try_for_each(|name| erofs.lookup(inode, name).map(drop)),
            rootfs::Kind::File => {
                let ends = [
                    0,
                    1,
                    4096,
                    inode.size / 2,
                    inode.size.saturating_sub(1),
                    inode.size,
                    u64::MAX,
                ];
                ends.into_iter().try_for_each(|offset| {
                    erofs.read(inode, offset, &mut out)?;
                    erofs.read_past_cache(inode, offset, &mut out)?;
                    erofs.chunk(inode, offset).map(drop)
                })
            }
            _ => Ok(()),
        },
    ];
    results.into_iter().collect()
}

#[test]
fn numbers_of_inodes_from_anywhere_harm_nothing() {
    let (image, written) = sample_image();
    let erofs = open(&image, &params(&written, &[9; 32]), 64).unwrap();
    let slots = written.data_blocks * BLOCK_SIZE as u64 / 32;
    for nid in (0..slots + 100).chain([u64::MAX, u64::MAX / 32, u64::MAX / 32 - 1, 1 << 59, 1 << 63]) {
        if let Ok(inode) = erofs.inode(Nid(nid)) {
            _ = note_all(&erofs, &inode);
        }
    }
}
