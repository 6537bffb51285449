//! Finds what a path names for a process whose root directory is the tree's.

use super::limits::{Limit, MAX_SYMLINKS};
use super::{Inode, InodeId, Kind};

/// The inode at `path`, `None` if there is nothing. Symbolic links are followed within the tree, where `..` at the root
/// stays there.
///
/// # Errors
/// [`Limit::Symlinks`] if there are more links than Linux follows, which a loop of them always has.
pub(crate) fn follow<C>(inodes: &[Inode<C>], path: &[u8]) -> Result<Option<InodeId>, Limit> {
    // The next name is the last one.
    let mut pending: Vec<&[u8]> = path.rsplit(|&byte| byte == b'/').collect();
    let mut stack = Vec::new();
    let mut links = 0;
    while let Some(name) = pending.pop() {
        let directory = stack.last().copied().unwrap_or(InodeId::ROOT);
        let Some(Kind::Directory(entries)) = inodes.get(directory.index()).map(|inode| &inode.kind) else {
            return Ok(None);
        };
        match name {
            b"" | b"." => continue,
            b".." => {
                stack.pop();
                continue;
            }
            _ => {}
        }
        let Some(&id) = entries.get(name) else {
            return Ok(None);
        };
        match inodes.get(id.index()).map(|inode| &inode.kind) {
            Some(Kind::Symlink(target)) => {
                links += 1;
                if links > MAX_SYMLINKS {
                    return Err(Limit::Symlinks);
                }
                if target.starts_with(b"/") {
                    stack.clear();
                }
                pending.extend(target.rsplit(|&byte| byte == b'/'));
            }
            _ => stack.push(id),
        }
    }
    Ok(Some(stack.pop().unwrap_or(InodeId::ROOT)))
}
