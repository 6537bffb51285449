//! Reads and writes OCI and Docker images, and applies their layers.
