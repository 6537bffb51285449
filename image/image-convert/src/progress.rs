//! Reports the progress of a conversion.

/// A part of a conversion that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading the layers, in bytes as they are stored.
    Layers,
    /// Looking for system calls in programs and libraries, in bytes of them.
    CallSites,
    /// Writing and hashing the root file system, in bytes.
    RootFs,
    /// Writing the image, in bytes.
    Image,
}

/// Receives the progress of a conversion.
pub trait Progress {
    /// A stage begins, with so many bytes to do.
    fn begin(&mut self, stage: Stage, total: u64);

    /// The stage has come to this byte.
    fn at(&mut self, position: u64);
}

/// Ignores the progress.
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _: Stage, _: u64) {}
    fn at(&mut self, _: u64) {}
}
