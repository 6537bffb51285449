//! `cargo xtask images`: the images of real programs.

use anyhow::Result;
use harness::images::{provide, recipe, recipes};

/// Options of `cargo xtask images`.
#[derive(clap::Args)]
pub struct Options {
    /// Names of images; all when there is none.
    names: Vec<String>,
}

/// Builds the images that are not cached, and prints the path of each.
///
/// # Errors
/// When there is no image of a name, or it cannot be built.
pub fn run(options: &Options) -> Result<()> {
    let wanted = match options.names.as_slice() {
        [] => recipes(),
        names => names.iter().map(|name| recipe(name)).collect::<Result<_>>()?,
    };
    for recipe in wanted {
        println!("{:12} {}", recipe.name, provide(&recipe)?.display());
    }
    Ok(())
}
