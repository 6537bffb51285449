//! Presents the image's file tree to the writer of the root file system.

use std::io;

use oci_image::{Kind, Tree};
use rootfs_image::{Device, Inode, Source, Timestamp};

pub(crate) struct TreeSource<'a>(pub(crate) &'a Tree);

impl TreeSource<'_> {
    fn inode_at(&self, id: usize) -> &oci_image::Inode {
        // Ids are those that this tree gave out: positions of its own inodes.
        &self.0.inodes()[id]
    }
}

impl Source for TreeSource<'_> {
    fn root(&self) -> usize {
        oci_image::InodeId::ROOT.index()
    }

    fn inodes(&self) -> usize {
        self.0.inodes().len()
    }

    fn inode(&self, id: usize) -> Inode<'_> {
        let inode = self.inode_at(id);
        Inode {
            permissions: (inode.mode & 0o7777) as u16,
            uid: inode.uid,
            gid: inode.gid,
            mtime: Timestamp {
                seconds: inode.mtime.seconds,
                nanos: inode.mtime.nanoseconds,
            },
            kind: match &inode.kind {
                Kind::Directory(_) => rootfs_image::Kind::Directory,
                Kind::File(content) => rootfs_image::Kind::File { len: content.len() },
                Kind::Symlink(target) => rootfs_image::Kind::Symlink(target),
                Kind::CharDevice { major, minor } => rootfs_image::Kind::CharDevice(Device {
                    major: *major,
                    minor: *minor,
                }),
                Kind::BlockDevice { major, minor } => rootfs_image::Kind::BlockDevice(Device {
                    major: *major,
                    minor: *minor,
                }),
                Kind::Fifo => rootfs_image::Kind::Fifo,
            },
        }
    }

    fn entries(&self, id: usize) -> impl Iterator<Item = (&[u8], usize)> {
        let names = match &self.inode_at(id).kind {
            Kind::Directory(names) => Some(names),
            _ => None,
        };
        names
            .into_iter()
            .flatten()
            .map(|(name, id)| (name.as_slice(), id.index()))
    }

    fn xattrs(&self, id: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.inode_at(id)
            .xattrs
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    fn read_exact_at(&self, id: usize, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let Kind::File(content) = &self.inode_at(id).kind else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let len = self.0.read_at(content, offset, out)?;
        if len == out.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}
