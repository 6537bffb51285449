//! What is tried: the files that both worlds begin with, and random calls.

use proptest::prelude::*;

use super::call::{Call, FileCall, USER};
use super::common::{Kind, Tree};
use super::has_sticky;

pub fn tree() -> Tree {
    let mut tree = Tree::new();
    let directory = || Kind::Directory(Default::default());
    let contents: Vec<u8> = (0..10_000u32).map(|n| (n / 1000) as u8).collect();
    tree.add("/a", 0o755, (0, 0), directory());
    tree.add("/a/b", 0o755, (USER, USER), directory());
    tree.add("/a/b/f", 0o640, (USER, 0), Kind::File(contents.clone()));
    tree.add("/a/f", 0o644, (0, 0), Kind::File(contents.clone()));
    let hard = tree.add("/a/h", 0o666, (0, 0), Kind::File(b"hard".to_vec()));
    tree.link("/h", hard);
    tree.add("/a/l", 0o777, (0, 0), Kind::Symlink(b"../c".to_vec()));
    tree.add("/c", 0o777, (0, 0), directory());
    tree.add("/c/f", 0o600, (0, 0), Kind::File(Vec::new()));
    tree.add(
        "/c/s",
        if has_sticky() { 0o1777 } else { 0o777 },
        (0, 0),
        directory(),
    );
    tree.add("/c/s/f", 0o666, (0, 0), Kind::File(b"sticky".to_vec()));
    tree.add("/c/s/x", 0o4755, (USER, USER), Kind::File(b"set-id".to_vec()));
    tree.add("/c/a", 0o755, (0, 0), directory());
    tree.add("/d", 0o700, (0, 0), directory());
    tree.add("/d/f", 0o644, (0, 0), Kind::File(b"hidden".to_vec()));
    tree.add("/g", 0o2777, (0, 7), directory());
    tree.add("/l", 0o777, (0, 0), Kind::Symlink(b"a".to_vec()));
    tree.add("/m", 0o777, (0, 0), Kind::Symlink(b"c/n".to_vec()));
    tree.add("/o", 0o777, (0, 0), Kind::Symlink(b"o".to_vec()));
    tree.add("/t", 0o777, (0, 0), Kind::Symlink(b"/c/f/".to_vec()));
    let attributed = tree.find("/a/f");
    tree.0[attributed]
        .xattrs
        .push((b"user.name".to_vec(), b"value".to_vec()));
    tree
}

pub fn path() -> impl Strategy<Value = String> {
    let name = || {
        prop::sample::select(vec![
            "a", "b", "c", "d", "f", "g", "h", "l", "m", "n", "o", "s", "t", "x", ".", "..",
        ])
    };
    let known = prop::sample::select(vec![
        "/a", "/a/b", "/a/b/f", "/a/f", "/a/h", "/h", "/a/l", "/c", "/c/f", "/c/s", "/c/s/f", "/c/s/x",
        "/c/a", "/d", "/d/f", "/g", "/l", "/m", "/o", "/t", "/c/n", "/g/n", "/", "a", "f", "b/../f", "/l/f",
        "/a/l/f", "/a/l/s/f", "l/", "/a/l/", "", "/c/s/n", "/g/a", "/c/b", "n",
    ]);
    let random =
        (any::<bool>(), prop::collection::vec(name(), 1..4), 0..12u8).prop_map(|(absolute, names, slash)| {
            let path = names.join(if slash == 1 { "//" } else { "/" });
            format!(
                "{}{path}{}",
                if absolute { "/" } else { "" },
                if slash == 0 { "/" } else { "" }
            )
        });
    prop_oneof![3 => known.prop_map(str::to_owned), 2 => random]
}

pub fn file_call_strategy() -> impl Strategy<Value = FileCall> {
    let offset = || {
        prop_oneof![
            0..20_000u16,
            prop::sample::select(vec![0, 4095, 4096, 8192, 10_000, 12_288])
        ]
    };
    let len = || prop_oneof![0..9_000u16, prop::sample::select(vec![0, 1, 4096, 8192])];
    prop_oneof![
        3 => (offset(), len(), any::<u8>()).prop_map(|(offset, len, byte)| FileCall::Write { offset, len, byte }),
        2 => (offset(), len()).prop_map(|(offset, len)| FileCall::Read { offset, len }),
        1 => (len(), any::<u8>()).prop_map(|(len, byte)| FileCall::WriteOn { len, byte }),
        1 => offset().prop_map(FileCall::Truncate),
        1 => (offset(), len()).prop_map(|(offset, len)| FileCall::Punch { offset, len }),
        1 => offset().prop_map(FileCall::SeekData),
        1 => offset().prop_map(FileCall::SeekHole),
        1 => Just(FileCall::Stat),
    ]
}

pub fn open_flags() -> impl Strategy<Value = i32> {
    let access = prop::sample::select(vec![libc::O_RDONLY, libc::O_WRONLY, libc::O_RDWR]);
    let extra = prop::collection::vec(
        prop::sample::select(vec![
            libc::O_CREAT,
            libc::O_CREAT,
            libc::O_EXCL,
            libc::O_TRUNC,
            libc::O_APPEND,
            libc::O_DIRECTORY,
            libc::O_NOFOLLOW,
            libc::O_PATH,
            libc::O_NOATIME,
            libc::O_TMPFILE,
            libc::O_NONBLOCK,
        ]),
        0..3,
    );
    (access, extra).prop_map(|(access, extra)| extra.into_iter().fold(access, |flags, flag| flags | flag))
}

pub fn call() -> impl Strategy<Value = Call> {
    let mode = || prop_oneof![0..0o10000u32, Just(0o755), Just(0o777), Just(0o644)];
    let id = || prop::option::of(prop::sample::select(vec![0, USER, 7]));
    let nofollow = || prop::sample::select(vec![0, libc::AT_SYMLINK_NOFOLLOW]);
    let xattr = || prop::sample::select(vec!["user.name", "user.other", "bad", "user."]);
    let time = || prop::sample::select(vec![libc::UTIME_NOW, libc::UTIME_OMIT, 7]);
    let then = prop::collection::vec(file_call_strategy(), 0..5);
    prop_oneof![
        6 => (path(), open_flags(), mode(), then)
            .prop_map(|(path, flags, mode, then)| Call::Open { path, flags, mode, then }),
        2 => (path(), mode()).prop_map(|(path, mode)| Call::MakeDirectory { path, mode }),
        1 => (path(), prop::sample::select(vec![0, libc::S_IFREG, libc::S_IFSOCK, libc::S_IFDIR]))
            .prop_map(|(path, kind)| Call::MakeNode { path, kind }),
        3 => path().prop_map(Call::Unlink),
        2 => path().prop_map(Call::RemoveDirectory),
        5 => (path(), path(), prop::sample::select(vec![0, 0, 0, 1, 2, 3]))
            .prop_map(|(old, new, flags)| Call::Rename { old, new, flags }),
        2 => (path(), path(), prop::sample::select(vec![0, libc::AT_SYMLINK_FOLLOW]))
            .prop_map(|(old, new, flags)| Call::Link { old, new, flags }),
        1 => (path(), path()).prop_map(|(target, path)| Call::Symlink { target, path }),
        1 => path().prop_map(Call::ReadLink),
        2 => (path(), mode()).prop_map(|(path, mode)| Call::ChangeMode { path, mode }),
        2 => (path(), id(), id(), nofollow())
            .prop_map(|(path, uid, gid, flags)| Call::ChangeOwner { path, uid, gid, flags }),
        1 => (path(), prop::sample::select(vec![0, 5, 4096, 20_000])).prop_map(|(path, len)| Call::Truncate { path, len }),
        2 => (path(), nofollow()).prop_map(|(path, flags)| Call::Stat { path, flags }),
        1 => (path(), 0..8u32, nofollow()).prop_map(|(path, mode, flags)| Call::Access { path, mode, flags }),
        1 => path().prop_map(Call::List),
        1 => (path(), xattr(), prop::sample::select(vec!["", "v"]), 0..3i32).prop_map(|(path, name, value, flags)| {
            Call::SetXattr { path, name: name.into(), value: value.into(), flags }
        }),
        1 => (path(), xattr()).prop_map(|(path, name)| Call::GetXattr { path, name: name.into() }),
        1 => path().prop_map(Call::ListXattr),
        1 => (path(), xattr()).prop_map(|(path, name)| Call::RemoveXattr { path, name: name.into() }),
        1 => path().prop_map(Call::ChangeDirectory),
        3 => (path(), path(), open_flags(), mode(), 0..32u64).prop_map(|(directory, path, flags, mode, resolve)| {
            let mode = if flags & (libc::O_CREAT | libc::O_TMPFILE) == 0 { 0 } else { mode };
            Call::OpenWithin { directory, path, flags, mode, resolve }
        }),
        1 => (path(), [time(), time()], nofollow()).prop_map(|(path, times, flags)| Call::SetTimes { path, times, flags }),
    ]
}
