//! Mounts the image in place of what the container began with: the one narrow interface to the LibOS (`libos::provisioning`).

use std::ffi::CString;

use provisioning::{Hex, Provision};
use rustix::io::Errno;
use rustix::mount::MountFlags;
use zeroize::{Zeroize as _, Zeroizing};

use crate::Failure;

/// The file system type by which the LibOS knows what is meant.
const IMAGE: &str = "nacre-image";

/// This program, in the file systems that the container began with.
const PROGRAM: &str = "/nacre-init";

/// Mounts the image, with the key `name` if it is encrypted. From then on all paths are the image's. `is_needed`: this program is
/// executed once more; else its memory is given back.
pub(crate) fn mount(provision: &Provision, name: Option<Hex<32>>, is_needed: bool) -> Result<(), Failure> {
    let options = match (name, &provision.image_key) {
        (None, _) => None,
        (Some(_), Some(key)) => Some(options(key.expose())?),
        (Some(name), None) => {
            return Err(format!(
                "the broker has given no key for this image, which is encrypted with {name}: name it in the policy's image_keys"
            ));
        }
    };
    if !is_needed {
        std::fs::remove_file(PROGRAM).map_err(|error| format!("{PROGRAM}: {error}"))?;
    }
    let data = options.as_ref().map(|options| options.0.as_c_str());
    rustix::mount::mount("none", "/", IMAGE, MountFlags::RDONLY, data).map_err(|errno| match errno {
        Errno::INVAL => "what the broker has given is no image key".to_owned(),
        Errno::ACCESS => "the broker has given another key than the image's".to_owned(),
        // The LibOS has said why.
        errno => format!("the image cannot be mounted: {errno}"),
    })
}

/// Options of a mount, which hold a key: wiped when they are dropped.
struct Options(CString);

impl Drop for Options {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).into_bytes().zeroize();
    }
}

fn options(key: &[u8]) -> Result<Options, Failure> {
    const NAME: &[u8] = b"key=";
    let digits = Zeroizing::new(base16ct::lower::encode_string(key));
    // With room for the NUL, so that no copy is left behind.
    let mut text = Vec::with_capacity(NAME.len() + digits.len() + 1);
    text.extend_from_slice(NAME);
    text.extend_from_slice(digits.as_bytes());
    CString::new(text)
        .map(Options)
        .map_err(|error| format!("the image's key: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_in_digits() {
        let key: Vec<u8> = (0..=255).collect();
        let expected = key
            .iter()
            .fold(String::from("key="), |text, byte| text + &format!("{byte:02x}"));
        assert_eq!(options(&key).unwrap().0.to_str(), Ok(expected.as_str()));
    }
}
