//! Applies the layers of an image and says how fast: `cargo run --release -p oci-image --example apply -- IMAGE`.

use std::error::Error;
use std::time::Instant;

use oci_image::{ImageRef, ImageSource, Kind, Limits, Tree};

fn main() -> Result<(), Box<dyn Error>> {
    let place: ImageRef = std::env::args().nth(1).ok_or("usage: apply IMAGE")?.parse()?;
    let start = Instant::now();
    let image = ImageSource::open(&place)?;
    let opened = start.elapsed();
    let tree = Tree::build(&image, &std::env::temp_dir(), &Limits::default(), &mut |_| {})?;
    let applied = start.elapsed();

    let content_len: u64 = tree
        .inodes()
        .iter()
        .map(|inode| match &inode.kind {
            Kind::File(content) => content.len(),
            _ => 0,
        })
        .sum();
    let megabytes = content_len as f64 / 1e6;
    println!("opened in {opened:.1?}; applied in {applied:.2?}");
    println!(
        "{} layers, {} inodes, {:.1} MB stored, {megabytes:.1} MB of files: {:.0} MB/s",
        image.layers().len(),
        tree.inodes().len(),
        image.layers_len() as f64 / 1e6,
        megabytes / applied.as_secs_f64(),
    );
    Ok(())
}
