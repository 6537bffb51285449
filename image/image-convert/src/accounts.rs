//! `User` of an image, resolved with the image's own /etc/passwd and /etc/group as container runtimes do
//! (moby's `user.GetExecUser`).

use enclave_config::User;

/// A user, and the home directory that its entry names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) home: Vec<u8>,
}

/// Why a user cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// A user's name without an entry.
    #[error("the image runs as user '{0}', but its /etc/passwd has no such user")]
    NoUser(String),
    /// A group's name without an entry.
    #[error("the image runs as group '{0}', but its /etc/group has no such group")]
    NoGroup(String),
}

/// Resolves `user[:group]`, each a name or a number; empty for root. Missing files are empty files.
pub(crate) fn resolve(spec: &str, passwd: &[u8], group: &[u8]) -> Result<Account, AccountError> {
    let (name, group_name) = spec.split_once(':').unwrap_or((spec, ""));
    let name = if name.is_empty() { "0" } else { name };

    let number = number(name.as_bytes());
    let users = || lines(passwd).filter_map(Passwd::parse);
    // An entry whose name looks like a number goes before one that has the number.
    let entry = users()
        .find(|entry| entry.name == name.as_bytes())
        .or_else(|| users().find(|entry| Some(entry.uid) == number));
    let uid = entry
        .map(|entry| entry.uid)
        .or(number)
        .ok_or_else(|| AccountError::NoUser(name.into()))?;
    let home = entry
        .map(|entry| entry.home)
        .filter(|home| !home.is_empty())
        .unwrap_or(b"/");

    let mut gid = entry.map_or(0, |entry| entry.gid);
    let mut groups = Vec::new();
    if group_name.is_empty() {
        let is_member = |line: &Group| entry.is_some_and(|entry| line.has_member(entry.name));
        groups.extend(
            lines(group)
                .filter_map(Group::parse)
                .filter(is_member)
                .map(|line| line.gid),
        );
    } else {
        gid = group_id(group_name, group)?;
    }
    groups.push(gid);
    groups.sort_unstable();
    groups.dedup();
    Ok(Account {
        user: User { uid, gid, groups },
        home: home.to_vec(),
    })
}

fn group_id(name: &str, group: &[u8]) -> Result<u32, AccountError> {
    let named = lines(group)
        .filter_map(Group::parse)
        .find(|line| line.name == name.as_bytes());
    named
        .map(|line| line.gid)
        .or_else(|| number(name.as_bytes()))
        .ok_or_else(|| AccountError::NoGroup(name.into()))
}

/// A line of passwd(5): `name:password:uid:gid:comment:home:shell`.
#[derive(Clone, Copy)]
struct Passwd<'a> {
    name: &'a [u8],
    uid: u32,
    gid: u32,
    home: &'a [u8],
}

impl<'a> Passwd<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b':');
        let name = fields.next()?;
        let uid = number(fields.nth(1)?)?;
        let gid = number(fields.next()?)?;
        let home = fields.nth(1).unwrap_or_default();
        Some(Self { name, uid, gid, home })
    }
}

/// A line of group(5): `name:password:gid:member,member`.
struct Group<'a> {
    name: &'a [u8],
    gid: u32,
    members: &'a [u8],
}

impl<'a> Group<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b':');
        let name = fields.next()?;
        let gid = number(fields.nth(1)?)?;
        Some(Self {
            name,
            gid,
            members: fields.next().unwrap_or_default(),
        })
    }

    fn has_member(&self, name: &[u8]) -> bool {
        self.members
            .split(|&byte| byte == b',')
            .any(|member| member == name)
    }
}

fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split(|&byte| byte == b'\n')
        .filter(|line| !line.starts_with(b"#"))
}

/// A user or group number; 2^32 - 1 means "none" to Linux and is no number.
fn number(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok()?.parse().ok()?;
    (digits && number != u32::MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\nredis:x:999:1000::/data:/bin/sh\n7:x:70:71::/seven:\n";
    const GROUP: &[u8] = b"root:x:0:\nwheel:x:10:root,redis\nredis:x:1000:\nvideo:x:44:other,redis\n";

    fn account(spec: &str) -> (u32, u32, Vec<u32>, String) {
        let account = resolve(spec, PASSWD, GROUP).unwrap();
        let home = String::from_utf8(account.home).unwrap();
        (account.user.uid, account.user.gid, account.user.groups, home)
    }

    #[test]
    fn names_and_numbers_are_resolved_as_docker_does() {
        assert_eq!(account(""), (0, 0, vec![0, 10], "/root".into()));
        assert_eq!(account("redis"), (999, 1000, vec![10, 44, 1000], "/data".into()));
        assert_eq!(account("999"), account("redis"));
        assert_eq!(account("redis:video"), (999, 44, vec![44], "/data".into()));
        assert_eq!(account("redis:5"), (999, 5, vec![5], "/data".into()));
        assert_eq!(account("12345"), (12345, 0, vec![0], "/".into()));
        assert_eq!(account("12345:6"), (12345, 6, vec![6], "/".into()));
        assert_eq!(account("7").0, 70, "a name of digits is a name first");
    }

    #[test]
    fn unknown_names_are_refused() {
        let missing = resolve("nobody", PASSWD, GROUP);
        assert_eq!(missing, Err(AccountError::NoUser("nobody".into())));
        assert_eq!(
            resolve("root:staff", PASSWD, GROUP),
            Err(AccountError::NoGroup("staff".into()))
        );
        assert!(resolve("4294967295", PASSWD, GROUP).is_err());
        assert!(resolve("-1", PASSWD, GROUP).is_err());
    }

    #[test]
    fn an_image_without_accounts_runs_as_a_number() {
        let root = resolve("", b"", b"").unwrap();
        assert_eq!((root.user.uid, root.user.gid, root.home), (0, 0, b"/".to_vec()));
    }
}
