//! Serves the enclave's host calls: threads, sockets, clocks, standard streams.
