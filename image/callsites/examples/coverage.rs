//! Prints what the scanner finds in the files that are named: `cargo run --example coverage -- /bin/busybox`.

use std::time::Instant;

fn main() -> std::io::Result<()> {
    println!(
        "{:<32} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8}",
        "file", "sites", "before", "follow", "preced", "trap", "unprov", "map", "ms"
    );
    for path in std::env::args().skip(1) {
        let file = std::fs::read(&path)?;
        let start = Instant::now();
        let Some(report) = callsites::scan(&file) else {
            println!("{path}: no ELF64 x86-64 file");
            continue;
        };
        let took = start.elapsed();
        let counts = report.counts;
        let map = callsite_map::encode_file(&report.sites).map_or(0, |map| map.len());
        let name = path.rsplit('/').next().unwrap_or(&path);
        println!(
            "{name:<32} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {map:>8} {:>8.1}",
            counts.sites(),
            counts.instruction_before,
            counts.following,
            counts.preceding,
            counts.trapping,
            counts.unproven,
            took.as_secs_f64() * 1e3
        );
        if std::env::var_os("VERBOSE").is_some() {
            println!("    traps: {:x?}", report.trapping);
        }
    }
    Ok(())
}
