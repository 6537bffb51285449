//! The objects of one facility, by identifier and by key (ipc/util.c).

use alloc::collections::BTreeMap;

use kobject::{Errno, Result};
use linux_abi::IpcFlags;
use linux_abi::ipc::{IPC_PRIVATE, IPCMNI_SHIFT};

use crate::permissions::Permissions;
use crate::{Caller, Named};

/// Places are given away in turn up to this many at least, so that an identifier is not used again at once.
const LEAST_CYCLE: usize = 64;

/// What a table holds.
pub(crate) trait Object {
    fn permissions(&self) -> &Permissions;
    fn permissions_mut(&mut self) -> &mut Permissions;
}

/// What `IPC_INFO` and its kin give of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The highest place that is used; 0 if none is.
    pub highest: usize,
    /// How many objects there are.
    pub objects: usize,
}

/// The objects of one facility.
pub(crate) struct Table<T> {
    objects: BTreeMap<usize, T>,
    keys: BTreeMap<i32, i32>,
    last: Option<usize>,
    sequence: u16,
    most: usize,
}

impl<T: Object> Table<T> {
    /// An empty one, for at most `most` objects.
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            objects: BTreeMap::new(),
            keys: BTreeMap::new(),
            last: None,
            sequence: 0,
            most,
        }
    }

    /// Gives the identifier of the object with this key, which is made if the flags say so (`ipcget`). `suits` looks at one that exists.
    pub(crate) fn find_or_make(
        &mut self,
        caller: Caller<'_>,
        key: i32,
        flags: u32,
        suits: impl FnOnce(&T) -> Result<()>,
        make: impl FnOnce(&mut Self, Permissions) -> Result<T>,
    ) -> Result<i32> {
        let asked = IpcFlags::from_bits_truncate(flags);
        let known = self.keys.get(&key).copied().filter(|_| key != IPC_PRIVATE);
        let Some(id) = known else {
            if key != IPC_PRIVATE && !asked.contains(IpcFlags::IPC_CREAT) {
                return Err(Errno::ENOENT);
            }
            let made = make(self, Permissions::new(caller, key, flags))?;
            return self.add(made);
        };
        if asked.contains(IpcFlags::IPC_CREAT | IpcFlags::IPC_EXCL) {
            return Err(Errno::EEXIST);
        }
        let object = self.get(id)?;
        suits(object)?;
        object.permissions().check(caller, flags)?;
        Ok(id)
    }

    fn add(&mut self, mut object: T) -> Result<i32> {
        if self.objects.len() >= self.most {
            return Err(Errno::ENOSPC);
        }
        let cycle = (self.objects.len() * 3 / 2).max(LEAST_CYCLE).min(self.most);
        let next = self.last.map_or(0, |last| last + 1);
        let is_free = |place: &usize| !self.objects.contains_key(place);
        let place = (next..cycle).chain(0..self.most).find(is_free);
        let place = place.ok_or(Errno::ENOSPC)?;
        if self.last.is_some_and(|last| place <= last) {
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.last = Some(place);
        let permissions = object.permissions_mut();
        permissions.sequence = self.sequence;
        let id = id_of(place, permissions.sequence);
        if permissions.key != IPC_PRIVATE {
            self.keys.insert(permissions.key, id);
        }
        self.objects.insert(place, object);
        Ok(id)
    }

    /// The object with this identifier. EINVAL if there is none, EIDRM if its place has another one now.
    pub(crate) fn get(&self, id: i32) -> Result<&T> {
        let object = self.objects.get(&place_of(id)?).ok_or(Errno::EINVAL)?;
        check_sequence(id, object.permissions())?;
        Ok(object)
    }

    /// As [`Self::get`].
    pub(crate) fn get_mut(&mut self, id: i32) -> Result<&mut T> {
        let object = self.objects.get_mut(&place_of(id)?).ok_or(Errno::EINVAL)?;
        check_sequence(id, object.permissions())?;
        Ok(object)
    }

    /// The object that `IPC_STAT` or one of its kin names, which `caller` may read, and its identifier.
    pub(crate) fn look_at(&self, caller: Caller<'_>, named: Named) -> Result<(i32, &T)> {
        let id = match named {
            Named::Id(id) => id,
            Named::Index(index) | Named::AnyIndex(index) => {
                let place = place_of(index)?;
                let object = self.objects.get(&place).ok_or(Errno::EINVAL)?;
                id_of(place, object.permissions().sequence)
            }
        };
        let object = self.get(id)?;
        if !matches!(named, Named::AnyIndex(_)) {
            object.permissions().check(caller, crate::permissions::READ)?;
        }
        Ok((id, object))
    }

    /// The object with this identifier, if `caller` may change it.
    pub(crate) fn changeable(&mut self, caller: Caller<'_>, id: i32) -> Result<&mut T> {
        let object = self.get_mut(id)?;
        object.permissions().check_change(caller)?;
        Ok(object)
    }

    /// Takes an object out.
    pub(crate) fn remove(&mut self, id: i32) -> Option<T> {
        self.forget_key(id);
        self.objects.remove(&place_of(id).ok()?)
    }

    /// Lets nobody find an object by its key any more.
    pub(crate) fn forget_key(&mut self, id: i32) {
        if let Ok(object) = self.get_mut(id) {
            let key = core::mem::replace(&mut object.permissions_mut().key, IPC_PRIVATE);
            self.keys.remove(&key);
        }
    }

    /// All objects with their identifiers.
    pub(crate) fn all(&self) -> impl Iterator<Item = (i32, &T)> {
        let with_id = |(&place, object): (&usize, _)| {
            let object: &T = object;
            (id_of(place, object.permissions().sequence), object)
        };
        self.objects.iter().map(with_id)
    }

    /// All objects.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.objects.values_mut()
    }

    /// How much of it is used.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            highest: self.objects.last_key_value().map_or(0, |(&place, _)| place),
            objects: self.objects.len(),
        }
    }
}

fn id_of(place: usize, sequence: u16) -> i32 {
    (u32::from(sequence) << IPCMNI_SHIFT | place as u32).cast_signed()
}

fn place_of(id: i32) -> Result<usize> {
    let id = u32::try_from(id).map_err(|_| Errno::EINVAL)?;
    Ok((id & ((1 << IPCMNI_SHIFT) - 1)) as usize)
}

fn check_sequence(id: i32, permissions: &Permissions) -> Result<()> {
    match id.cast_unsigned() >> IPCMNI_SHIFT == u32::from(permissions.sequence) {
        true => Ok(()),
        false => Err(Errno::EIDRM),
    }
}

#[cfg(test)]
mod tests {
    use kobject::Credentials;

    use super::*;

    struct Plain(Permissions);

    impl Object for Plain {
        fn permissions(&self) -> &Permissions {
            &self.0
        }

        fn permissions_mut(&mut self) -> &mut Permissions {
            &mut self.0
        }
    }

    fn get(table: &mut Table<Plain>, key: i32, flags: u32) -> Result<i32> {
        let credentials = Credentials::new(10, 10, Vec::new());
        let caller = Caller {
            credentials: &credentials,
            pid: 1,
            now: 0,
        };
        let make = |_: &mut Table<Plain>, permissions| Ok(Plain(permissions));
        table.find_or_make(caller, key, flags, |_| Ok(()), make)
    }

    #[test]
    fn keys_find_what_they_made() {
        const CREATE: u32 = 0o1600;
        let mut table = Table::new(100);
        assert_eq!(get(&mut table, 5, 0), Err(Errno::ENOENT));
        assert_eq!(get(&mut table, 5, CREATE), Ok(0));
        assert_eq!(get(&mut table, 5, 0o2000 | CREATE), Err(Errno::EEXIST));
        assert_eq!(get(&mut table, 5, 0o600), Ok(0));
        assert_eq!(get(&mut table, 5, 0o100), Err(Errno::EACCES));
        assert_eq!(get(&mut table, IPC_PRIVATE, 0), Ok(1));
        assert_eq!(get(&mut table, IPC_PRIVATE, 0), Ok(2));
        table.remove(0);
        assert_eq!(table.get(0).err(), Some(Errno::EINVAL));
        assert_eq!(get(&mut table, 5, CREATE), Ok(3));
    }

    #[test]
    fn an_identifier_that_has_gone_is_not_another_object() {
        let mut table = Table::new(1000);
        for place in 0..64 {
            assert_eq!(get(&mut table, IPC_PRIVATE, 0), Ok(place));
        }
        table.remove(7);
        let again = get(&mut table, IPC_PRIVATE, 0).unwrap();
        // 63 objects: a cycle of 94 places has some that were never used.
        assert_eq!(again, 64);
        for _ in 65..96 {
            get(&mut table, IPC_PRIVATE, 0).unwrap();
        }
        table.remove(40);
        let mut last = 0;
        while last & 0x7fff != 40 {
            last = get(&mut table, IPC_PRIVATE, 0).unwrap();
        }
        assert_ne!(last, 40);
        assert_eq!(table.get(40).err(), Some(Errno::EIDRM));
        assert!(table.get(last).is_ok());
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut table = Table::new(3);
        for _ in 0..3 {
            get(&mut table, IPC_PRIVATE, 0).unwrap();
        }
        assert_eq!(get(&mut table, IPC_PRIVATE, 0), Err(Errno::ENOSPC));
        assert_eq!(
            table.usage(),
            Usage {
                highest: 2,
                objects: 3
            }
        );
    }
}
