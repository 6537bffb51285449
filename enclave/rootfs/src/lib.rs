//! Reads the root file system: EROFS inside a dm-verity tree, from untrusted memory.
