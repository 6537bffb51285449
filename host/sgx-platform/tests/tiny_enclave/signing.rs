//! Lays out, measures and signs test enclaves, with no code of what is tested but the structures' bytes.

#[path = "key.rs"]
mod key;

use enclave_layout::{EXCEPTION_STACK_SIZE, SSA_FRAMES, STACK_SIZE, Slot};
use num_bigint::BigUint;
use sgx_arch::{Attributes, MiscSelect, PageType, SecInfo, SigStruct, Tcs, Xfrm};
use sha2::{Digest, Sha256};

/// A page; its content is measured if it has any.
pub struct Page {
    pub offset: u64,
    pub sec_info: SecInfo,
    pub content: Option<Box<[u8; 4096]>>,
}

impl Page {
    /// A page that begins with `content`.
    pub fn new(offset: u64, sec_info: SecInfo, content: Option<&[u8]>) -> Self {
        let content = content.map(|content| {
            let mut page = Box::new([0; 4096]);
            page[..content.len()].copy_from_slice(content);
            page
        });
        Self {
            offset,
            sec_info,
            content,
        }
    }

    /// A regular page with these permissions.
    pub fn regular(offset: u64, permissions: u64, content: Option<&[u8]>) -> Self {
        Self::new(offset, SecInfo::new(PageType::Reg, permissions), content)
    }
}

/// The pages of a thread's slot.
pub fn slot_pages(index: u64, entry: u64) -> Vec<Page> {
    let slot = Slot::new(index).unwrap();
    let tcs = Tcs {
        flags: 0,
        ssa: slot.ssa(),
        ssa_frames: SSA_FRAMES as u32,
        entry,
        fs: slot.gs(),
        gs: slot.gs(),
        fs_limit: 0xfff,
        gs_limit: 0xfff,
    };
    let stacks = [
        slot.stack()..slot.stack() + STACK_SIZE,
        slot.exception_stack()..slot.exception_stack() + EXCEPTION_STACK_SIZE,
        slot.gs()..slot.tcs(),
    ];
    let writable = stacks.into_iter().flat_map(|range| range.step_by(4096));
    let mut pages: Vec<Page> = writable
        .map(|page| Page::regular(page, SecInfo::R | SecInfo::W, None))
        .collect();
    pages.push(Page::new(slot.tcs(), SecInfo::TCS, Some(&tcs.to_bytes())));
    pages
}

/// The SGXS file of these pages; its SHA-256 is MRENCLAVE.
pub fn sgxs(pages: &[Page]) -> Vec<u8> {
    let mut file = Vec::from(*b"ECREATE\0\x01\0\0\0");
    file.extend(enclave_layout::ELRANGE_SIZE.to_le_bytes());
    file.resize(64, 0);
    for page in pages {
        file.extend(*b"EADD\0\0\0\0");
        file.extend(page.offset.to_le_bytes());
        file.extend(&page.sec_info.to_bytes()[..48]);
        for (chunk, bytes) in page
            .content
            .iter()
            .flat_map(|content| content.chunks(256))
            .enumerate()
        {
            file.extend(*b"EEXTEND\0");
            file.extend((page.offset + chunk as u64 * 256).to_le_bytes());
            file.extend([0; 48]);
            file.extend(bytes);
        }
    }
    file
}

/// The signature's values before it is signed.
pub fn unsigned() -> SigStruct {
    SigStruct {
        vendor: 0,
        date: 0x2026_0101,
        sw_defined: 0,
        modulus: [0; 384],
        signature: [0; 384],
        misc_select: MiscSelect::EXINFO,
        misc_mask: !0,
        attributes: Attributes {
            flags: Attributes::MODE64BIT | Attributes::DEBUG,
            xfrm: Xfrm::LEGACY,
        },
        attributes_mask: Attributes {
            flags: !0,
            xfrm: Xfrm(!0xe4),
        },
        enclave_hash: [0; 32],
        isv_prod_id: 3,
        isv_svn: 4,
        q1: [0; 384],
        q2: [0; 384],
    }
}

fn little_endian(number: &BigUint) -> [u8; 384] {
    let mut bytes = [0; 384];
    let digits = number.to_bytes_le();
    bytes[..digits.len()].copy_from_slice(&digits);
    bytes
}

/// Signs (RSASSA-PKCS1-v1_5 with SHA-256).
pub fn sign(mut sig: SigStruct) -> SigStruct {
    let hex = |digits: &str| BigUint::parse_bytes(digits.as_bytes(), 16).unwrap();
    let (n, d) = (hex(key::MODULUS), hex(key::EXPONENT));
    let mut encoded = vec![0, 1];
    encoded.resize(384 - 52, 0xff);
    encoded.push(0);
    encoded.extend(b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20");
    encoded.extend(Sha256::digest(sig.signed_bytes()));
    let s = BigUint::from_bytes_be(&encoded).modpow(&d, &n);
    let q1 = &s * &s / &n;
    let q2 = (&s * &s - &q1 * &n) * &s / &n;
    sig.modulus = little_endian(&n);
    sig.signature = little_endian(&s);
    (sig.q1, sig.q2) = (little_endian(&q1), little_endian(&q2));
    sig
}
