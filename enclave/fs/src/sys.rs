//! `/sys`, as far as programs look at it.

use alloc::sync::Arc;

use crate::inode::Inode;
use crate::synthetic::{Item, Synthetic};

const ROOT: &[Item] = &[];

/// The root of `/sys`.
pub(crate) fn root(fs: Synthetic) -> Arc<dyn Inode> {
    fs.root(ROOT, None)
}
