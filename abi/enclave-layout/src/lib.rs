//! Where everything lies in an enclave's address range.
