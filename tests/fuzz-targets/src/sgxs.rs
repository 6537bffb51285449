//! The enclave's file (SGXS): the platform loads what the signer accepts.

use enclave_layout::IMAGE_BASE;
use sgx_arch::{PAGE_SIZE, RECORD_SIZE, SecInfo, SigStruct};
use sgx_platform::driver::Driver;
use sgx_platform::sgxs::Stream;
use sgx_platform::{Builder, Chunks, PlatformError};
use sgx_sign::{Layout, Libos, Sgxs};

pub(crate) fn run(input: &[u8]) {
    let read = Sgxs::read(input);
    let loaded = Stream::new(input)
        .map_err(PlatformError::from)
        .and_then(|stream| {
            let mut pages = Pages::default();
            stream.load(&mut pages).map(|threads| (threads, pages))
        });
    if let Ok(sgxs) = &read {
        let (threads, pages) = loaded.as_ref().expect("what the signer accepts is loaded");
        assert_eq!(sgxs.pages.tcs, threads.len() as u64);
        assert_eq!(sgxs.pages.total(), pages.count);
    }
    if let Ok((_, pages)) = &loaded {
        assert!(pages.count as usize <= input.len() / RECORD_SIZE);
    }
}

/// Counts what it gets.
#[derive(Default)]
struct Pages {
    count: u64,
    last: Option<u64>,
}

impl Builder for Pages {
    type Enclave = Driver;

    fn add_page(
        &mut self,
        offset: u64,
        _: SecInfo,
        _: Option<&[u8; PAGE_SIZE as usize]>,
        _: Chunks,
    ) -> Result<(), PlatformError> {
        assert!(offset.is_multiple_of(PAGE_SIZE) && self.last.is_none_or(|last| last < offset));
        self.count += 1;
        self.last = Some(offset);
        Ok(())
    }

    fn init(self, _: &SigStruct) -> Result<Driver, PlatformError> {
        unreachable!("nobody asks")
    }
}

/// A LibOS of one page.
fn libos() -> Vec<u8> {
    let code = [0xf4; 64];
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for (number, size) in [
        (2, 2),
        (62, 2),
        (1, 4),
        (IMAGE_BASE, 8),
        (64, 8),
        (0, 8),
        (0, 4),
        (64, 2),
        (56, 2),
        (1, 2),
        (64, 2),
        (0, 2),
        (0, 2),
        // The program header: type, flags, offset, addresses, lengths, alignment.
        (1, 4),
        (5, 4),
        (120, 8),
        (IMAGE_BASE, 8),
        (IMAGE_BASE, 8),
        (code.len() as u64, 8),
        (code.len() as u64, 8),
        (1, 8),
    ] {
        file.extend(&number.to_le_bytes()[..size]);
    }
    file.extend(code);
    file
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let file = libos();
    let libos = Libos::parse(&file).expect("a LibOS");
    let mut config = crate::enclave_config::sample();
    config.threads = 1;
    let mut whole = Vec::new();
    let layout = Layout::new(&libos, &config).expect("a layout");
    layout.write(&mut whole).expect("memory");
    assert!(Sgxs::read(&whole).is_ok());
    // ECREATE and one page; ECREATE, a page and a part of one.
    let page = RECORD_SIZE + 16 * (RECORD_SIZE + 256);
    let begin = |len: usize| whole[..len].to_vec();
    vec![
        begin(RECORD_SIZE + page),
        begin(2 * RECORD_SIZE + page + 320),
        whole.clone(),
    ]
}
