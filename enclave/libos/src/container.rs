//! The container: its file systems, timers, host name and limits, of which there is one each.

use alloc::sync::Arc;
use alloc::vec::Vec;

use enclave_config::HostSignals;
use kobject::{Mutex, Once};
use libos_fs::Vfs;
use libos_io::Timers;

use crate::ipc::Ipc;
use crate::processor::Processor;

/// The container.
pub(crate) struct Container {
    /// The file systems that it begins with.
    pub(crate) first_vfs: Vfs,
    /// Those of its image, where `nacre-init` has mounted it.
    pub(crate) image_vfs: Once<Vfs>,
    pub(crate) timers: Arc<Timers>,
    pub(crate) hostname: Mutex<Vec<u8>>,
    pub(crate) ipc: Ipc,
    pub(crate) processor: Processor,
    /// Most bytes of programs' memory.
    pub(crate) memory: u64,
    /// Whether the measured configuration lets the host trace and see crash reports.
    pub(crate) debug: bool,
    /// The signals that the host may send to the first process.
    pub(crate) host_signals: HostSignals,
}

static CONTAINER: Once<Container> = Once::new();

impl Container {
    /// Makes it the container, at boot.
    pub(crate) fn install(self) {
        CONTAINER.get_or_make(|| self);
    }

    /// Its file systems.
    pub(crate) fn vfs(&self) -> &Vfs {
        self.image_vfs.get().unwrap_or(&self.first_vfs)
    }

    /// Writes back what is to last: nothing yet, as all files are in memory.
    pub(crate) fn sync(&self) {}
}

/// The signals that the host may send; none before the container is made.
pub(crate) fn host_signals() -> HostSignals {
    CONTAINER
        .get()
        .map_or(HostSignals::NONE, |container| container.host_signals)
}

/// The container.
#[expect(
    clippy::expect_used,
    reason = "boot installs it before any program runs, and nothing takes it away"
)]
pub(crate) fn container() -> &'static Container {
    CONTAINER
        .get()
        .expect("the container is made before any program runs")
}
