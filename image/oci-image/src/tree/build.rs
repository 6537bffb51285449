//! Applies entries to a growing tree. Does no I/O: contents are already in the spool.
//!
//! Source: OCI image-spec v1.1, layer.md. Where it leaves room, the way of containerd's `archive.Apply`: a parent
//! that is a symbolic link of the tree is followed inside the tree, as if the tree's root were `/`; missing parents
//! are made; what is not a directory is replaced as a whole, a directory keeps what is in it.
//!
//! Whiteouts hide lower layers only, wherever in their own layer they stand. So each name remembers the layer that
//! put it there, and each directory the last layer that put something below it.

use std::collections::BTreeMap;

use super::limits::{Limit, Limits, MAX_SYMLINKS, PATH_MAX, XATTR_NAME_MAX, XATTR_SIZE_MAX};
use super::path::names;
use super::{Inode, InodeId, Kind};
use crate::tar::{Timestamp, Xattrs};

/// An entry that cannot be applied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// `..` beyond the root.
    #[error("its path leaves the root directory")]
    LeavesRoot,
    /// A whiteout of nothing, or a file below a whiteout.
    #[error("it is a malformed whiteout: names that begin with .wh. are reserved")]
    BadWhiteout,
    /// A parent in its path is a file.
    #[error("a parent in its path is not a directory")]
    ParentNotDirectory,
    /// The root is always a directory.
    #[error("the root must be a directory")]
    RootNotDirectory,
    /// A hard link to nothing, or to itself.
    #[error("it is a hard link to {0:?}, which does not exist")]
    NoLinkTarget(String),
    /// A hard link to a directory.
    #[error("it is a hard link to {0:?}, which is a directory")]
    LinkToDirectory(String),
    /// A symbolic link to nothing.
    #[error("it is a symbolic link without a valid target")]
    BadSymlink,
    /// A bound is exceeded.
    #[error(transparent)]
    Limit(#[from] Limit),
}

/// Metadata of an inode.
pub(super) struct Meta {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Timestamp,
    pub(super) xattrs: Xattrs,
}

impl Meta {
    /// Of a directory that no layer describes.
    fn implicit() -> Self {
        Self {
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: Timestamp::default(),
            xattrs: Xattrs::new(),
        }
    }
}

/// What is put at a path.
pub(super) enum Object<C> {
    Directory,
    /// Anything but a directory.
    Leaf(Leaf<C>),
    HardLink(Vec<u8>),
}

pub(super) enum Leaf<C> {
    File(C),
    Symlink(Vec<u8>),
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
    Fifo,
}

struct Node<C> {
    meta: Meta,
    kind: NodeKind<C>,
}

enum NodeKind<C> {
    Directory {
        entries: BTreeMap<Vec<u8>, Entry>,
        /// The last layer that put something into this directory or below.
        touched: u32,
        /// The last layer in which nothing of lower layers was left here, so that hiding it again costs nothing.
        hidden: u32,
    },
    Leaf {
        leaf: Leaf<C>,
        nlink: u32,
    },
    /// No longer in the tree.
    Removed,
}

#[derive(Clone, Copy)]
struct Entry {
    node: usize,
    /// The layer that put the name here.
    layer: u32,
}

const ROOT: usize = 0;

/// A tree under construction. `C` says where a file's content is.
pub(super) struct Builder<'a, C> {
    limits: &'a Limits,
    nodes: Vec<Node<C>>,
    /// The current layer, counted from 1; 0 has the root.
    layer: u32,
    entries: u64,
    metadata_len: u64,
}

/// What to do where a path's parent does not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfMissing {
    Create,
    Stop,
}

impl<'a, C> Builder<'a, C> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        let kind = NodeKind::Directory {
            entries: BTreeMap::new(),
            touched: 0,
            hidden: 0,
        };
        let root = Node {
            meta: Meta::implicit(),
            kind,
        };
        Self {
            limits,
            nodes: vec![root],
            layer: 0,
            entries: 0,
            metadata_len: 0,
        }
    }

    pub(super) fn begin_layer(&mut self) {
        self.layer += 1;
    }

    /// Counts an entry of `metadata_len` bytes of names and attributes against the bounds.
    pub(super) fn count(&mut self, metadata_len: usize) -> Result<(), EntryError> {
        self.entries += 1;
        self.metadata_len = self.metadata_len.saturating_add(metadata_len as u64);
        if self.entries > self.limits.entries {
            Err(Limit::Entries.into())
        } else if self.metadata_len > self.limits.metadata_len {
            Err(Limit::Metadata.into())
        } else {
            Ok(())
        }
    }

    /// Sets the root directory's metadata.
    pub(super) fn put_root(&mut self, meta: Meta) -> Result<(), EntryError> {
        self.check(&meta, &Object::Directory)?;
        self.nodes[ROOT].meta = meta;
        Ok(())
    }

    /// Puts an object at a path, in place of what is there.
    pub(super) fn put(
        &mut self,
        parent: &[&[u8]],
        name: &[u8],
        meta: Meta,
        object: Object<C>,
    ) -> Result<(), EntryError> {
        self.check(&meta, &object)?;
        let Some(parent) = self.resolve(parent, IfMissing::Create)? else {
            return Ok(());
        };
        let existing = self.entry(parent, name);
        let node = match (object, existing) {
            (Object::Directory, Some(entry)) if self.is_directory(entry.node) => {
                self.nodes[entry.node].meta = meta;
                entry.node
            }
            (object, existing) => {
                if let Some(entry) = existing {
                    self.entries_mut(parent).remove(name);
                    self.remove(entry.node);
                }
                match object {
                    Object::Directory => self.new_directory(meta),
                    Object::Leaf(leaf) => self.new_node(meta, NodeKind::Leaf { leaf, nlink: 1 }),
                    // The metadata is the target's: both names are one inode.
                    Object::HardLink(target) => self.link(&target)?,
                }
            }
        };
        let layer = self.layer;
        self.entries_mut(parent)
            .insert(name.to_vec(), Entry { node, layer });
        Ok(())
    }

    /// Makes a directory where there is none, and those above it. Links are followed within the tree.
    pub(super) fn ensure_directory(&mut self, path: &[u8]) -> Result<(), EntryError> {
        let names: Vec<_> = path.split(|&byte| byte == b'/').collect();
        self.resolve(&names, IfMissing::Create).map(drop)
    }

    /// Hides a name of the lower layers.
    pub(super) fn whiteout(&mut self, parent: &[&[u8]], name: &[u8]) -> Result<(), EntryError> {
        if let Some(parent) = self.resolve(parent, IfMissing::Stop)?
            && let Some(entry) = self.entry(parent, name)
            && self.hide(entry)
        {
            self.entries_mut(parent).remove(name);
        }
        Ok(())
    }

    /// Hides all that the lower layers have in a directory.
    pub(super) fn opaque(&mut self, directory: &[&[u8]]) -> Result<(), EntryError> {
        if let Some(directory) = self.resolve(directory, IfMissing::Stop)? {
            self.hide_lower(directory);
        }
        Ok(())
    }

    /// The inodes in depth-first order.
    pub(super) fn finish(mut self) -> Vec<Inode<C>> {
        let mut ids: Vec<Option<InodeId>> = vec![None; self.nodes.len()];
        let mut inodes: Vec<Inode<C>> = Vec::new();
        struct Name {
            directory: InodeId,
            name: Vec<u8>,
        }
        let mut pending: Vec<(usize, Option<Name>)> = vec![(ROOT, None)];
        while let Some((node, name)) = pending.pop() {
            let known = ids[node];
            let id = known.unwrap_or(InodeId(inodes.len() as u32));
            if let Some(Name { directory, name }) = name
                && let Kind::Directory(entries) = &mut inodes[directory.index()].kind
            {
                entries.insert(name, id);
            }
            if known.is_some() {
                continue;
            }
            ids[node] = Some(id);
            let kind = std::mem::replace(&mut self.nodes[node].kind, NodeKind::Removed);
            let (kind, nlink) = match kind {
                NodeKind::Directory { entries, .. } => {
                    let is_directory = |entry: &&Entry| self.is_directory(entry.node);
                    let nlink = 2 + entries.values().filter(is_directory).count() as u32;
                    // The last one pushed is visited first.
                    let children = entries.into_iter().rev();
                    pending.extend(
                        children.map(|(name, entry)| (entry.node, Some(Name { directory: id, name }))),
                    );
                    (Kind::Directory(BTreeMap::new()), nlink)
                }
                NodeKind::Leaf { leaf, nlink } => (leaf.into(), nlink),
                NodeKind::Removed => continue,
            };
            let meta = std::mem::replace(&mut self.nodes[node].meta, Meta::implicit());
            let Meta {
                mode,
                uid,
                gid,
                mtime,
                xattrs,
            } = meta;
            inodes.push(Inode {
                mode,
                uid,
                gid,
                mtime,
                xattrs,
                nlink,
                kind,
            });
        }
        inodes
    }

    fn check(&self, meta: &Meta, object: &Object<C>) -> Result<(), EntryError> {
        if let Object::Leaf(Leaf::Symlink(target)) = object {
            if target.is_empty() || target.contains(&0) {
                return Err(EntryError::BadSymlink);
            }
            if target.len() >= PATH_MAX {
                return Err(Limit::Path.into());
            }
        }
        let mut len = 0;
        for (name, value) in &meta.xattrs {
            len += name.len() + value.len();
            if name.len() > XATTR_NAME_MAX || value.len() > XATTR_SIZE_MAX || len > self.limits.xattrs_len {
                return Err(Limit::Xattrs.into());
            }
        }
        Ok(())
    }

    /// The directory at a path. Symbolic links are followed within the tree, where `..` at the root stays there.
    /// When the path is that of a new name, all directories on it are marked as touched by this layer.
    fn resolve(&mut self, path: &[&[u8]], if_missing: IfMissing) -> Result<Option<usize>, EntryError> {
        let mut pending: Vec<Vec<u8>> = path.iter().rev().map(|name| name.to_vec()).collect();
        let mut stack = vec![ROOT];
        let mut links = 0;
        while let Some(name) = pending.pop() {
            let &directory = stack.last().unwrap_or(&ROOT);
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    if stack.len() > 1 {
                        stack.pop();
                    }
                    continue;
                }
                name if name.len() > super::limits::NAME_MAX => return Err(Limit::Name.into()),
                _ => {}
            }
            match self.entry(directory, &name) {
                Some(entry) => match &self.nodes[entry.node].kind {
                    NodeKind::Directory { .. } => stack.push(entry.node),
                    NodeKind::Leaf {
                        leaf: Leaf::Symlink(target),
                        ..
                    } => {
                        links += 1;
                        if links > MAX_SYMLINKS {
                            return Err(Limit::Symlinks.into());
                        }
                        if target.starts_with(b"/") {
                            stack.truncate(1);
                        }
                        pending.extend(target.split(|&byte| byte == b'/').rev().map(<[u8]>::to_vec));
                    }
                    _ if if_missing == IfMissing::Stop => return Ok(None),
                    _ => return Err(EntryError::ParentNotDirectory),
                },
                None if if_missing == IfMissing::Stop => return Ok(None),
                None => {
                    self.count(name.len())?;
                    let node = self.new_directory(Meta::implicit());
                    let layer = self.layer;
                    self.entries_mut(directory).insert(name, Entry { node, layer });
                    stack.push(node);
                }
            }
            if stack.len() > self.limits.depth {
                return Err(Limit::Depth.into());
            }
        }
        if if_missing == IfMissing::Create {
            for &node in &stack {
                if let NodeKind::Directory { touched, .. } = &mut self.nodes[node].kind {
                    *touched = self.layer;
                }
            }
        }
        Ok(stack.pop())
    }

    /// Adds a name to the inode at `path`. A symbolic link at the end of the path is the target itself.
    fn link(&mut self, path: &[u8]) -> Result<usize, EntryError> {
        let shown = || path.escape_ascii().to_string();
        let mut parent = names(path)?;
        let Some(name) = parent.pop() else {
            return Err(EntryError::LinkToDirectory(shown()));
        };
        let parent = self.resolve(&parent, IfMissing::Stop)?;
        let entry = parent.and_then(|parent| self.entry(parent, name));
        let node = entry.ok_or_else(|| EntryError::NoLinkTarget(shown()))?.node;
        match &mut self.nodes[node].kind {
            NodeKind::Leaf { nlink, .. } => *nlink += 1,
            _ => return Err(EntryError::LinkToDirectory(shown())),
        }
        Ok(node)
    }

    /// Hides what an entry has of the lower layers; true if nothing is left and the name must go.
    fn hide(&mut self, entry: Entry) -> bool {
        let is_ours = entry.layer == self.layer;
        match &mut self.nodes[entry.node] {
            Node {
                kind: NodeKind::Directory { touched, .. },
                meta,
            } if is_ours || *touched == self.layer => {
                if !is_ours {
                    // This layer put something below, but does not describe the directory.
                    *meta = Meta::implicit();
                }
                self.hide_lower(entry.node);
                false
            }
            _ if is_ours => false,
            _ => {
                self.remove(entry.node);
                true
            }
        }
    }

    /// Removes what a directory has of the lower layers, at any depth.
    fn hide_lower(&mut self, directory: usize) {
        let layer = self.layer;
        let entries = match &mut self.nodes[directory].kind {
            NodeKind::Directory { entries, hidden, .. } if *hidden != layer => {
                *hidden = layer;
                std::mem::take(entries)
            }
            _ => return,
        };
        // `hide` calls back for each directory that is kept: the recursion is as deep as the tree, which is bounded.
        let kept = entries
            .into_iter()
            .filter_map(|(name, entry)| {
                let is_gone = self.hide(entry);
                (!is_gone).then_some((name, entry))
            })
            .collect();
        *self.entries_mut(directory) = kept;
    }

    /// Takes one name from an inode, and all names below it if it is a directory.
    fn remove(&mut self, node: usize) {
        let mut pending = vec![node];
        while let Some(node) = pending.pop() {
            let Some(node) = self.nodes.get_mut(node) else {
                continue;
            };
            match &mut node.kind {
                NodeKind::Leaf { nlink, .. } if *nlink > 1 => {
                    *nlink -= 1;
                    continue;
                }
                NodeKind::Directory { entries, .. } => {
                    pending.extend(entries.values().map(|entry| entry.node))
                }
                _ => {}
            }
            *node = Node {
                meta: Meta::implicit(),
                kind: NodeKind::Removed,
            };
        }
    }

    fn entry(&self, directory: usize, name: &[u8]) -> Option<Entry> {
        match &self.nodes[directory].kind {
            NodeKind::Directory { entries, .. } => entries.get(name).copied(),
            _ => None,
        }
    }

    /// The names in a directory. `directory` comes from `resolve`, so it is one.
    fn entries_mut(&mut self, directory: usize) -> &mut BTreeMap<Vec<u8>, Entry> {
        match &mut self.nodes[directory].kind {
            NodeKind::Directory { entries, .. } => entries,
            _ => unreachable!("only directories are resolved"),
        }
    }

    fn is_directory(&self, node: usize) -> bool {
        matches!(self.nodes[node].kind, NodeKind::Directory { .. })
    }

    fn new_directory(&mut self, meta: Meta) -> usize {
        let layer = self.layer;
        self.new_node(
            meta,
            NodeKind::Directory {
                entries: BTreeMap::new(),
                touched: layer,
                hidden: layer,
            },
        )
    }

    fn new_node(&mut self, meta: Meta, kind: NodeKind<C>) -> usize {
        self.nodes.push(Node { meta, kind });
        self.nodes.len() - 1
    }
}

impl<C> From<Leaf<C>> for Kind<C> {
    fn from(leaf: Leaf<C>) -> Self {
        match leaf {
            Leaf::File(content) => Self::File(content),
            Leaf::Symlink(target) => Self::Symlink(target),
            Leaf::CharDevice { major, minor } => Self::CharDevice { major, minor },
            Leaf::BlockDevice { major, minor } => Self::BlockDevice { major, minor },
            Leaf::Fifo => Self::Fifo,
        }
    }
}
