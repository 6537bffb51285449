//! Loads programs: ELF files, their interpreters, scripts, and the stack that a program begins with.

mod elf;
mod stack;
pub(crate) mod symbols;

use alloc::sync::Arc;
use alloc::vec::Vec;

use enclave_rt::frame::{Registers, TrapFrame};
use kobject::{Description, Errno, KernelSink, Result, SetIds};
use libos_mm::AddressSpace;

use crate::process::Image;

/// Opens a file of the program's for execution.
pub(crate) type Open<'a> = &'a dyn Fn(&[u8]) -> Result<Arc<Description>>;

/// How deep scripts may name scripts as their interpreters (as on Linux).
const SCRIPT_DEPTH: usize = 5;

/// A loaded program: where it begins, and what /proc says of it.
pub(crate) struct Loaded {
    pub(crate) start: TrapFrame,
    pub(crate) image: Image,
    /// The path that was asked for.
    pub(crate) name: Vec<u8>,
}

/// What a program is started with.
pub(crate) struct Request<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) environment: Vec<Vec<u8>>,
    /// AT_UID, AT_EUID, AT_GID, AT_EGID.
    pub(crate) identities: [u32; 4],
}

/// A program that was found, opened and looked at: everything that its file may be refused for has been looked for.
pub(crate) struct Prepared {
    name: Vec<u8>,
    arguments: Vec<Vec<u8>>,
    environment: Vec<Vec<u8>>,
    identities: [u32; 4],
    set_ids: SetIds,
    program: elf::Parsed,
    interpreter: Option<elf::Parsed>,
}

/// Prepares a program.
///
/// # Errors
/// As execve(2): ENOENT, EACCES, ENOEXEC, ELOOP, E2BIG and what opening and reading gives.
pub(crate) fn prepare(open: Open<'_>, request: Request<'_>) -> Result<Prepared> {
    let Request {
        path,
        mut arguments,
        environment,
        identities,
    } = request;
    let mut path = path.to_vec();
    let name = path.clone();
    for _ in 0..=SCRIPT_DEPTH {
        let file = open(&path)?;
        let head = read_head(&file)?;
        if let Some(script) = head.strip_prefix(b"#!") {
            (path, arguments) = interpreter(script, &path, arguments)?;
            continue;
        }
        let program = elf::parse(file, &head, elf::Role::Program)?;
        let interpreter = match &program.interpreter {
            Some(interpreter) => {
                let file = open(interpreter)?;
                let head = read_head(&file)?;
                Some(elf::parse(file, &head, elf::Role::Interpreter)?)
            }
            None => None,
        };
        stack::check_size(&arguments, &environment)?;
        return Ok(Prepared {
            name,
            arguments,
            environment,
            identities,
            set_ids: SetIds::default(),
            program,
            interpreter,
        });
    }
    Err(Errno::ELOOP)
}

impl Prepared {
    /// Lets the program run as its file's owner or group, if its bits say so. Those of a script have no effect, as on Linux.
    ///
    /// # Errors
    /// EIO if the file cannot be looked at.
    pub(crate) fn heed_set_ids(&mut self) -> Result<()> {
        let stat = self.program.file().object().stat()?;
        self.set_ids = crate::container().vfs().set_ids(&stat);
        let [_, user, _, group] = &mut self.identities;
        *user = self.set_ids.user.unwrap_or(*user);
        *group = self.set_ids.group.unwrap_or(*group);
        Ok(())
    }

    /// Whose program it is.
    pub(crate) fn set_ids(&self) -> SetIds {
        self.set_ids
    }

    /// An address space that the program can be loaded into.
    ///
    /// # Errors
    /// As [`AddressSpace::at`].
    pub(crate) fn space(&self, limit: u64) -> Result<Arc<AddressSpace>> {
        match self.program.fixed_range() {
            Some(fixed) => AddressSpace::at(limit, fixed),
            None => Ok(AddressSpace::new(limit)),
        }
    }

    /// Loads the program into a space that [`Self::space`] has made, which is the calling thread's and resident. `stack_limit` is
    /// RLIMIT_STACK.
    ///
    /// # Errors
    /// ENOMEM, and EIO for a file that cannot be read.
    pub(crate) fn load(self, space: &AddressSpace, stack_limit: u64) -> Result<Loaded> {
        let program = self.program.map(space)?;
        let interpreter = match &self.interpreter {
            Some(interpreter) => Some(interpreter.map(space)?),
            None => None,
        };
        space.set_heap(program.heap_start);
        let entry = interpreter
            .as_ref()
            .map_or(program.entry, |interpreter| interpreter.entry);
        let stack = stack::build(
            space,
            &stack::Contents {
                arguments: &self.arguments,
                environment: &self.environment,
                name: &self.name,
                identities: self.identities,
                program: &program,
                interpreter_base: interpreter.as_ref().map_or(0, |interpreter| interpreter.base),
                stack_limit,
            },
        )?;
        // Interrupts are enabled for every program: bit 9; bit 1 is always set.
        let registers = Registers {
            rip: entry,
            rsp: stack.pointer,
            rflags: 0x202,
            ..Registers::default()
        };
        let executable = self.program.file().object_as::<libos_fs::OpenFile>();
        let image = Image {
            executable: executable.map(|file| file.dentry().clone()),
            arguments: self.arguments,
            environment: self.environment,
            auxiliary: stack.auxiliary,
            stack_start: stack.pointer,
            code: program.code,
        };
        Ok(Loaded {
            start: TrapFrame::new(registers),
            image,
            name: self.name,
        })
    }
}

/// The first page of a file, or all of a shorter one.
fn read_head(file: &Description) -> Result<Vec<u8>> {
    let mut sink = KernelSink::new(4096);
    file.read_at(0, &mut sink)?;
    Ok(sink.into_bytes())
}

/// A script's interpreter and its arguments (execve(2)): the rest of the line is one argument.
fn interpreter(script: &[u8], path: &[u8], arguments: Vec<Vec<u8>>) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
    let line = script.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.get(..line.len().min(254)).unwrap_or(line).trim_ascii();
    let mut words = line.splitn(2, |&byte| byte == b' ' || byte == b'\t');
    let program = words
        .next()
        .filter(|program| !program.is_empty())
        .ok_or(Errno::ENOEXEC)?;
    let mut all = alloc::vec![program.to_vec()];
    all.extend(
        words
            .next()
            .map(<[u8]>::trim_ascii)
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec),
    );
    all.push(path.to_vec());
    all.extend(arguments.into_iter().skip(1));
    Ok((program.to_vec(), all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_its_interpreter_with_one_argument() {
        let arguments = || alloc::vec![b"script".to_vec(), b"a".to_vec()];
        let (program, all) = interpreter(b" /bin/sh -e  -u \nrest", b"/s", arguments()).unwrap();
        assert_eq!(program, b"/bin/sh");
        assert_eq!(all, [&b"/bin/sh"[..], b"-e  -u", b"/s", b"a"]);
        assert_eq!(interpreter(b"\n", b"/s", arguments()), Err(Errno::ENOEXEC));
    }
}
