//! Measures the paths that programs walk most, next to this machine's Linux: `cargo run --release -p libos-fs --example speed`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::ffi::CString;
use std::hint::black_box;
use std::time::Instant;

use common::{Container, Tree};
use kobject::{KernelSource, Result, Sink};
use libos_fs::{At, OpenHow};
use linux_abi::AtFlags;

/// Takes bytes as a program's memory would: by a copy.
struct Buffer<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Sink for Buffer<'_> {
    fn room(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes[self.at..][..bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
        Ok(())
    }

    fn put_zeros(&mut self, count: usize) -> Result<()> {
        self.bytes[self.at..][..count].fill(0);
        self.at += count;
        Ok(())
    }

    fn put_untrusted(&mut self, _: enclave_rt::untrusted::HostMemory) -> Result<()> {
        unreachable!("files are in the enclave")
    }
}

/// The best of many batches: what it costs when nobody else is in the way.
fn measure(what: &str, times: u32, mut run: impl FnMut()) {
    const BATCHES: u32 = 100;
    let batch = times / BATCHES;
    let mut best = f64::MAX;
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..batch {
            run();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(batch));
    }
    println!("{what:<50} {best:>8.0} ns");
}

fn main() {
    let mut tree = Tree::new();
    tree.directory("/usr");
    tree.directory("/usr/lib");
    tree.file("/usr/lib/file", &vec![7; 1 << 20]);
    tree.symlink("/lib", "usr/lib");
    for n in 0..1000 {
        tree.file(&format!("/usr/lib/other{n}"), b"x");
    }
    let container = Container::new(&tree);
    let (vfs, context) = (&container.vfs, &container.context);
    let path = b"/usr/lib/file";
    let mut page = vec![0; 4096];

    measure("stat, three components", 1_000_000, || {
        black_box(vfs.stat(context, At::Cwd, path, AtFlags::empty()).unwrap());
    });
    let user = container.as_user(1000, 1000);
    measure("stat, three components, as a user", 1_000_000, || {
        black_box(vfs.stat(&user, At::Cwd, path, AtFlags::empty()).unwrap());
    });
    measure("stat through a symbolic link", 1_000_000, || {
        black_box(
            vfs.stat(context, At::Cwd, b"/lib/file", AtFlags::empty())
                .unwrap(),
        );
    });
    measure("stat, ENOENT", 1_000_000, || {
        black_box(
            vfs.stat(context, At::Cwd, b"/usr/lib/none", AtFlags::empty())
                .unwrap_err(),
        );
    });
    let mut number = 0;
    measure("stat, ENOENT, another name each time", 20_000, || {
        number += 1;
        let path = format!("/usr/lib/none{number}");
        black_box(
            vfs.stat(context, At::Cwd, path.as_bytes(), AtFlags::empty())
                .unwrap_err(),
        );
    });
    let how = OpenHow::open(0, 0).unwrap();
    measure("open and close", 1_000_000, || {
        black_box(vfs.open(context, At::Cwd, path, how).unwrap());
    });
    let file = vfs.open(context, At::Cwd, path, how).unwrap();
    measure("fstat", 1_000_000, || {
        black_box(file.object().stat().unwrap());
    });
    let mut offset = 0;
    measure("pread 4096, warm, of the image", 500_000, || {
        offset = (offset + 4096) % (1 << 20);
        let mut sink = Buffer {
            bytes: &mut page,
            at: 0,
        };
        black_box(file.read_at(offset, &mut sink).unwrap());
    });
    let zero = container.open("/dev/zero", libc::O_RDWR, 0).unwrap();
    measure("read 1 of /dev/zero", 1_000_000, || {
        let mut sink = Buffer {
            bytes: &mut page[..1],
            at: 0,
        };
        black_box(zero.read(&mut sink).unwrap());
    });
    let new = container
        .open("/new", libc::O_RDWR | libc::O_CREAT, 0o644)
        .unwrap();
    let source = vec![1; 4096];
    measure("pwrite 4096, fresh pages", 4000, || {
        offset += 4096;
        black_box(
            new.write_at(offset % (16 << 20), &mut KernelSource(&source))
                .unwrap(),
        );
    });
    measure("pwrite 4096", 500_000, || {
        offset = (offset + 4096) % (1 << 20);
        black_box(new.write_at(offset, &mut KernelSource(&source)).unwrap());
    });
    measure("pread 4096 of memory", 500_000, || {
        offset = (offset + 4096) % (1 << 20);
        let mut sink = Buffer {
            bytes: &mut page,
            at: 0,
        };
        black_box(new.read_at(offset, &mut sink).unwrap());
    });
    measure("create and unlink", 200_000, || {
        drop(
            container
                .open("/file", libc::O_RDWR | libc::O_CREAT, 0o644)
                .unwrap(),
        );
        container.unlink("/file").unwrap();
    });

    let path = CString::new("/usr/lib/os-release").unwrap();
    let missing = CString::new("/usr/lib/none").unwrap();
    // SAFETY: a structure of plain numbers.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    println!("Linux:");
    measure("stat, three components", 200_000, || {
        // SAFETY: valid pointers.
        unsafe { libc::stat(path.as_ptr(), &mut stat) };
    });
    measure("stat, ENOENT", 200_000, || {
        // SAFETY: valid pointers.
        unsafe { libc::stat(missing.as_ptr(), &mut stat) };
    });
    measure("open and close", 200_000, || {
        // SAFETY: a valid pointer; the descriptor is closed once.
        unsafe { libc::close(libc::open(path.as_ptr(), 0)) };
    });
}
