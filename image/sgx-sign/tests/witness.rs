//! Fortanix's `sgxs` crate, on which the `sgxs-*` tools are built, reads our file, finds it canonical, and measures and
//! describes the same enclave.

mod sample;

use sgx_sign::{Layout, Libos, MrEnclave, Sgxs, SignOptions, Unsigned};
use sgxs::crypto::{Hash, SgxHashOps};
use sgxs::sgxs::{CanonicalSgxsReader, PageReader};
use sgxs::sigstruct::{AttributesFlags, EnclaveHash, Miscselect, Signer};
use sha2::{Digest, Sha256};

struct Sha2(Sha256);

impl SgxHashOps for Sha2 {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}

fn enclave() -> (Vec<u8>, MrEnclave) {
    let file = sample::libos();
    let libos = Libos::parse(&file).unwrap();
    let mut out = Vec::new();
    let mr_enclave = Layout::new(&libos, &sample::config())
        .unwrap()
        .write(&mut out)
        .unwrap();
    (out, mr_enclave)
}

#[test]
fn it_measures_the_same() {
    let (file, mr_enclave) = enclave();
    let mut stream = file.as_slice();
    let theirs = EnclaveHash::from_stream::<_, Sha2>(&mut CanonicalSgxsReader::new(&mut stream)).unwrap();
    assert_eq!(MrEnclave(theirs.hash()), mr_enclave);
}

#[test]
fn it_sees_the_same_pages() {
    let (file, _) = enclave();
    let libos_file = sample::libos();
    let libos = Libos::parse(&libos_file).unwrap();
    let config = sample::config();
    let layout = Layout::new(&libos, &config).unwrap();
    let mut stream = file.as_slice();
    let (create, mut pages) = PageReader::new(&mut stream).unwrap();
    let (size, ssa_frame_pages) = (create.ecreate.size, create.ecreate.ssaframesize);
    assert!(create.sized);
    assert_eq!((size, ssa_frame_pages), (enclave_layout::ELRANGE_SIZE, 1));

    let mut count = 0;
    for ours in layout.pages() {
        let (add, chunks, content) = pages.read_page().unwrap().expect("as many pages");
        assert_eq!(add.offset, ours.address);
        assert_eq!(add.secinfo.flags.bits(), ours.sec_info.flags());
        let (measured, bytes) = match &ours.content {
            sgx_sign::Content::Measured(bytes) => (0xffff, **bytes),
            sgx_sign::Content::Unmeasured => (0, [0; 4096]),
        };
        assert!(chunks.0 == measured && content == bytes, "{:#x}", ours.address);
        count += 1;
    }
    assert!(pages.read_page().unwrap().is_none());
    assert_eq!(Sgxs::read(&file).unwrap().pages.total(), count);
}

#[test]
fn it_would_sign_the_same_bytes() {
    let (_, mr_enclave) = enclave();
    let mut signer = Signer::new(EnclaveHash::new(mr_enclave.0));
    signer
        .date(2026, 1, 1)
        .isvprodid(7)
        .isvsvn(3)
        .miscselect(Miscselect::EXINFO, !0)
        .attributes_flags(AttributesFlags::MODE64BIT, !0)
        .attributes_xfrm(0x3, !0xe4);
    let theirs = signer.unsigned_sig();
    let (header, body) = theirs.signature_data();
    let options = SignOptions {
        product: 7,
        security_version: 3,
        ..SignOptions::default()
    };
    assert_eq!(
        Unsigned::new(mr_enclave, false, &options).bytes()[..],
        [header, body].concat()
    );
}
