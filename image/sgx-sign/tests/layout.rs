//! What goes into an enclave, where, and what the SGXS file says about it.

mod sample;

use enclave_config::Config;
use enclave_layout::{CONFIG_START, IMAGE_BASE, IMAGE_END, PAGE_SIZE, Slot};
use sample::{LOAD, R, W, X, elf};
use sgx_arch::{PageType, SecInfo, Tcs};
use sgx_sign::{Content, Layout, Libos, LibosError, Page, Sgxs, SgxsError};
use sha2::{Digest, Sha256};

const DYNAMIC: u32 = 2;
const INTERP: u32 = 3;
const TLS: u32 = 7;

fn pages() -> Vec<Page> {
    let file = sample::libos();
    let libos = Libos::parse(&file).unwrap();
    Layout::new(&libos, &sample::config()).unwrap().pages().collect()
}

fn sgxs() -> Vec<u8> {
    let file = sample::libos();
    let libos = Libos::parse(&file).unwrap();
    let mut out = Vec::new();
    Layout::new(&libos, &sample::config())
        .unwrap()
        .write(&mut out)
        .unwrap();
    out
}

fn measured(pages: &[Page], address: u64) -> &[u8; 4096] {
    let page = pages
        .iter()
        .find(|page| page.address == address)
        .expect("page is there");
    match &page.content {
        Content::Measured(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pages_are_in_ascending_order_and_distinct() {
    assert!(pages().is_sorted_by(|a, b| a.address < b.address));
}

#[test]
fn segments_lie_where_they_are_linked() {
    let pages = pages();
    let constants = measured(&pages, IMAGE_BASE);
    assert_eq!(
        (&constants[..9], &constants[9..12]),
        (&b"constants"[..], &[0; 3][..])
    );

    let code = measured(&pages, IMAGE_BASE + 0x2000);
    assert!(code[..0x100].iter().all(|&byte| byte == 0) && code[0x100..].iter().all(|&byte| byte == 0xf4));
    let code_end = measured(&pages, IMAGE_BASE + 0x3000);
    let in_second = 5000 - (4096 - 0x100);
    assert!(code_end[..in_second].iter().all(|&byte| byte == 0xf4));
    assert!(code_end[in_second..].iter().all(|&byte| byte == 0));

    assert_eq!(&measured(&pages, IMAGE_BASE + 0x8000)[..5], b"data\0");
    assert_eq!(
        measured(&pages, IMAGE_BASE + 0xa000),
        &[0; 4096],
        "zeros are measured too"
    );

    let permissions = |address| {
        pages
            .iter()
            .find(|page| page.address == address)
            .map(|page| page.sec_info.permissions())
    };
    assert_eq!(permissions(IMAGE_BASE), Some(SecInfo::R));
    assert_eq!(permissions(IMAGE_BASE + 0x1000), None);
    assert_eq!(permissions(IMAGE_BASE + 0x3000), Some(SecInfo::R | SecInfo::X));
    assert_eq!(permissions(IMAGE_BASE + 0xa000), Some(SecInfo::R | SecInfo::W));
    assert_eq!(permissions(IMAGE_BASE + 0xb000), None);
}

#[test]
fn the_configuration_is_read_only_with_its_length_before_it() {
    let pages = pages();
    let page = measured(&pages, CONFIG_START);
    let len = u64::from_le_bytes(page[..8].try_into().unwrap()) as usize;
    assert_eq!(Config::decode(&page[8..8 + len]), Ok(sample::config()));
    assert!(page[8 + len..].iter().all(|&byte| byte == 0));
    let config = pages.iter().find(|page| page.address == CONFIG_START).unwrap();
    assert_eq!(config.sec_info, SecInfo::new(PageType::Reg, SecInfo::R));
}

#[test]
fn a_slot_has_stacks_frames_and_a_tcs() {
    let pages = pages();
    for index in 0..3 {
        let slot = Slot::new(index).unwrap();
        let tcs = Tcs::from_page(measured(&pages, slot.tcs())).unwrap();
        assert_eq!(tcs.entry, IMAGE_BASE + 0x2108);
        assert_eq!(
            (tcs.fs, tcs.gs, tcs.ssa, tcs.ssa_frames),
            (slot.gs(), slot.gs(), slot.ssa(), 2)
        );
        assert_eq!((tcs.fs_limit, tcs.gs_limit, tcs.flags), (0xfff, 0xfff, 0));

        let at = |address| pages.iter().find(|page| page.address == address);
        assert!(at(slot.stack() - PAGE_SIZE).is_none(), "a guard below the stack");
        assert!(
            at(slot.exception_stack() - PAGE_SIZE).is_none(),
            "a guard below the exception stack"
        );
        assert_eq!(at(slot.stack()).unwrap().content, Content::Unmeasured);
        let zeros = Content::Measured(Box::new([0; PAGE_SIZE as usize]));
        assert_eq!(at(slot.gs()).unwrap().content, zeros);
        assert_eq!(at(slot.ssa() + PAGE_SIZE).unwrap().content, Content::Unmeasured);
        assert_eq!(at(slot.tcs()).unwrap().sec_info, SecInfo::TCS);
    }
    assert!(
        !pages
            .iter()
            .any(|page| page.address == Slot::new(3).unwrap().tcs())
    );
}

#[test]
fn the_files_digest_is_the_measurement() {
    let file = sample::libos();
    let libos = Libos::parse(&file).unwrap();
    let mut out = Vec::new();
    let mr_enclave = Layout::new(&libos, &sample::config())
        .unwrap()
        .write(&mut out)
        .unwrap();
    assert_eq!(mr_enclave.0, *Sha256::digest(&out));

    let read = Sgxs::read(&out).unwrap();
    assert_eq!(read.mr_enclave, mr_enclave);
    assert_eq!(Config::decode(&read.config), Ok(sample::config()));
    let counts = read.pages;
    assert_eq!(
        (counts.code, counts.data, counts.config, counts.tcs),
        (2, 4, 1, 3)
    );
    assert_eq!(counts.threads, 3 * (32 + 4 + 1 + 2));
    assert_eq!(counts.total(), pages().len() as u64);
}

#[test]
fn every_difference_in_the_configuration_is_another_enclave() {
    let file = sample::libos();
    let libos = Libos::parse(&file).unwrap();
    let measure = |config: &Config| {
        Layout::new(&libos, config)
            .unwrap()
            .write(std::io::sink())
            .unwrap()
    };
    let first = measure(&sample::config());
    assert_eq!(measure(&sample::config()), first);
    let mut other = sample::config();
    other.rootfs.root_hash[31] ^= 1;
    assert_ne!(measure(&other), first);
}

#[test]
fn truncated_files_are_refused() {
    let file = sgxs();
    // Cut within every record, and between some: a file that ends between two TCSs is a smaller enclave.
    for len in (0..file.len()).step_by(31) {
        if let Ok(read) = Sgxs::read(&file[..len]) {
            assert!(read.pages.tcs < 3, "{len}");
        }
    }
    assert_eq!(Sgxs::read(&file[..file.len() - 1]), Err(SgxsError::Truncated));
}

#[test]
fn a_flipped_byte_is_refused_or_another_enclave() {
    let file = sgxs();
    let read = Sgxs::read(&file).unwrap();
    for at in (0..file.len()).step_by(101) {
        let mut flipped = file.clone();
        flipped[at] ^= 0x10;
        if let Ok(other) = Sgxs::read(&flipped) {
            assert_ne!(other.mr_enclave, read.mr_enclave, "byte {at}");
        }
    }
}

#[test]
fn unfit_libos_files_are_refused() {
    let code: sample::Header = (LOAD, R | X, IMAGE_BASE, &[0xf4], 1);
    let entry = IMAGE_BASE;
    let refused =
        |kind, entry, headers: &[sample::Header]| Libos::parse(&elf(kind, entry, headers)).unwrap_err();

    assert!(Libos::parse(&elf(2, entry, &[code])).is_ok());
    assert_eq!(Libos::parse(b"#!/bin/sh").unwrap_err(), LibosError::NotElf);
    assert_eq!(refused(3, entry, &[code]), LibosError::NotFixed);
    for (kind, need) in [(INTERP, "a dynamic linker"), (TLS, "thread-local storage")] {
        assert_eq!(
            refused(2, entry, &[code, (kind, R, IMAGE_BASE, &[], 0)]),
            LibosError::Needs(need)
        );
    }
    let dynamic = |tag: u64| {
        let bytes = [tag.to_le_bytes(), [0; 8]].concat();
        elf(2, entry, &[code, (DYNAMIC, R, IMAGE_BASE, &bytes, 16)])
    };
    for (tag, need) in [
        (1, "a dynamic linker"),
        (7, "relocations"),
        (23, "relocations"),
        (36, "relocations"),
    ] {
        assert_eq!(Libos::parse(&dynamic(tag)).unwrap_err(), LibosError::Needs(need));
    }
    let gnu_hash = 0x6fff_fef5;
    assert!(
        Libos::parse(&dynamic(gnu_hash)).is_ok(),
        "symbols ask for nothing"
    );
    for flags in [R | W | X, W, X, 0] {
        let segment = (LOAD, flags, IMAGE_BASE + 0x1000, &[0][..], 1);
        assert_eq!(
            refused(2, entry, &[code, segment]),
            LibosError::Permissions(IMAGE_BASE + 0x1000)
        );
    }
    for address in [0x400000, IMAGE_END - 1, IMAGE_END, u64::MAX - 1] {
        let segment = (LOAD, R, address, &[0][..], 2);
        assert_eq!(
            refused(2, entry, &[code, segment]),
            LibosError::OutOfRange(address)
        );
    }
    let same_page = (LOAD, R | W, IMAGE_BASE + 8, &[0][..], 1);
    assert_eq!(
        refused(2, entry, &[code, same_page]),
        LibosError::Overlap(IMAGE_BASE + 8)
    );
    let data = (LOAD, R | W, IMAGE_BASE + 0x1000, &[0][..], 1);
    assert_eq!(
        refused(2, IMAGE_BASE + 0x1000, &[code, data]),
        LibosError::Entry(IMAGE_BASE + 0x1000)
    );
    let beyond_the_file = elf(2, entry, &[code]).len() - 1;
    assert_eq!(
        Libos::parse(&elf(2, entry, &[code])[..beyond_the_file]).unwrap_err(),
        LibosError::NotElf
    );
}
