//! The kernel of the container: processes, signals, time and the system-call table.
