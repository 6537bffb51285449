//! Building, initialising, entering and leaving.

mod tiny_enclave;

use enclave_layout::{ELRANGE_SIZE, EntryReason, Slot};
use sgx_arch::{PageType, SecInfo, SigStruct};
use sgx_platform::emulator::EncluSites;
use sgx_platform::{Builder, Chunks, Enclave, Exit, Mismatch, PlatformError};
use tiny_enclave::*;

#[test]
fn an_enclave_is_entered_and_left() {
    let _alone = alone();
    for sites in [EncluSites::Patched, EncluSites::Trapped] {
        let enclave = enclave(1, sites);
        let mut thread = thread(&enclave, 0);
        assert_eq!(enter(&mut thread, tiny_cssa::address()), Exit::Left(0));
        assert_eq!(
            enter(&mut thread, tiny_reason::address()),
            Exit::Left(EntryReason::Normal as u64)
        );
        assert_eq!((enclave.secs().isv_prod_id, enclave.secs().isv_svn), (3, 4));
    }
}

#[test]
fn the_host_gets_its_own_state_back() {
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let mut thread = thread(&enclave, 0);
    thread_local! { static MINE: std::cell::Cell<u32> = const { std::cell::Cell::new(5) } }
    for routine in [tiny_pending::address(), tiny_ugly::address()] {
        assert_eq!(enter(&mut thread, routine), Exit::Left(DONE));
        assert_eq!(MINE.get(), 5);
        check_floating_point();
    }
    let mut bytes = [1u8; 64];
    bytes.copy_within(0..32, 16);
    assert_eq!(bytes, [1; 64]);
}

fn check_floating_point() {
    let (mut mxcsr, mut control) = (0u32, 0u16);
    // SAFETY: stores the two control words.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack)) };
    // SAFETY: as above.
    unsafe { std::arch::asm!("fnstcw [{}]", in(reg) &raw mut control, options(nostack)) };
    assert_eq!((mxcsr, control), (0x1f80, 0x37f));
    // With the x87 stack full, loads would give NaN.
    let third = std::hint::black_box(1.0f64) / std::hint::black_box(3.0);
    assert_eq!(format!("{third:.5}"), "0.33333");
    let x87: u64;
    // SAFETY: divides 1 by 1 on the x87 stack and takes the result off.
    unsafe {
        let mut result = 0u64;
        std::arch::asm!("fld1", "fld1", "fdivp", "fistp qword ptr [{}]", in(reg) &raw mut result);
        x87 = result;
    }
    assert_eq!(x87, 1);
}

#[test]
fn a_tcs_serves_one_thread_at_a_time() {
    let _alone = alone();
    let enclave = enclave(2, EncluSites::Patched);
    let tcs = Slot::new(0).unwrap().tcs();
    let first = enclave.thread(tcs).unwrap();
    assert!(matches!(enclave.thread(tcs), Err(PlatformError::Tcs(address, "is in use")) if address == tcs));
    drop(first);
    assert!(enclave.thread(tcs).is_ok());
    assert!(matches!(enclave.thread(DATA), Err(PlatformError::Tcs(DATA, _))));
}

#[test]
fn two_threads_run_at_the_same_time() {
    let _alone = alone();
    let enclave = enclave(2, EncluSites::Patched);
    set_word(DATA, 0);
    std::thread::scope(|scope| {
        let spinning = scope.spawn(|| enter(&mut thread(&enclave, 1), tiny_spin::address()));
        let mut thread = thread(&enclave, 0);
        while word(DATA + 8) == 0 {
            assert_eq!(enter(&mut thread, tiny_cssa::address()), Exit::Left(0));
        }
        set_word(DATA, 1);
        assert_eq!(spinning.join().unwrap(), Exit::Left(DONE));
    });
}

#[test]
fn only_the_signed_enclave_is_initialised() {
    let _alone = alone();
    let mismatch = |error| match error {
        PlatformError::Signature(mismatch) => mismatch,
        other => panic!("{other}"),
    };
    let refused = |sig: fn(SigStruct) -> SigStruct| mismatch(refusal(sig));
    assert_eq!(
        refused(|sig| sign(SigStruct {
            enclave_hash: [1; 32],
            ..sig
        })),
        Mismatch::EnclaveHash
    );
    assert_eq!(
        refused(|sig| SigStruct {
            isv_svn: 9,
            ..sign(sig)
        }),
        Mismatch::Signature
    );
    for byte in [0, 200, 383] {
        let flip = |mut bytes: [u8; 384]| {
            bytes[byte] ^= 1;
            bytes
        };
        let good = sign(unsigned());
        let bad = [
            SigStruct {
                signature: flip(good.signature),
                ..good.clone()
            },
            SigStruct {
                modulus: flip(good.modulus),
                ..good.clone()
            },
            SigStruct {
                q1: flip(good.q1),
                ..good.clone()
            },
            SigStruct {
                q2: flip(good.q2),
                ..good
            },
        ];
        for sig in bad {
            let (emulator, _) = build(1, EncluSites::Patched);
            assert_eq!(
                mismatch(emulator.init(&sig).unwrap_err()),
                Mismatch::Signature,
                "byte {byte}"
            );
        }
    }
    let provision = |mut sig: SigStruct| {
        sig.attributes.flags |= sgx_arch::Attributes::PROVISIONKEY;
        sign(sig)
    };
    assert_eq!(refused(provision), Mismatch::Attributes);
    assert_eq!(
        refused(|sig| sign(SigStruct {
            misc_select: sgx_arch::MiscSelect(0),
            ..sig
        })),
        Mismatch::MiscSelect
    );
    assert_eq!(
        refused(|sig| sign(SigStruct { vendor: 1, ..sig })),
        Mismatch::Vendor
    );
}

#[test]
fn pages_are_added_once_and_inside() {
    let _alone = alone();
    let (mut emulator, _) = build(1, EncluSites::Patched);
    let regular = SecInfo::new(PageType::Reg, SecInfo::R);
    let pending = SecInfo::new(PageType::Reg, SecInfo::R | SecInfo::PENDING);
    for (offset, sec_info) in [
        (DATA, regular),
        (ELRANGE_SIZE, regular),
        (0, regular),
        (DYNAMIC + 1, regular),
        (DYNAMIC, pending),
        (DYNAMIC, SecInfo::new(PageType::Secs, 0)),
        (DYNAMIC, SecInfo::new(PageType::Tcs, SecInfo::R)),
    ] {
        let error = emulator
            .add_page(offset, sec_info, None, Chunks::NONE)
            .unwrap_err();
        assert!(
            matches!(error, PlatformError::Page(at, _) if at == offset),
            "{error}"
        );
    }
}

#[test]
fn a_process_holds_one_enclave() {
    let _alone = alone();
    let (_first, _) = build(1, EncluSites::Patched);
    let secs = sgx_arch::Secs::new(
        0,
        ELRANGE_SIZE,
        1,
        sgx_arch::MiscSelect::EXINFO,
        sgx_platform::processor::attributes(&unsigned()),
    );
    let second = sgx_platform::emulator::Emulator::create(secs, simulated_processor(), EncluSites::Patched);
    assert!(matches!(second, Err(PlatformError::AddressRange { .. })));
}
