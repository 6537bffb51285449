//! Starts the container: from the measured configuration to the first instruction of the first program.
//!
//! The host's part of a start ([`BootInfo`]) is taken only as far as the configuration lets it.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU32;

use enclave_config::{Config, HostChoices};
use enclave_rt::untrusted::HostMemory;
use enclave_rt::{call, entry, measured, own_memory, processor as instructions};
use host_abi::{BootInfo, HostFd, MessageKind, STAGING_SIZE};
use kobject::{Credentials, Description, Errno, File, Mutex, Once, clock};
use libos_fs::{At, Context, Image, Vfs, VfsOptions};
use libos_io::{Stream, Terminal, Timers};
use libos_mm::AddressSpace;
use linux_abi::{AtFlags, OpenFlags};
use sector_cipher::ImageKey;
use sgx_arch::Attributes;
use zeroize::Zeroizing;

use crate::container::Container;
use crate::ipc::Ipc;
use crate::process::descriptors::OnExec;
use crate::process::exit::{self, Status};
use crate::process::{Process, Thread, exec, limits, table, turn};
use crate::processor::{Contradiction, Processor};
use crate::provisioning::{self, Awaited};
use crate::signal::from_host;
use crate::terminal::bridge;
use crate::{attestation, console, name_files, proc_source, requests, rootfs_source, stats, trace};

/// Why a container does not start: a line for the user.
pub(crate) struct Refusal {
    pub(crate) line: String,
    /// As a shell has it: 126 for what cannot be run, 127 for what is not there, 125 for the rest.
    pub(crate) code: u8,
}

impl Refusal {
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            code: 125,
        }
    }

    /// A program cannot be run because of `file`: itself, or an interpreter.
    pub(crate) fn program(program: &[u8], file: &[u8], errno: Errno) -> Self {
        let it = match program == file {
            true => String::from("it"),
            false => format!("{}, which it needs,", file.escape_ascii()),
        };
        let why = match errno {
            Errno::ENOENT if file.contains(&b'/') => format!("{it} is not in the image"),
            Errno::ENOENT => format!("{it} is in no directory of the image's PATH"),
            Errno::EACCES => format!("{it} is not executable for the image's user"),
            Errno::EISDIR => format!("{it} is a directory"),
            Errno::EIO => format!("{it} cannot be read: the image was changed, or is damaged"),
            Errno::ENOEXEC => {
                format!("{it} is neither a program for x86-64 Linux nor a script that begins with #!")
            }
            Errno::EFAULT => format!("{it} ends too early: the file is truncated"),
            Errno::ELOOP => format!("{it} is a script or symbolic link that leads back to itself"),
            Errno::E2BIG => String::from("its arguments and environment are too long"),
            Errno::ENOMEM => {
                format!("{it} does not fit into the enclave's memory: convert with a larger --enclave-size")
            }
            errno => format!("{it} cannot be loaded ({errno})"),
        };
        Self {
            line: format!("cannot run {}: {why}", program.escape_ascii()),
            code: if errno == Errno::ENOENT { 127 } else { 126 },
        }
    }
}

/// Starts the container's program on the calling thread, the enclave's first.
pub(crate) fn boot() -> ! {
    match start() {
        Ok(start) => {
            let mut frame = start;
            entry::enter_program(&mut frame)
        }
        Err(refusal) => {
            console::print(MessageKind::Notice, &format!("{}\n", refusal.line));
            exit::end(Status::exited(refusal.code))
        }
    }
}

fn start() -> Result<enclave_rt::frame::TrapFrame, Refusal> {
    let config = Config::decode(measured::configuration())
        .map_err(|error| Refusal::new(format!("the measured configuration cannot be read: {error}")))?;
    own_memory::set_threads(config.threads.into());
    if config.debug {
        measured::allow_debugging();
    }
    refuse_other_attributes(&config)?;
    let info = boot_info()?;
    clock::start(info.tsc_hz);
    if config.debug && info.flags.trace {
        trace::start();
    }
    if config.debug && info.flags.stats {
        stats::start();
    }
    refuse_what_is_not_allowed(&config, &info)?;
    let processor = Processor::new(&info).map_err(|Contradiction(why)| {
        Refusal::new(format!(
            "what the host says of CPUID contradicts the processor: {why}"
        ))
    })?;

    let first_vfs = match &config.broker {
        Some(broker) => provisioning::file_systems(&config, broker, &info)?,
        None => mount(
            &config,
            (info.rootfs_address, info.rootfs_len),
            info.image_key.as_ref(),
        )?,
    };
    let terminal = Arc::new(Terminal {
        foreground: AtomicU32::new(1),
        session: AtomicU32::new(1),
    });
    Container {
        first_vfs,
        image_vfs: Once::new(),
        timers: Timers::new(from_host::forward),
        hostname: Mutex::new(hostname(&config, &info)),
        ipc: Ipc::new(config.memory),
        processor,
        memory: config.memory,
        debug: config.debug,
        host_signals: config.host_signals,
    }
    .install();

    libos_io::socket::install_loopback(config.loopback.clone());
    let resolver = name_files::resolver(&config.resolver, &info.resolv_conf);
    let container = crate::container();
    let name = container.hostname.lock().clone();
    make_name_files(container.vfs(), &name, &resolver)?;
    let context = match &config.broker {
        Some(_) => provisioning::first_context(),
        None => first_context(&config)?,
    };
    let pid = table::new_number();
    let space = AddressSpace::new(config.memory);
    let process = Process::first(pid, space, context.clone());
    let thread = Thread::first(process.clone());
    process.add_thread(thread.clone());
    table::add(process.clone());
    kobject::install_residence(&turn::Turn);
    process.space().admit(&thread.pin);
    thread.begin();
    let opened = match info.flags.terminal {
        true => open_terminal(&process),
        false => open_streams(&process, &terminal),
    };
    opened.map_err(|errno| Refusal::new(format!("standard streams: {errno}")))?;
    let arguments = arguments(&config, &info)?;
    let environment = environment(&config, &info);
    if config.broker.is_none() {
        requests::allow(&config, &context, environment.clone());
        return load(arguments, environment, &context, &thread);
    }
    let program = provisioning::program(&config, &info.broker, &arguments, &environment);
    provisioning::await_image(Awaited {
        rootfs_address: info.rootfs_address,
        rootfs_len: info.rootfs_len,
        config,
        environment,
        resolver,
    });
    load(program, Vec::new(), &context, &thread)
}

pub(crate) fn make_name_files(vfs: &Vfs, name: &[u8], resolver: &str) -> Result<(), Refusal> {
    name_files::make(vfs, &vfs.root_context(), name, resolver)
        .map_err(|errno| Refusal::new(format!("/etc/hosts and its like cannot be made ({errno})")))
}

fn boot_info() -> Result<BootInfo, Refusal> {
    // It may hold the image's key.
    let mut bytes = Zeroizing::new(vec![0; STAGING_SIZE]);
    call::staging().read(&mut bytes);
    BootInfo::decode(&bytes)
        .map_err(|error| Refusal::new(format!("the host's boot information cannot be read ({error:?})")))
}

/// MRENCLAVE says nothing of ATTRIBUTES and MISCSELECT, which the host and the signature choose. What the LibOS builds on is checked.
fn refuse_other_attributes(config: &Config) -> Result<(), Refusal> {
    let own = enclave_rt::attestation::own_body().map_err(|error| {
        Refusal::new(format!(
            "the processor does not say what this enclave is: {error}"
        ))
    })?;
    let is_debug = own.attributes.flags & Attributes::DEBUG != 0;
    if is_debug != config.debug {
        return Err(Refusal::new(if is_debug {
            "the signature makes this a debug enclave, which its configuration does not allow"
        } else {
            "the configuration allows debugging, but the signature makes this no debug enclave"
        }));
    }
    if own.attributes.xfrm.0 != instructions::components() {
        return Err(Refusal::new(format!(
            "the host has given the enclave state components that it cannot have (XFRM {:#x})",
            own.attributes.xfrm.0
        )));
    }
    if !own.misc_select.has_exinfo() {
        return Err(Refusal::new(
            "the signature does not let the enclave see page faults (MISCSELECT.EXINFO)",
        ));
    }
    Ok(())
}

/// A host that asks for more than the image allows is told so.
fn refuse_what_is_not_allowed(config: &Config, info: &BootInfo) -> Result<(), Refusal> {
    let choices = HostChoices {
        args: &info.args,
        env: &info.env,
        debugging: info.flags.trace || info.flags.stats,
    };
    config
        .check_host_choices(&choices)
        .map_err(|refused| Refusal::new(format!("{refused}")))
}

/// The file systems of the image, which the host has mapped `at` an address and in a length.
pub(crate) fn mount(config: &Config, at: (u64, u64), key: Option<&ImageKey>) -> Result<Vfs, Refusal> {
    let (address, len) = at;
    let given = config.rootfs.check_key(key.map(ImageKey::id));
    given.map_err(|wrong| Refusal::new(format!("{wrong}")))?;
    if len < config.rootfs.total_len {
        return Err(unreadable("it is too short"));
    }
    let memory = HostMemory::new(address, config.rootfs.total_len);
    let memory = memory.ok_or_else(|| unreadable("the host has mapped it nowhere"))?;
    // A sixteenth of the programs' memory for blocks of the image, within reason.
    let cache = (config.memory / 16).clamp(4 << 20, 128 << 20);
    let image = rootfs_source::open(memory, &config.rootfs, key, cache)
        .map_err(|error| unreadable(&format!("{error}")))?;
    if let Some(sites) = rootfs_source::ImageCallSites::open(image.clone(), config.rootfs.callsites) {
        libos_mm::install_call_sites(Arc::new(sites));
    }
    file_systems(config, Some(image))
}

/// File systems with this image, or an empty root.
pub(crate) fn file_systems(config: &Config, image: Option<Arc<dyn Image>>) -> Result<Vfs, Refusal> {
    Vfs::new(VfsOptions {
        image,
        memory_limit: config.memory / 2,
        now: clock::timestamp,
        seed: [(); 3].map(|()| instructions::random_word()),
        system: Arc::new(proc_source::Source),
        attester: Arc::new(attestation::Enclave::new(tls_names(config))),
    })
    .map_err(|errno| match errno {
        Errno::ENOSPC | Errno::ENOMEM => {
            Refusal::new("the enclave's memory is too small: convert with a larger --enclave-size")
        }
        errno => unreadable(&format!("{errno}")),
    })
}

fn unreadable(why: &str) -> Refusal {
    Refusal::new(format!(
        "the root file system is not the one that was measured: {why}"
    ))
}

/// What certificates of the enclave call it: the host name, where that is measured, and the name for clients beside it.
fn tls_names(config: &Config) -> Vec<Vec<u8>> {
    let is_name = !config.hostname.is_empty() && config.hostname.is_ascii();
    let measured = is_name.then(|| config.hostname.clone());
    measured.into_iter().chain([b"localhost".to_vec()]).collect()
}

fn hostname(config: &Config, info: &BootInfo) -> Vec<u8> {
    let given = &info.hostname;
    let is_name = |name: &[u8]| {
        name.len() <= 63
            && name
                .iter()
                .all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
    };
    if config.hostname.is_empty() && is_name(given) {
        given.clone()
    } else {
        config.hostname.clone()
    }
}

/// Where the image's program begins, and as whom.
pub(crate) fn first_context(config: &Config) -> Result<Context, Refusal> {
    let vfs = crate::container().vfs();
    let mut context = vfs.root_context();
    let user = &config.user;
    let credentials = Arc::new(Credentials::new(user.uid, user.gid, user.groups.clone()));
    let cwd = vfs
        .directory(&context, At::Cwd, &config.cwd, AtFlags::empty())
        .or_else(|_| {
            // As container runtimes do: a working directory that is missing is made.
            make_directories(&context, &config.cwd)?;
            vfs.directory(&context, At::Cwd, &config.cwd, AtFlags::empty())
        });
    context.cwd = cwd.map_err(|errno| {
        Refusal::new(format!(
            "cannot enter the image's working directory {}: {}",
            config.cwd.escape_ascii(),
            match errno {
                Errno::ENOTDIR | Errno::EEXIST => String::from("it is not a directory"),
                Errno::EACCES => String::from("the image's user may not"),
                errno => format!("{errno}"),
            }
        ))
    })?;
    context.umask = 0o022;
    context.credentials = credentials;
    Ok(context)
}

fn make_directories(context: &Context, path: &[u8]) -> kobject::Result<()> {
    let ends = path
        .iter()
        .enumerate()
        .filter(|&(at, &byte)| byte == b'/' && at > 0)
        .map(|(at, _)| at);
    for end in ends.chain([path.len()]) {
        let part = path.get(..end).unwrap_or(path);
        match crate::container()
            .vfs()
            .make_directory(context, At::Cwd, part, 0o755)
        {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn open_streams(process: &Process, terminal: &Arc<Terminal>) -> kobject::Result<()> {
    let modes = [OpenFlags::empty(), OpenFlags::O_WRONLY, OpenFlags::O_WRONLY];
    for (fd, flags) in [HostFd::STDIN, HostFd::STDOUT, HostFd::STDERR]
        .into_iter()
        .zip(modes)
    {
        let Some(stream) = Stream::open(fd, terminal.clone())? else {
            continue;
        };
        // As container runtimes do, so that the image's user may open them by their names.
        if let Some(attributes) = stream.attributes() {
            attributes.set_owner((process.uid(), 0));
        }
        let flags = if stream.is_terminal() {
            OpenFlags::O_RDWR
        } else {
            flags
        };
        let path = format!("/dev/fd/{}", fd.raw());
        let description = Description::new(stream, flags, path.as_bytes());
        let limit = limits::MAX_FILES;
        process
            .descriptors
            .with(|table| table.add(&description, OnExec::Keep, fd.raw(), limit))?;
    }
    Ok(())
}

/// A terminal for the first process, whose controlling terminal it becomes.
fn open_terminal(process: &Process) -> kobject::Result<()> {
    let Some(slave) = bridge::open_first()? else {
        return Ok(());
    };
    for fd in [HostFd::STDIN, HostFd::STDOUT, HostFd::STDERR] {
        let limit = limits::MAX_FILES;
        process
            .descriptors
            .with(|table| table.add(&slave, OnExec::Keep, fd.raw(), limit))?;
    }
    Ok(())
}

fn arguments(config: &Config, info: &BootInfo) -> Result<Vec<Vec<u8>>, Refusal> {
    config
        .args_with(&info.args)
        .map(|args| args.into_iter().map(<[u8]>::to_vec).collect())
        .ok_or_else(|| Refusal::new("the host's arguments leave no program to run"))
}

fn load(
    arguments: Vec<Vec<u8>>,
    environment: Vec<Vec<u8>>,
    context: &Context,
    thread: &Arc<Thread>,
) -> Result<enclave_rt::frame::TrapFrame, Refusal> {
    let program = arguments.first().cloned().unwrap_or_default();
    let path = search(context, &program, &environment)
        .map_err(|errno| Refusal::program(&program, &program, errno))?;
    let request = exec::Request {
        path: path.clone(),
        file: None,
        arguments,
        environment,
    };
    let prepared = exec::prepare(context, request).map_err(|failure| {
        // For `execve`, a directory is one of many things that may not be executed; a person is told which.
        let is_directory = crate::container()
            .vfs()
            .directory(context, At::Cwd, &failure.file, AtFlags::empty())
            .is_ok();
        let errno = if is_directory {
            Errno::EISDIR
        } else {
            failure.errno
        };
        Refusal::program(&path, &failure.file, errno)
    })?;
    exec::start(thread, prepared).map_err(|errno| Refusal::program(&path, &path, errno))
}

/// A program without a slash is looked for in PATH, as container runtimes do.
pub(crate) fn search(context: &Context, program: &[u8], environment: &[Vec<u8>]) -> kobject::Result<Vec<u8>> {
    if program.contains(&b'/') {
        return Ok(program.to_vec());
    }
    let path = environment
        .iter()
        .find_map(|variable| variable.strip_prefix(b"PATH="));
    let path = path.unwrap_or(b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let mut result = Err(Errno::ENOENT);
    for directory in path.split(|&byte| byte == b':') {
        // An empty element is the current directory.
        let directory = if directory.is_empty() { b"." } else { directory };
        let candidate = [directory, b"/", program].concat();
        match exec::open(context, At::Cwd, &candidate, AtFlags::empty()) {
            Ok(_) => return Ok(candidate),
            Err(Errno::EACCES) => result = Err(Errno::EACCES),
            Err(_) => {}
        }
    }
    result
}

fn environment(config: &Config, info: &BootInfo) -> Vec<Vec<u8>> {
    let name = |variable: &[u8]| {
        variable
            .split(|&byte| byte == b'=')
            .next()
            .unwrap_or_default()
            .to_vec()
    };
    let mut environment = config.env.clone();
    for given in &info.env {
        match environment
            .iter_mut()
            .find(|variable| name(variable) == name(given))
        {
            Some(variable) => variable.clone_from(given),
            None => environment.push(given.clone()),
        }
    }
    environment
}
