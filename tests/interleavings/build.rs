//! Has the files of the trusted base that the tests include use loom's atomics.
fn main() {
    println!("cargo::rustc-cfg=loom");
}
