//! The file systems: path walk, overlay over the image, proc, dev and sys.
