//! Writes the root file system: EROFS inside a dm-verity tree.
