//! What somebody on the host asks of a running container: reading it gives what was written.

use host_abi::{HostFd, Request, Wish};

pub(crate) fn run(input: &[u8]) {
    if let Ok(request) = Request::decode(input) {
        let again = request.encode();
        assert!(again.len() <= input.len(), "it holds more than was read");
        assert_eq!(Request::decode(&again), Ok(request));
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let stream = |raw| HostFd::from_raw(raw).expect("a descriptor");
    let execute = Wish::Execute {
        args: vec![b"ps".to_vec(), b"aux".to_vec()],
        env: vec![b"A=1".to_vec()],
        terminal: true,
        streams: [stream(5), stream(6), stream(7)],
    };
    let wishes = [execute, Wish::ListProcesses, Wish::Resize];
    wishes.map(|wish| Request { number: 3, wish }.encode()).into()
}
