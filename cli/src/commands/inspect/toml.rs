//! The options of a confidential image as a `nacre.toml` that converts the same image into the same enclave.

use std::fmt::Write as _;

use anyhow::{Result, bail};

use super::{Configuration, Signature};

/// What stands for all, in place of a list.
const ALL: &str = "*";

/// The file's text.
///
/// # Errors
/// When no file can say what the image has.
pub fn nacre_toml(config: &Configuration, signature: &Signature) -> Result<String> {
    let is_all = |list: &[String]| list == [ALL];
    if is_all(&config.host_may_set_env) {
        bail!(
            "the image lets its host set any variable, as nacre run has it for plain images: no nacre.toml says that"
        );
    }
    let mut out = String::new();
    let mut put = |line: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{line}");
    };
    put(format_args!("[enclave]"));
    put(format_args!("size = {}", quoted(&exact_size(config.memory))));
    put(format_args!("threads = {}", config.threads));
    put(format_args!("hostname = {}", quoted(&config.hostname)));
    let asks_host = is_all(&config.name_servers);
    if !asks_host {
        put(format_args!("name-servers = {}", list(&config.name_servers)));
    }
    if let Some(digest) = &config.broker_ca {
        // The file has a name that nobody knows any more.
        put(format_args!(
            "# broker-ca = \"FILE\": the certificate whose SHA-256 is {digest}"
        ));
    }
    put(format_args!("debug = {}", config.debug));
    put(format_args!("\n[host]"));
    put(format_args!("allow-args = {}", config.host_may_set_args));
    put(format_args!("allow-env = {}", list(&config.host_may_set_env)));
    put(format_args!("allow-signals = {}", list(&config.host_may_send)));
    put(format_args!("allow-resolver = {asks_host}"));
    let all_loopback = is_all(&config.published_loopback);
    if !all_loopback {
        put(format_args!(
            "publish-loopback = {}",
            list(&config.published_loopback)
        ));
        put(format_args!("host-loopback = {}", list(&config.host_loopback)));
    }
    put(format_args!("allow-loopback = {all_loopback}"));
    put(format_args!("\n[signature]"));
    put(format_args!("product = {}", signature.product));
    put(format_args!("security-version = {}", signature.security_version));
    put(format_args!("date = {}", quoted(&signature.date)));
    Ok(out)
}

/// A size in the largest unit that has it exactly.
fn exact_size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| bytes.is_multiple_of(1 << shift));
    match unit {
        Some((shift, name)) => format!("{}{name}", bytes >> shift),
        None => bytes.to_string(),
    }
}

/// A basic string of TOML. All escapes of JSON are TOML's, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    format!("[{}]", items.join(", "))
}
