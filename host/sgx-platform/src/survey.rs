//! What this machine, its kernel and this container allow: for `nacre doctor`.
//!
//! [`Facts`] are gathered without side effects; [`findings`] judges them. A finding that is not good says what to do.

use std::arch::x86_64::__cpuid_count;
use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use sgx_arch::Xfrm;

use crate::requirements;

/// Linux's device for enclaves.
pub(crate) const DEVICE: &str = "/dev/sgx_enclave";
/// Where Intel's quoting service listens.
const AESM: &str = "/var/run/aesmd/aesm.socket";

/// What was found out.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Why the emulator cannot run, if it cannot.
    pub emulator: Result<(), requirements::Missing>,
    /// CPUID of SGX.
    pub sgx: Sgx,
    /// The kernel's release, `6.8.0-1021-azure`.
    pub kernel: String,
    /// Whether this process is in a container.
    pub in_container: bool,
    /// What opening the device says.
    pub device: Result<(), io::ErrorKind>,
    /// Whether the file system of the device's node forbids to map code.
    pub device_is_noexec: bool,
    /// What connecting to the quoting service says.
    pub aesm: Result<(), io::ErrorKind>,
}

/// What CPUID says of SGX (SDM vol. 3D, 35.7.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sgx {
    /// The processor has it, and the firmware has switched it on.
    pub is_enabled: bool,
    /// Pages can be added to an enclave that runs (SGX2).
    pub has_sgx2: bool,
    /// The enclave is told of page faults (MISCSELECT.EXINFO).
    pub has_exinfo: bool,
    /// The enclave is told of interrupts (AEX-Notify).
    pub has_aex_notify: bool,
    /// State components that enclaves may have.
    pub xfrm: Xfrm,
    /// Bytes of the enclave page cache.
    pub epc: u64,
}

impl Sgx {
    fn of_this_processor() -> Self {
        const SGX: u32 = 1 << 2;
        const LEAF: u32 = 0x12;
        if __cpuid_count(0, 0).eax < LEAF || __cpuid_count(7, 0).ebx & SGX == 0 {
            return Self::default();
        }
        let capabilities = __cpuid_count(LEAF, 0);
        let attributes = __cpuid_count(LEAF, 1);
        Self {
            is_enabled: capabilities.eax & 1 != 0,
            has_sgx2: capabilities.eax & 1 << 1 != 0,
            has_exinfo: capabilities.ebx & 1 != 0,
            has_aex_notify: capabilities.eax & 1 << 11 != 0,
            xfrm: Xfrm(u64::from(attributes.edx) << 32 | u64::from(attributes.ecx)),
            epc: (2..10).map_while(epc_section).sum(),
        }
    }
}

/// Bytes of a section of the EPC; `None` behind the last one.
fn epc_section(subleaf: u32) -> Option<u64> {
    const VALID: u32 = 1;
    let section = __cpuid_count(0x12, subleaf);
    let size = u64::from(section.edx & 0xf_ffff) << 32 | u64::from(section.ecx & 0xffff_f000);
    (section.eax & 0xf == VALID).then_some(size)
}

impl Facts {
    /// Those of this process.
    pub fn gather() -> Self {
        let open = File::options().read(true).write(true).open(DEVICE);
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        Self {
            emulator: requirements::emulator(),
            sgx: Sgx::of_this_processor(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            in_container: Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists(),
            device: open.map(drop).map_err(|error| error.kind()),
            device_is_noexec: is_noexec(&mounts),
            aesm: UnixStream::connect(AESM).map(drop).map_err(|error| error.kind()),
        }
    }
}

/// Whether /dev is mounted so that no code of it can be mapped, in the text of /proc/self/mounts.
fn is_noexec(mounts: &str) -> bool {
    let mut of_dev = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        (fields.next()? == "/dev").then(|| fields.nth(1)).flatten()
    });
    of_dev
        .next_back()
        .is_some_and(|options| options.split(',').any(|option| option == "noexec"))
}

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub subject: &'static str,
    /// What was found.
    pub found: String,
    /// What to do, if something has to be done.
    pub remedy: Option<&'static str>,
}

fn finding(subject: &'static str, found: impl Into<String>, remedy: Option<&'static str>) -> Finding {
    Finding {
        subject,
        found: found.into(),
        remedy,
    }
}

/// A remedy where something is not as it should be.
fn unless(is_good: bool, remedy: &'static str) -> Option<&'static str> {
    (!is_good).then_some(remedy)
}

/// What stands in the way of SGX, and of the emulator, in the order in which to mend it.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let emulator = match &facts.emulator {
        Ok(()) => finding("emulator", "can run; it protects nothing", None),
        Err(missing) => finding(
            "emulator",
            missing.to_string(),
            Some("take another machine or kernel"),
        ),
    };
    let mut findings = vec![emulator];
    findings.extend(processor(&facts.sgx));
    findings.extend(system(facts));
    findings
}

fn processor(sgx: &Sgx) -> Vec<Finding> {
    if !sgx.is_enabled {
        return vec![finding(
            "processor",
            "has no SGX that is switched on",
            Some(
                "switch SGX on in the firmware, or take a machine that has it (on Azure: the series DCsv3 and DCdsv3)",
            ),
        )];
    }
    let needed = Xfrm::LEGACY.0;
    vec![
        finding("processor", "has SGX", None),
        finding(
            "SGX2",
            if sgx.has_sgx2 { "yes" } else { "no" },
            unless(
                sgx.has_sgx2,
                "take an Ice Lake server or a later one: enclaves add pages while they run",
            ),
        ),
        finding(
            "EXINFO",
            if sgx.has_exinfo { "yes" } else { "no" },
            unless(
                sgx.has_exinfo,
                "take a processor whose enclaves are told of page faults",
            ),
        ),
        finding(
            "AEX-Notify",
            if sgx.has_aex_notify {
                "yes"
            } else {
                "no: not used yet"
            },
            None,
        ),
        finding(
            "state components",
            format!("{:#x}", sgx.xfrm.0),
            unless(
                sgx.xfrm.0 & needed == needed,
                "let the hypervisor pass on x87 and SSE in enclaves",
            ),
        ),
        finding(
            "EPC",
            format!("{} MiB", sgx.epc >> 20),
            unless(
                sgx.epc != 0,
                "give the machine enclave memory in the firmware or the hypervisor",
            ),
        ),
    ]
}

fn system(facts: &Facts) -> Vec<Finding> {
    let is_new = version(&facts.kernel).is_some_and(|version| version >= (6, 0));
    let device = match facts.device {
        Ok(()) => finding(DEVICE, "can be opened", None),
        Err(io::ErrorKind::NotFound) if facts.in_container => finding(
            DEVICE,
            "is not in this container",
            Some("pass it on: docker run --device /dev/sgx_enclave"),
        ),
        Err(io::ErrorKind::NotFound) => finding(
            DEVICE,
            "is not there",
            Some("take a kernel with CONFIG_X86_SGX, on a machine that has SGX"),
        ),
        Err(io::ErrorKind::PermissionDenied) => finding(
            DEVICE,
            "must not be opened by this user",
            Some("add the user to the group of the device (sgx on most systems), and log in again"),
        ),
        Err(kind) => finding(
            DEVICE,
            format!("cannot be opened: {kind}"),
            Some("see the kernel's log"),
        ),
    };
    let aesm = match facts.aesm {
        Ok(()) => finding("quoting service", "answers", None),
        Err(kind) => finding(
            "quoting service",
            format!("{AESM}: {kind}"),
            Some(if facts.in_container {
                "pass it on for quotes: docker run -v /var/run/aesmd:/var/run/aesmd"
            } else {
                "install Intel's sgx-aesm-service with its ECDSA plug-in, for quotes"
            }),
        ),
    };
    vec![
        finding(
            "kernel",
            facts.kernel.clone(),
            unless(
                is_new,
                "take Linux 6.0 or later: older ones cannot add pages to an enclave that runs",
            ),
        ),
        device,
        finding(
            "/dev",
            if facts.device_is_noexec {
                "is mounted noexec"
            } else {
                "code can be mapped"
            },
            unless(
                !facts.device_is_noexec,
                "mount -o remount,exec /dev: enclaves are mapped from there",
            ),
        ),
        aesm,
        finding(
            "Nacre",
            "has no backend for SGX yet",
            Some("run enclaves emulated, for development"),
        ),
    ]
}

/// Major and minor number of a kernel's release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dcsv3() -> Facts {
        Facts {
            emulator: Ok(()),
            sgx: Sgx {
                is_enabled: true,
                has_sgx2: true,
                has_exinfo: true,
                has_aex_notify: false,
                xfrm: Xfrm(0xe7),
                epc: 8 << 30,
            },
            kernel: "6.8.0-1021-azure".into(),
            in_container: false,
            device: Ok(()),
            device_is_noexec: false,
            aesm: Ok(()),
        }
    }

    fn wrong(facts: &Facts) -> Vec<&'static str> {
        let findings = findings(facts).into_iter();
        let wrong = findings.filter(|finding| finding.remedy.is_some());
        wrong.map(|finding| finding.subject).collect()
    }

    #[test]
    fn only_nacre_itself_is_missing_on_a_good_machine() {
        assert_eq!(wrong(&dcsv3()), ["Nacre"]);
    }

    #[test]
    fn each_thing_that_is_missing_has_a_remedy() {
        let old = Facts {
            kernel: "5.15.0-91-generic".into(),
            device: Err(io::ErrorKind::PermissionDenied),
            device_is_noexec: true,
            aesm: Err(io::ErrorKind::NotFound),
            ..dcsv3()
        };
        assert_eq!(
            wrong(&old),
            ["kernel", DEVICE, "/dev", "quoting service", "Nacre"]
        );
        let without = Facts {
            sgx: Sgx::default(),
            ..dcsv3()
        };
        assert_eq!(wrong(&without), ["processor", "Nacre"]);
        let sgx1 = Facts {
            sgx: Sgx {
                has_sgx2: false,
                ..dcsv3().sgx
            },
            ..dcsv3()
        };
        assert_eq!(wrong(&sgx1), ["SGX2", "Nacre"]);
    }

    #[test]
    fn releases_and_mounts_are_read() {
        assert_eq!(version("6.8.0-1021-azure"), Some((6, 8)));
        assert_eq!(version("10.0-rc1"), Some((10, 0)));
        assert_eq!(version("unknown"), None);
        assert!(is_noexec(
            "proc /proc proc rw 0 0\nudev /dev devtmpfs rw,nosuid,noexec 0 0\n"
        ));
        assert!(!is_noexec(
            "tmpfs /dev tmpfs rw,nosuid 0 0\ndevpts /dev/pts devpts rw,noexec 0 0\n"
        ));
    }

    #[test]
    fn this_machine_is_looked_at() {
        assert!(version(&Facts::gather().kernel).is_some());
    }
}
