//! The two binaries that every confidential image carries, built and embedded here.
