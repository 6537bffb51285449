//! From a path to a dentry, as path_resolution(7) has it.
//!
//! One [`Walk`] is one call's: it counts the symbolic links and knows where the path may lead. Symbolic links are walked by recursion,
//! which the limit of 40 links bounds.

use alloc::sync::Arc;

use kobject::credentials::AccessMode;
use kobject::{Errno, FileKind, Result};
use linux_abi::ResolveFlags;
use linux_abi::file_system::{MAXSYMLINKS, NAME_MAX, PATH_MAX};

use crate::context::{At, Context};
use crate::dentry::Dentry;
use crate::inode::Link;

/// Whether a symbolic link at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    Yes,
    No,
}

/// The end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last<'p> {
    /// A name to look up.
    Name(&'p [u8]),
    /// `.`, or nothing.
    Dot,
    /// `..`
    DotDot,
    /// There were only slashes.
    Root,
}

/// A path up to its last component.
pub(crate) struct Parent<'p> {
    /// The directory, which may be searched.
    pub(crate) directory: Arc<Dentry>,
    pub(crate) last: Last<'p>,
    /// Slashes follow: a directory is meant.
    pub(crate) slash: bool,
}

/// One resolution of a path.
pub(crate) struct Walk<'a> {
    pub(crate) context: &'a Context,
    at: At<'a>,
    resolve: ResolveFlags,
    /// `..` leads no further up, absolute links begin here.
    scope: &'a Arc<Dentry>,
    /// Whether this walk has needed its root before. Linux looks the root up when it first needs it, and takes it for a foreign mount
    /// until then, so that RESOLVE_NO_XDEV refuses an absolute link on a relative path (`nd_jump_root` in fs/namei.c).
    root_is_known: bool,
    links: u32,
}

impl<'a> Walk<'a> {
    /// For a path that begins there.
    pub(crate) fn new(context: &'a Context, at: At<'a>) -> Self {
        Self {
            context,
            at,
            resolve: ResolveFlags::empty(),
            scope: &context.root,
            root_is_known: false,
            links: 0,
        }
    }

    /// As [`Self::new`], kept within bounds.
    pub(crate) fn within(context: &'a Context, at: At<'a>, resolve: ResolveFlags) -> Result<Self> {
        let mut walk = Self::new(context, at);
        walk.resolve = resolve;
        if walk.is_scoped() {
            walk.scope = at.dentry(context)?;
            walk.root_is_known = true;
        }
        Ok(walk)
    }

    fn is_scoped(&self) -> bool {
        self.resolve
            .intersects(ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_IN_ROOT)
    }

    /// Where a path begins.
    pub(crate) fn start(&mut self, path: &[u8]) -> Result<Arc<Dentry>> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if path.first() == Some(&b'/') {
            return self.absolute_start();
        }
        let start = self.at.dentry(self.context)?;
        if start.head().is_directory() {
            Ok(start.clone())
        } else {
            Err(Errno::ENOTDIR)
        }
    }

    fn absolute_start(&mut self) -> Result<Arc<Dentry>> {
        if self.resolve.contains(ResolveFlags::RESOLVE_BENEATH) {
            return Err(Errno::EXDEV);
        }
        self.root_is_known = true;
        Ok(self.scope.clone())
    }

    /// Where an absolute link that lies in `directory` begins.
    fn absolute_link_start(&mut self, directory: &Dentry) -> Result<Arc<Dentry>> {
        if self.resolve.contains(ResolveFlags::RESOLVE_NO_XDEV) && !self.root_is_known {
            return Err(Errno::EXDEV);
        }
        let start = self.absolute_start()?;
        self.check_device(directory, &start)?;
        Ok(start)
    }

    /// What the path leads to.
    pub(crate) fn resolve(&mut self, path: &[u8], follow: Follow) -> Result<Arc<Dentry>> {
        let start = self.start(path)?;
        self.resolve_from(start, path, follow)
    }

    /// As [`Self::resolve`], from a certain directory on.
    pub(crate) fn resolve_from(
        &mut self,
        start: Arc<Dentry>,
        path: &[u8],
        follow: Follow,
    ) -> Result<Arc<Dentry>> {
        let parent = self.parent_from(start, path)?;
        let mut found = self.last(&parent)?;
        if is_link(&found) && (parent.slash || follow == Follow::Yes) {
            found = self.follow(&parent.directory, &found)?;
        }
        if parent.slash && !found.head().is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Ok(found)
    }

    /// The path's last component, not followed.
    pub(crate) fn last(&mut self, parent: &Parent<'_>) -> Result<Arc<Dentry>> {
        match parent.last {
            Last::Name(name) => self.lookup(&parent.directory, name),
            Last::DotDot => self.up(&parent.directory),
            Last::Dot | Last::Root => Ok(parent.directory.clone()),
        }
    }

    /// The directory that the path's last component is in.
    pub(crate) fn parent<'p>(&mut self, path: &'p [u8]) -> Result<Parent<'p>> {
        let start = self.start(path)?;
        self.parent_from(start, path)
    }

    /// As [`Self::parent`], from a certain directory on.
    pub(crate) fn parent_from<'p>(&mut self, start: Arc<Dentry>, path: &'p [u8]) -> Result<Parent<'p>> {
        let mut directory = start;
        let mut rest = skip_slashes(path);
        if rest.is_empty() {
            let last = if path.is_empty() { Last::Dot } else { Last::Root };
            return Ok(Parent {
                directory,
                last,
                slash: false,
            });
        }
        loop {
            let end = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            let head = directory.head();
            if !head.is_directory() {
                return Err(Errno::ENOTDIR);
            }
            head.permits(&self.context.credentials, AccessMode::EXECUTE)?;
            rest = skip_slashes(behind);
            if rest.is_empty() {
                let last = match name {
                    b"." => Last::Dot,
                    b".." => Last::DotDot,
                    name => Last::Name(name),
                };
                let slash = !behind.is_empty();
                return Ok(Parent {
                    directory,
                    last,
                    slash,
                });
            }
            directory = match name {
                b"." => continue,
                b".." => self.up(&directory)?,
                name => {
                    let next = self.lookup(&directory, name)?;
                    if is_link(&next) {
                        self.follow(&directory, &next)?
                    } else {
                        next
                    }
                }
            };
        }
    }

    /// The entry of a directory that may be searched.
    pub(crate) fn lookup(&self, directory: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>> {
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let found = directory.inode().lookup(directory, name)?;
        self.check_device(directory, &found)?;
        Ok(found)
    }

    fn up(&mut self, directory: &Arc<Dentry>) -> Result<Arc<Dentry>> {
        self.root_is_known = true;
        if Arc::ptr_eq(directory, self.scope) {
            return match self.resolve.contains(ResolveFlags::RESOLVE_BENEATH) {
                true => Err(Errno::EXDEV),
                false => Ok(directory.clone()),
            };
        }
        // Who is outside of his root may go up further, but the real root has no parent.
        let parent = directory.parent().unwrap_or_else(|| directory.clone());
        self.check_device(directory, &parent)?;
        Ok(parent)
    }

    fn check_device(&self, from: &Dentry, to: &Dentry) -> Result<()> {
        if self.resolve.contains(ResolveFlags::RESOLVE_NO_XDEV) && from.head().device != to.head().device {
            Err(Errno::EXDEV)
        } else {
            Ok(())
        }
    }

    /// Where a symbolic link that lies in `directory` leads.
    pub(crate) fn follow(&mut self, directory: &Arc<Dentry>, link: &Arc<Dentry>) -> Result<Arc<Dentry>> {
        match self.enter(directory, link)? {
            Entered::Path(start, path) => self.resolve_from(start, &path, Follow::Yes),
            Entered::Jump(target) => Ok(target),
        }
    }

    /// Begins to follow a link: counts it, and says where to go on.
    pub(crate) fn enter(&mut self, directory: &Arc<Dentry>, link: &Arc<Dentry>) -> Result<Entered> {
        self.links += 1;
        if self.links > MAXSYMLINKS || self.resolve.contains(ResolveFlags::RESOLVE_NO_SYMLINKS) {
            return Err(Errno::ELOOP);
        }
        match link.inode().link()? {
            Link::Path(path) => {
                let start = match path.first() {
                    None => return Err(Errno::ENOENT),
                    Some(b'/') => self.absolute_link_start(directory)?,
                    Some(_) => directory.clone(),
                };
                Ok(Entered::Path(start, path))
            }
            Link::Jump(_) if self.resolve.contains(ResolveFlags::RESOLVE_NO_MAGICLINKS) => Err(Errno::ELOOP),
            Link::Jump(_) if self.is_scoped() => Err(Errno::EXDEV),
            Link::Jump(target) => {
                self.check_device(link, &target)?;
                Ok(Entered::Jump(target))
            }
        }
    }
}

/// Where a link leads on.
pub(crate) enum Entered {
    /// Along this path from this directory.
    Path(Arc<Dentry>, Arc<[u8]>),
    /// Right here.
    Jump(Arc<Dentry>),
}

pub(crate) fn is_link(dentry: &Dentry) -> bool {
    dentry.head().kind == FileKind::Symlink
}

fn skip_slashes(path: &[u8]) -> &[u8] {
    let slashes = path.iter().take_while(|&&byte| byte == b'/').count();
    path.get(slashes..).unwrap_or_default()
}
