//! Reads an enclave file (SGXS) into a [`Builder`].
//!
//! The format is the stream of records that MRENCLAVE hashes, see [`sgx_arch::Measured`]. Only canonical streams are
//! read: one ECREATE first, pages in ascending order, each chunk within its page and at most once.

use enclave_layout::{CONFIG_START, MAX_CONFIG};
use sgx_arch::{CHUNK_SIZE, Malformed, Measured, PAGE_SIZE, PageType, RECORD_SIZE};

use crate::{Builder, Chunks, PlatformError};

/// What ECREATE says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Create {
    /// Pages of an SSA frame.
    pub ssa_frame_pages: u32,
    /// Bytes of ELRANGE.
    pub size: u64,
}

/// An enclave file whose first record has been read.
#[derive(Clone, Debug)]
pub struct Stream<'a> {
    create: Create,
    rest: &'a [u8],
}

const TRUNCATED: Malformed = Malformed("it ends within a record");

impl<'a> Stream<'a> {
    /// Begins with the bytes of a file.
    pub fn new(file: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = file;
        match next(&mut rest)? {
            Some(Measured::ECreate {
                ssa_frame_pages,
                size,
            }) => Ok(Self {
                create: Create {
                    ssa_frame_pages,
                    size,
                },
                rest,
            }),
            _ => Err(Malformed("it does not begin with ECREATE")),
        }
    }

    /// What the first record says.
    pub fn create(&self) -> Create {
        self.create
    }

    /// The measured configuration's canonical bytes: what the LibOS will read. Empty if the enclave has none.
    pub fn configuration(&self) -> Result<Vec<u8>, Malformed> {
        let mut rest = self.rest;
        let mut pages = Vec::new();
        while let Some(record) = next(&mut rest)? {
            let (Measured::EExtend { offset } | Measured::Unmeasured { offset }) = record else {
                continue;
            };
            let (bytes, tail) = rest.split_at_checked(CHUNK_SIZE).ok_or(TRUNCATED)?;
            rest = tail;
            if (CONFIG_START..CONFIG_START + MAX_CONFIG).contains(&offset) {
                pages.extend_from_slice(bytes);
            }
        }
        let Some((len, bytes)) = pages.split_first_chunk() else {
            return Ok(Vec::new());
        };
        let len = usize::try_from(u64::from_le_bytes(*len)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..len);
        Ok(bytes
            .ok_or(Malformed("its configuration is longer than its pages"))?
            .to_vec())
    }

    /// Adds all pages to a builder and gives the addresses of the TCSs, in the file's order.
    pub fn load(mut self, builder: &mut impl Builder) -> Result<Vec<u64>, PlatformError> {
        let mut threads = Vec::new();
        let mut content = [0; PAGE_SIZE as usize];
        let mut last = None;
        let mut record = next(&mut self.rest)?;
        while let Some(current) = record {
            let (offset, sec_info) = match current {
                Measured::EAdd { offset, sec_info } => (offset, sec_info),
                Measured::ECreate { .. } => return Err(Malformed("ECREATE is not the first record").into()),
                _ => return Err(Malformed("content before any page").into()),
            };
            if !offset.is_multiple_of(PAGE_SIZE) || last.is_some_and(|last| offset <= last) {
                return Err(PlatformError::Page(offset, "is not in ascending order"));
            }
            last = Some(offset);
            if sec_info.page_type() == PageType::Tcs {
                threads.push(offset);
            }
            let (mut loaded, mut measured) = (Chunks::NONE, Chunks::NONE);
            loop {
                record = next(&mut self.rest)?;
                let (at, measure) = match record {
                    Some(Measured::EExtend { offset }) => (offset, Chunks::ALL),
                    Some(Measured::Unmeasured { offset }) => (offset, Chunks::NONE),
                    _ => break,
                };
                if loaded == Chunks::NONE {
                    content.fill(0);
                }
                let within = at.wrapping_sub(offset);
                let chunk = chunk(within, loaded)?;
                loaded.0 |= chunk.0;
                measured.0 |= chunk.0 & measure.0;
                let (bytes, tail) = self.rest.split_at_checked(CHUNK_SIZE).ok_or(TRUNCATED)?;
                self.rest = tail;
                let start = within as usize;
                content[start..start + CHUNK_SIZE].copy_from_slice(bytes);
            }
            let content = (loaded != Chunks::NONE).then_some(&content);
            builder.add_page(offset, sec_info, content, measured)?;
        }
        if last.is_none() {
            return Err(Malformed("it has no pages").into());
        }
        Ok(threads)
    }
}

/// The chunk that begins at this offset of its page. In ascending order: the measurement depends on the order.
fn chunk(within: u64, loaded: Chunks) -> Result<Chunks, Malformed> {
    if within >= PAGE_SIZE || !within.is_multiple_of(CHUNK_SIZE as u64) {
        return Err(Malformed("a chunk lies outside its page"));
    }
    let bit = 1 << (within / CHUNK_SIZE as u64);
    if loaded.0 >= bit {
        return Err(Malformed("the chunks of a page are not in ascending order"));
    }
    Ok(Chunks(bit))
}

fn next(rest: &mut &[u8]) -> Result<Option<Measured>, Malformed> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (record, tail) = rest.split_first_chunk::<RECORD_SIZE>().ok_or(TRUNCATED)?;
    *rest = tail;
    Measured::from_bytes(record).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sgx_arch::{SecInfo, SigStruct};

    #[derive(Default)]
    struct Recorder(Vec<(u64, SecInfo, Option<Vec<u8>>, Chunks)>);

    impl Builder for Recorder {
        type Enclave = crate::driver::Driver;

        fn add_page(
            &mut self,
            offset: u64,
            sec_info: SecInfo,
            content: Option<&[u8; PAGE_SIZE as usize]>,
            measured: Chunks,
        ) -> Result<(), PlatformError> {
            self.0.push((
                offset,
                sec_info,
                content.map(|content| content.to_vec()),
                measured,
            ));
            Ok(())
        }

        fn init(self, _: &SigStruct) -> Result<crate::driver::Driver, PlatformError> {
            unreachable!("the tests load only")
        }
    }

    fn stream(records: &[Measured]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            bytes.extend(record.to_bytes());
            if let Measured::EExtend { offset } | Measured::Unmeasured { offset } = record {
                bytes.extend([(offset >> 8) as u8; CHUNK_SIZE]);
            }
        }
        bytes
    }

    const CREATE: Measured = Measured::ECreate {
        ssa_frame_pages: 1,
        size: 1 << 36,
    };
    const PAGE: SecInfo = SecInfo::new(PageType::Reg, SecInfo::R);

    fn load(records: &[Measured]) -> Result<Recorder, PlatformError> {
        let mut recorder = Recorder::default();
        Stream::new(&stream(records))?.load(&mut recorder)?;
        Ok(recorder)
    }

    #[test]
    fn the_configuration_is_found() {
        let found = |bytes: &[u8]| Stream::new(bytes).unwrap().configuration();
        let mut file = stream(&[
            CREATE,
            Measured::EAdd {
                offset: 0x1000,
                sec_info: PAGE,
            },
            Measured::EExtend { offset: 0x1000 },
            Measured::EAdd {
                offset: CONFIG_START,
                sec_info: PAGE,
            },
        ]);
        assert_eq!(found(&file), Ok(Vec::new()));
        for (at, len) in [(0, 300u64), (CHUNK_SIZE as u64, 0)] {
            let offset = CONFIG_START + at;
            file.extend(Measured::EExtend { offset }.to_bytes());
            let mut chunk = [7; CHUNK_SIZE];
            chunk[..8].copy_from_slice(&len.to_le_bytes());
            file.extend(if at == 0 { chunk } else { [7; CHUNK_SIZE] });
        }
        assert_eq!(found(&file), Ok(vec![7; 300]));
        let cut = file.len() - CHUNK_SIZE - RECORD_SIZE;
        assert!(found(&file[..cut]).is_err(), "longer than its pages");
        assert!(found(&file[..file.len() - 1]).is_err(), "truncated");
    }

    #[test]
    fn pages_arrive_with_their_content() {
        let loaded = load(&[
            CREATE,
            Measured::EAdd {
                offset: 0x1000,
                sec_info: PAGE,
            },
            Measured::EExtend { offset: 0x1000 },
            Measured::Unmeasured { offset: 0x1f00 },
            Measured::EAdd {
                offset: 0x3000,
                sec_info: PAGE,
            },
        ])
        .unwrap();
        let [
            (0x1000, PAGE, Some(content), Chunks(1)),
            (0x3000, PAGE, None, Chunks::NONE),
        ] = &loaded.0[..]
        else {
            panic!("{:?}", loaded.0)
        };
        assert_eq!((content[0], content[0xf00], content[0x100]), (0x10, 0x1f, 0));
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        let add = |offset| Measured::EAdd {
            offset,
            sec_info: PAGE,
        };
        let extend = |offset| Measured::EExtend { offset };
        for records in [
            &[add(0x1000)] as &[_],
            &[CREATE],
            &[CREATE, CREATE],
            &[CREATE, extend(0)],
            &[CREATE, add(0x1001)],
            &[CREATE, add(0x1000), add(0x1000)],
            &[CREATE, add(0x2000), add(0x1000)],
            &[CREATE, add(0x1000), extend(0x2000)],
            &[CREATE, add(0x1000), extend(0x0f00)],
            &[CREATE, add(0x1000), extend(0x1080)],
            &[CREATE, add(0x1000), extend(0x1000), extend(0x1000)],
            &[CREATE, add(0x1000), extend(0x1100), extend(0x1000)],
        ] {
            assert!(load(records).is_err(), "{records:?}");
        }
    }

    #[test]
    fn every_truncation_within_a_record_is_refused() {
        let bytes = stream(&[
            CREATE,
            Measured::EAdd {
                offset: 0x1000,
                sec_info: PAGE,
            },
            Measured::EExtend { offset: 0x1000 },
        ]);
        for len in (0..bytes.len()).filter(|len| ![64 + 64].contains(len)) {
            let result = Stream::new(&bytes[..len]).map_err(PlatformError::from);
            assert!(
                result
                    .and_then(|stream| stream.load(&mut Recorder::default()))
                    .is_err(),
                "{len}"
            );
        }
    }
}
