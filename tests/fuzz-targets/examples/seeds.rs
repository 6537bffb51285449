//! Writes the seeds of every target to `DIR/TARGET/`: `cargo run -p fuzz-targets --example seeds -- DIR`.

use std::fs;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let dir: PathBuf = std::env::args_os()
        .nth(1)
        .unwrap_or_else(|| "fuzz/corpus".into())
        .into();
    for target in fuzz_targets::TARGETS {
        let dir = dir.join(target.name);
        fs::create_dir_all(&dir)?;
        for (index, seed) in (target.seeds)().iter().enumerate() {
            fs::write(dir.join(format!("seed-{index}")), seed)?;
        }
    }
    Ok(())
}
