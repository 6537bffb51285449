//! What a container engine has mounted into the container of the host runtime. The enclave sees nothing of it: a volume
//! would be the host's to read and change.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// What engines mount in every container, and all that is below.
const ENGINE_S_OWN: [&str; 8] = [
    "/proc",
    "/sys",
    "/dev",
    "/nacre",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/run/.containerenv",
];

/// The places where a user had something mounted, by the text of `/proc/self/mountinfo` (proc(5)), in order.
pub fn of_the_user(mountinfo: &[u8]) -> Vec<PathBuf> {
    let mut places: Vec<_> = mountinfo
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .map(|place| PathBuf::from(OsString::from_vec(unescape(place))))
        .filter(|place| place.parent().is_some())
        .filter(|place| !ENGINE_S_OWN.iter().any(|own| place.starts_with(own)))
        .collect();
    places.sort();
    places.dedup();
    places
}

/// The kernel writes white space and backslashes as `\040`.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                after @ ..,
            ] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_user_mounted_is_named() {
        // What Docker has in a container, shortened; then three volumes, one of them below another.
        let docker = b"\
684 573 0:62 / / rw,relatime master:242 - overlay overlay rw,lowerdir=/var/lib/docker/x
685 684 0:65 / /proc rw,nosuid - proc proc rw
686 684 0:66 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k
687 686 0:67 / /dev/pts rw,nosuid - devpts devpts rw
688 684 0:68 / /sys ro,nosuid - sysfs sysfs ro
692 684 254:1 /var/lib/docker/c/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda1 rw
693 684 254:1 /var/lib/docker/c/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw
694 684 254:1 /var/lib/docker/c/hosts /etc/hosts rw,relatime - ext4 /dev/vda1 rw
574 685 0:65 /bus /proc/bus ro,nosuid - proc proc rw
";
        let none: [&str; 0] = [];
        assert_eq!(of_the_user(docker), none.map(PathBuf::from));
        let volumes = b"\
689 684 254:1 /home/me/data /data rw,relatime - ext4 /dev/vda1 rw
690 689 0:70 / /data/in\\040side rw - tmpfs tmpfs rw
691 684 0:70 / /etc/hosts.d rw - tmpfs tmpfs rw
";
        let places = of_the_user(&[&docker[..], volumes].concat());
        let expected = ["/data", "/data/in side", "/etc/hosts.d"];
        assert_eq!(places, expected.map(PathBuf::from));
        assert_eq!(of_the_user(b"rubbish\n\n1 2 3"), none.map(PathBuf::from));
    }
}
