//! `cargo xtask book`: the documentation as a site, made by mdBook from the Markdown documents.
//!
//! mdBook takes pages from one folder. Ours lie where readers of the repository look for them: some at its root, most in
//! `docs/`. So the documents, and the files that they link to, are copied to
//! `target/book/src` with the same paths, and every relative link stays right.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{links, shell};

/// Copies the documents and builds the site in `target/book/html`.
///
/// # Errors
/// When mdBook is not installed, or fails.
pub fn run() -> Result<()> {
    let root = shell::workspace();
    let book = shell::target_directory()?.join("book");
    let source = book.join("src");
    if source.exists() {
        fs::remove_dir_all(&source).with_context(|| source.display().to_string())?;
    }
    for path in links::documents_and_linked_files()? {
        let to = source.join(&path);
        fs::create_dir_all(to.parent().context("a document lies in a folder")?)?;
        fs::copy(root.join(&path), &to).with_context(|| path.display().to_string())?;
    }
    let summary = fs::read_to_string(root.join(links::SUMMARY)).context(links::SUMMARY)?;
    fs::write(source.join("SUMMARY.md"), from_root(&summary))?;
    fs::copy(root.join("docs/book.toml"), book.join("book.toml")).context("docs/book.toml")?;
    ensure!(
        shell::is_installed("mdbook"),
        "mdBook is not installed: `cargo install mdbook mdbook-mermaid`"
    );
    with_diagrams(&book)?;
    shell::run(Command::new("mdbook").arg("build").arg(&book))?;
    println!("wrote {}", book.join("html/index.html").display());
    Ok(())
}

/// Without mdbook-mermaid the site shows the diagrams as text.
fn with_diagrams(book: &Path) -> Result<()> {
    if shell::is_installed("mdbook-mermaid") {
        return shell::run(Command::new("mdbook-mermaid").arg("install").arg(book));
    }
    println!("mdbook-mermaid is not installed, so the diagrams stay text (`cargo install mdbook-mermaid`)");
    Ok(())
}

/// The table of contents with links that start at the root of the checkout in place of `docs/`.
fn from_root(summary: &str) -> String {
    summary.replace("](", "](docs/").replace("](docs/../", "](")
}

#[cfg(test)]
mod tests {
    #[test]
    fn links_of_the_summary_start_at_the_root() {
        let summary = "- [a](a.md)\n- [b](../B.md)\n  - [c](howto/c.md)\n";
        let expected = "- [a](docs/a.md)\n- [b](B.md)\n  - [c](docs/howto/c.md)\n";
        assert_eq!(super::from_root(summary), expected);
    }
}
