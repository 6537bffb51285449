//! The control socket of a running container: how `nacre exec`, `nacre top` and `nacre ps` reach it.
//!
//! A container listens on a Unix socket in a directory that only its user may enter. Whoever connects sends one message: a byte that says
//! what is asked, and for a program its words and three descriptors, which become its streams. More bytes may follow: the window has
//! another size. The answer is a status as `wait` gives it (2 bytes, little endian) and text, up to the end of the stream.
//!
//! Requests are kept until the enclave takes them. It takes none unless its measured configuration allows debugging, whatever is sent
//! here; what a container refuses is answered with the reason.

use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use host_abi::{Answer, AnswerRequest, HostFd, REQUEST_SIGNAL, Request, STAGING_SIZE, TakeRequest, Wish};

use crate::kernel;
use crate::serve::Staging;

/// What a container is reached by.
#[derive(Debug)]
pub struct Control {
    /// Where it listens; removed at the end.
    pub path: PathBuf,
    /// The socket.
    pub listener: UnixListener,
    /// What [`Question::Describe`] is answered with.
    pub description: String,
    /// Why requests to the enclave are refused, if they are.
    pub refusal: Option<String>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// What the container is. The enclave is not asked.
    Describe,
    /// Which processes it has.
    ListProcesses,
    /// To run a program, on streams.
    Execute,
    /// The same, on a terminal in the enclave.
    ExecuteOnTerminal,
}

impl Question {
    const ALL: [Self; 4] = [
        Self::Describe,
        Self::ListProcesses,
        Self::Execute,
        Self::ExecuteOnTerminal,
    ];

    fn byte(self) -> u8 {
        self as u8
    }

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|question| question.byte() == byte)
    }
}

/// Most bytes of a program's words and variables.
const MOST: usize = 128 * 1024;

/// Exit code of what was refused, as container engines have it.
const REFUSED: u16 = 126 << 8;

/// What has been asked and not been answered.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// Encoded, for the enclave to take.
    queue: VecDeque<Vec<u8>>,
    /// Who waits for the answer.
    waiting: HashMap<u64, (Question, UnixStream)>,
}

impl Requests {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The enclave takes a request.
    pub(crate) fn take(&self, _: TakeRequest, staging: Staging) -> Answer {
        let value = match self.state().queue.pop_front() {
            Some(bytes) => {
                staging.write(0, &bytes);
                bytes.len() as i64
            }
            None => kernel::error(libc::EAGAIN),
        };
        Answer { value, extra: [0; 2] }
    }

    /// The enclave answers one.
    pub(crate) fn answer(&self, call: AnswerRequest, staging: Staging, exits: &str) -> Answer {
        let waiting = self.state().waiting.remove(&call.number);
        if let Some((question, stream)) = waiting {
            let mut text = staging.read(0, call.len);
            if question == Question::ListProcesses {
                text.extend_from_slice(exits.as_bytes());
            }
            reply(&stream, call.status, &text);
        }
        Answer {
            value: 0,
            extra: [0; 2],
        }
    }

    fn add(&self, question: Question, wish: Wish, stream: UnixStream) -> u64 {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        state.queue.push_back(Request { number, wish }.encode());
        state.waiting.insert(number, (question, stream));
        number
    }
}

/// Whoever asked may be gone.
fn reply(mut stream: &UnixStream, status: u16, text: &[u8]) {
    let _ = stream.write_all(&[&status.to_le_bytes(), text].concat());
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// The socket's file, which goes with the container.
static PATH: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Removes the socket's file.
pub(crate) fn remove() {
    let path = PATH.lock().ok().and_then(|mut path| path.take());
    if let Some(path) = path {
        let _ = std::fs::remove_file(path);
    }
}

/// Serves the socket from now on. `announce` passes signals to the enclave.
pub(crate) fn serve(
    control: Control,
    requests: &'static Requests,
    announce: impl Fn(u64) + Send + Sync + 'static,
) -> io::Result<()> {
    if let Ok(mut path) = PATH.lock() {
        *path = Some(control.path.clone());
    }
    let announce: &'static _ = Box::leak(Box::new(announce));
    let control: &'static Control = Box::leak(Box::new(control));
    let body = move || {
        for stream in control.listener.incoming().flatten() {
            let serve = move || serve_one(control, requests, announce, stream);
            let _ = std::thread::Builder::new().stack_size(256 * 1024).spawn(serve);
        }
    };
    std::thread::Builder::new()
        .name("control".into())
        .stack_size(64 * 1024)
        .spawn(body)?;
    Ok(())
}

fn serve_one(control: &Control, requests: &Requests, announce: &(impl Fn(u64) + Sync), stream: UnixStream) {
    let Ok((message, descriptors)) = receive(&stream) else {
        return;
    };
    let question = message.first().copied().and_then(Question::of);
    let (Some(question), false) = (question, message.len() > MOST) else {
        return reply(&stream, REFUSED, b"the request cannot be read");
    };
    if question == Question::Describe {
        return reply(&stream, 0, control.description.as_bytes());
    }
    if let Some(refusal) = &control.refusal {
        return reply(&stream, REFUSED, refusal.as_bytes());
    }
    let Ok(answer) = stream.try_clone() else { return };
    let wish = match question {
        Question::Execute | Question::ExecuteOnTerminal => {
            match execute(question, &message[1..], descriptors) {
                Some(wish) => wish,
                None => return reply(&stream, REFUSED, b"the request cannot be read"),
            }
        }
        _ => Wish::ListProcesses,
    };
    let number = requests.add(question, wish, answer);
    announce(REQUEST_SIGNAL);
    // What follows says that the window has another size.
    let mut byte = [0];
    while matches!((&stream).read(&mut byte), Ok(1)) {
        let request = Request {
            number,
            wish: Wish::Resize,
        };
        requests.state().queue.push_back(request.encode());
        announce(REQUEST_SIGNAL);
    }
}

/// Words with NULs behind them; variables follow behind an empty one.
fn execute(question: Question, words: &[u8], descriptors: Vec<OwnedFd>) -> Option<Wish> {
    let mut lists = [Vec::new(), Vec::new()];
    let mut at = 0;
    for word in words.strip_suffix(b"\0")?.split(|&byte| byte == 0) {
        match (word.is_empty(), at) {
            (true, 0) => at = 1,
            _ => lists.get_mut(at)?.push(word.to_vec()),
        }
    }
    let [args, env] = lists;
    let streams: [OwnedFd; 3] = descriptors.try_into().ok()?;
    // From here on they are the enclave's, which closes them.
    let streams = streams.map(|fd| HostFd::from_raw(fd.into_raw_fd() as u64));
    let [Some(input), Some(output), Some(error)] = streams else {
        return None;
    };
    Some(Wish::Execute {
        args,
        env,
        terminal: question == Question::ExecuteOnTerminal,
        streams: [input, output, error],
    })
}

/// Asks a container. Gives the status and the text of its answer. While it waits, the window's changes of size are passed on.
///
/// # Errors
/// When nobody listens there, or the container ends before it answers.
pub fn ask(path: &Path, question: Question, args: &[Vec<u8>], env: &[Vec<u8>]) -> io::Result<(u16, Vec<u8>)> {
    let stream = UnixStream::connect(path)?;
    let mut message = vec![question.byte()];
    let words = args.iter().map(Vec::as_slice).chain([&b""[..]]);
    for word in words.chain(env.iter().map(Vec::as_slice)) {
        message.extend_from_slice(word);
        message.push(0);
    }
    if message.len() > MOST.min(STAGING_SIZE) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the arguments are too long",
        ));
    }
    if matches!(question, Question::Execute | Question::ExecuteOnTerminal) {
        // Not standard input itself: a container in the background may not read this terminal.
        let (input, keys) = io::pipe()?;
        send(
            &stream,
            &message,
            &[input.as_raw_fd(), libc::STDOUT_FILENO, libc::STDERR_FILENO],
        )?;
        drop(input);
        if question == Question::ExecuteOnTerminal {
            pass_sizes_on(stream.try_clone()?)?;
        }
        std::thread::spawn(move || {
            let mut keys = keys;
            // Until either end closes.
            let _ = io::copy(&mut io::stdin(), &mut keys);
        });
    } else {
        send(&stream, &message, &[])?;
    }
    let mut answer = Vec::new();
    (&stream).read_to_end(&mut answer)?;
    match answer.split_first_chunk() {
        Some((status, text)) => Ok((u16::from_le_bytes(*status), text.to_vec())),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Starts a thread that waits for SIGWINCH. To be called from a process's only thread.
fn pass_sizes_on(mut stream: UnixStream) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: initialises the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: initialised above.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: a valid set and signal.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGWINCH) };
    // SAFETY: a valid set.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    std::thread::spawn(move || {
        let mut signal = 0;
        // SAFETY: a valid set, and a place for the signal.
        while unsafe { libc::sigwait(&raw const set, &raw mut signal) } == 0 {
            if stream.write_all(b"w").is_err() {
                break;
            }
        }
    });
    Ok(())
}

/// Room for the ancillary data of three descriptors.
const CONTROL_SIZE: usize = 64;

/// Its alignment is that of `cmsghdr`.
#[repr(C, align(8))]
struct Ancillary([u8; CONTROL_SIZE]);

/// Sends a message with descriptors, whose length goes before it.
fn send(stream: &UnixStream, message: &[u8], descriptors: &[RawFd]) -> io::Result<()> {
    let len = (message.len() as u32).to_le_bytes();
    let parts = [IoSlice::new(&len)];
    let mut ancillary = Ancillary([0; CONTROL_SIZE]);
    // SAFETY: zeros are a valid header.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = parts.as_ptr().cast_mut().cast();
    header.msg_iovlen = 1;
    if !descriptors.is_empty() {
        let bytes = size_of_val(descriptors) as u32;
        header.msg_control = (&raw mut ancillary).cast();
        // SAFETY: computes a length.
        header.msg_controllen = unsafe { libc::CMSG_SPACE(bytes) } as usize;
        // SAFETY: the header names a buffer that has room for one.
        let first = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
        // SAFETY: computes a length.
        let cmsg_len = unsafe { libc::CMSG_LEN(bytes) } as usize;
        // SAFETY: within the buffer, which is aligned.
        unsafe {
            first.write(libc::cmsghdr {
                cmsg_len,
                cmsg_level: libc::SOL_SOCKET,
                cmsg_type: libc::SCM_RIGHTS,
            });
        }
        // SAFETY: the data lie behind the header.
        let data = unsafe { libc::CMSG_DATA(first) };
        // SAFETY: there is room for them.
        unsafe { std::ptr::copy_nonoverlapping(descriptors.as_ptr().cast::<u8>(), data, bytes as usize) };
    }
    // SAFETY: a valid header, whose buffers live.
    match unsafe { libc::sendmsg(stream.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) } {
        4 => {}
        -1 => return Err(io::Error::last_os_error()),
        _ => return Err(io::ErrorKind::WriteZero.into()),
    }
    let mut stream = stream;
    stream.write_all(message)
}

/// Receives what [`send`] sent.
fn receive(stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut len = [0; 4];
    let mut parts = [IoSliceMut::new(&mut len)];
    let mut ancillary = Ancillary([0; CONTROL_SIZE]);
    // SAFETY: zeros are a valid header.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = parts.as_mut_ptr().cast();
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut ancillary).cast();
    header.msg_controllen = CONTROL_SIZE;
    // SAFETY: a valid header, whose buffers live.
    let count = unsafe { libc::recvmsg(stream.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) };
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has filled the header in.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    if !first.is_null() {
        // SAFETY: within the buffer.
        let cmsg = unsafe { first.read() };
        if (cmsg.cmsg_level, cmsg.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: computes a length.
            let head = unsafe { libc::CMSG_LEN(0) } as usize;
            // SAFETY: behind the header.
            let data = unsafe { libc::CMSG_DATA(first) }.cast::<RawFd>();
            for index in 0..cmsg.cmsg_len.saturating_sub(head) / size_of::<RawFd>() {
                // SAFETY: the kernel says that so many are there.
                let place = unsafe { data.add(index) };
                // SAFETY: as above; descriptors need no alignment that the data have not.
                let fd = unsafe { place.read_unaligned() };
                // SAFETY: the kernel has opened it for this process.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    if count != 4 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let len = u32::from_le_bytes(len) as usize;
    if len > MOST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; len];
    let mut stream = stream;
    stream.read_exact(&mut message)?;
    Ok((message, descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send(&here, b"\x02words", &[writer.as_raw_fd(), 1, 2]).unwrap();
        drop(writer);
        let (message, mut descriptors) = receive(&there).unwrap();
        assert_eq!((message.as_slice(), descriptors.len()), (&b"\x02words"[..], 3));
        let mut pipe = std::fs::File::from(descriptors.remove(0));
        pipe.write_all(b"through").unwrap();
        drop(pipe);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        send(&here, b"\0", &[]).unwrap();
        assert_eq!(receive(&there).unwrap().0, b"\0");
        drop(here);
        assert!(receive(&there).is_err());
    }

    #[test]
    fn words_and_variables_are_told_apart() {
        let streams = || -> Vec<OwnedFd> {
            (0..3)
                .map(|_| std::fs::File::open("/dev/null").unwrap().into())
                .collect()
        };
        let wish = execute(Question::Execute, b"ps\0aux\0\0A=1\0", streams());
        let Some(Wish::Execute {
            args, env, terminal, ..
        }) = wish
        else {
            panic!("{wish:?}");
        };
        assert_eq!(args, [b"ps".to_vec(), b"aux".to_vec()]);
        assert_eq!((env, terminal), (vec![b"A=1".to_vec()], false));
        assert_eq!(execute(Question::Execute, b"ps", streams()), None);
        assert_eq!(execute(Question::Execute, b"ps\0\0", Vec::new()), None);
    }
}
