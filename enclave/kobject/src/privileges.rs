//! Capabilities: what a process may do beyond what its users and groups may (capabilities(7)).
//!
//! The first program of a container has what root has in a user namespace of its own: all capabilities if it runs as user 0, else
//! none; its bounding set is full in any case. That is more than Docker's default set, on purpose: an image that Docker runs with
//! `--cap-add` works, too, and there is nothing to protect from it, as no capability reaches beyond the enclave. What would change
//! the machine (its clock, its mounts, its network) is refused to every capability.

use linux_abi::{Capabilities, Securebits};

use crate::{Errno, Result};

/// What follows the user of file access (`CAP_FS_SET` of the kernel).
const OF_FILES: Capabilities = Capabilities::CAP_CHOWN
    .union(Capabilities::CAP_MKNOD)
    .union(Capabilities::CAP_DAC_OVERRIDE)
    .union(Capabilities::CAP_DAC_READ_SEARCH)
    .union(Capabilities::CAP_FOWNER)
    .union(Capabilities::CAP_FSETID)
    .union(Capabilities::CAP_MAC_OVERRIDE)
    .union(Capabilities::CAP_LINUX_IMMUTABLE);

/// The capabilities of a process, and how they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privileges {
    /// What checks look at.
    pub effective: Capabilities,
    /// What may be made effective.
    pub permitted: Capabilities,
    /// What a program may be given that its file asks to inherit, or that is ambient.
    pub inheritable: Capabilities,
    /// The most that execve(2) gives.
    pub bounding: Capabilities,
    /// What stays over execve(2); always both permitted and inheritable.
    pub ambient: Capabilities,
    /// How user 0 and changes of users count.
    pub securebits: Securebits,
    /// PR_SET_NO_NEW_PRIVS: execve(2) gives nothing that is not permitted already.
    pub no_new_privs: bool,
}

impl Privileges {
    /// What a container's first program has as this user.
    pub fn first(uid: u32) -> Self {
        let has = match uid {
            0 => Capabilities::all(),
            _ => Capabilities::empty(),
        };
        Self {
            effective: has,
            permitted: has,
            inheritable: Capabilities::empty(),
            bounding: Capabilities::all(),
            ambient: Capabilities::empty(),
            securebits: Securebits::empty(),
            no_new_privs: false,
        }
    }

    /// EPERM unless these capabilities are effective.
    pub fn require(&self, wanted: Capabilities) -> Result<()> {
        match self.effective.contains(wanted) {
            true => Ok(()),
            false => Err(Errno::EPERM),
        }
    }

    /// capset(2).
    ///
    /// # Errors
    /// EPERM for what is not permitted now, or is to be effective without being permitted; for inheritable ones that are neither
    /// inheritable now nor in the bounding set, or, without CAP_SETPCAP, not permitted.
    pub fn set(
        &mut self,
        effective: Capabilities,
        permitted: Capabilities,
        inheritable: Capabilities,
    ) -> Result<()> {
        let inherits_freely = self.effective.contains(Capabilities::CAP_SETPCAP);
        let is_allowed = (inherits_freely || (self.inheritable | self.permitted).contains(inheritable))
            && (self.inheritable | self.bounding).contains(inheritable)
            && self.permitted.contains(permitted)
            && permitted.contains(effective);
        if !is_allowed {
            return Err(Errno::EPERM);
        }
        self.effective = effective;
        self.permitted = permitted;
        self.inheritable = inheritable;
        self.ambient &= permitted & inheritable;
        Ok(())
    }

    /// PR_CAP_AMBIENT_RAISE; EPERM for what is not permitted and inheritable, or if it is forbidden.
    pub fn raise_ambient(&mut self, raised: Capabilities) -> Result<()> {
        let is_allowed = (self.permitted & self.inheritable).contains(raised)
            && !self.securebits.contains(Securebits::SECBIT_NO_CAP_AMBIENT_RAISE);
        if !is_allowed {
            return Err(Errno::EPERM);
        }
        self.ambient |= raised;
        Ok(())
    }

    /// PR_SET_SECUREBITS.
    ///
    /// # Errors
    /// EPERM without CAP_SETPCAP, for bits that there are not, for the removal of a lock and for the change of what is locked.
    pub fn set_securebits(&mut self, raw: u64) -> Result<()> {
        self.require(Capabilities::CAP_SETPCAP)?;
        let old = self.securebits;
        let new = u32::try_from(raw).ok().and_then(Securebits::from_bits);
        let new = new.ok_or(Errno::EPERM)?;
        let locks = old & Securebits::LOCKS;
        let locked = Securebits::from_bits_truncate(locks.bits() >> 1);
        if !new.contains(locks) || (old ^ new).intersects(locked) {
            return Err(Errno::EPERM);
        }
        self.securebits = new;
        Ok(())
    }

    /// PR_SET_KEEPCAPS; EPERM if it is locked.
    pub fn set_keep_caps(&mut self, keep: bool) -> Result<()> {
        if self.securebits.contains(Securebits::SECBIT_KEEP_CAPS_LOCKED) {
            return Err(Errno::EPERM);
        }
        self.securebits.set(Securebits::SECBIT_KEEP_CAPS, keep);
        Ok(())
    }

    /// Follows a change of the real, effective and saved user: who is root in no role any more loses everything, who is not
    /// effectively loses what is effective, and who becomes root effectively has what is permitted.
    pub(crate) fn follow_users(&mut self, old: [u32; 3], new: [u32; 3]) {
        if self.securebits.contains(Securebits::SECBIT_NO_SETUID_FIXUP) {
            return;
        }
        if old.contains(&0) && !new.contains(&0) {
            if !self.securebits.contains(Securebits::SECBIT_KEEP_CAPS) {
                self.permitted = Capabilities::empty();
                self.effective = Capabilities::empty();
            }
            self.ambient = Capabilities::empty();
        }
        match (old[1], new[1]) {
            (0, 0) => {}
            (0, _) => self.effective = Capabilities::empty(),
            (_, 0) => self.effective = self.permitted,
            _ => {}
        }
    }

    /// Follows a change of the user of file access alone (setfsuid(2)): so do the capabilities that concern files.
    pub(crate) fn follow_file_user(&mut self, old: u32, new: u32) {
        if self.securebits.contains(Securebits::SECBIT_NO_SETUID_FIXUP) {
            return;
        }
        match (old, new) {
            (0, 0) => {}
            (0, _) => self.effective -= OF_FILES,
            (_, 0) => self.effective |= self.permitted & OF_FILES,
            _ => {}
        }
    }

    /// What access(2) looks at: what these users have who act as themselves.
    pub(crate) fn of_real_user(&mut self, uid: u32) {
        if self.securebits.contains(Securebits::SECBIT_NO_SETUID_FIXUP) {
            return;
        }
        self.effective = match uid {
            0 => self.permitted,
            _ => Capabilities::empty(),
        };
    }

    /// Nothing stays over execve(2) but by the file.
    pub(crate) fn clear_ambient(&mut self) {
        self.ambient = Capabilities::empty();
    }

    /// What the program has that these users execute. Its file has no capabilities, or they have no effect.
    pub(crate) fn execute(&mut self, real: u32, effective: u32) {
        let root_counts = !self.securebits.contains(Securebits::SECBIT_NOROOT);
        let mut permitted = Capabilities::empty();
        if root_counts && (real == 0 || effective == 0) {
            permitted = self.bounding | self.inheritable;
        }
        if self.no_new_privs {
            permitted &= self.permitted;
        }
        self.permitted = permitted | self.ambient;
        self.effective = match root_counts && effective == 0 {
            true => self.permitted,
            false => self.ambient,
        };
        self.securebits.remove(Securebits::SECBIT_KEEP_CAPS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHOWN: Capabilities = Capabilities::CAP_CHOWN;
    const KILL: Capabilities = Capabilities::CAP_KILL;
    const NONE: Capabilities = Capabilities::empty();

    fn root() -> Privileges {
        Privileges::first(0)
    }

    #[test]
    fn the_first_program_has_what_execve_would_give_it() {
        for uid in [0, 1000] {
            let mut after = Privileges::first(uid);
            after.execute(uid, uid);
            assert_eq!(after, Privileges::first(uid));
        }
        assert_eq!(root().effective, Capabilities::all());
        let user = Privileges::first(1000);
        assert_eq!((user.permitted, user.bounding), (NONE, Capabilities::all()));
    }

    #[test]
    fn what_is_dropped_stays_dropped_until_root_executes() {
        let mut p = root();
        p.set(CHOWN, CHOWN | KILL, NONE).unwrap();
        assert_eq!(p.require(KILL), Err(Errno::EPERM));
        assert_eq!(p.require(CHOWN), Ok(()));
        p.set(KILL, CHOWN | KILL, NONE).unwrap();
        assert_eq!(p.set(NONE, Capabilities::all(), NONE), Err(Errno::EPERM));
        assert_eq!(
            p.set(CHOWN, KILL, NONE),
            Err(Errno::EPERM),
            "effective beyond permitted"
        );
        p.execute(0, 0);
        assert_eq!(p.effective, Capabilities::all());
        p.bounding = CHOWN;
        p.execute(0, 0);
        assert_eq!((p.permitted, p.effective), (CHOWN, CHOWN));
    }

    #[test]
    fn inheritable_needs_the_bounding_set_and_permission() {
        let mut p = root();
        p.bounding -= CHOWN;
        assert_eq!(p.set(p.effective, p.permitted, CHOWN), Err(Errno::EPERM));
        p.set(NONE, KILL, KILL).unwrap();
        assert_eq!(
            p.set(NONE, KILL, KILL | Capabilities::CAP_FOWNER),
            Err(Errno::EPERM)
        );
        // What was inheritable may stay so without being permitted.
        p.set(NONE, NONE, KILL).unwrap();
        assert_eq!(p.inheritable, KILL);
    }

    #[test]
    fn leaving_root_takes_everything_unless_it_is_kept() {
        let mut p = root();
        p.follow_users([0, 0, 0], [0, 1000, 0]);
        assert_eq!((p.permitted, p.effective), (Capabilities::all(), NONE));
        p.follow_users([0, 1000, 0], [0, 0, 0]);
        assert_eq!(p.effective, Capabilities::all());
        let mut kept = p.clone();
        p.follow_users([0, 0, 0], [1000; 3]);
        assert_eq!((p.permitted, p.effective), (NONE, NONE));

        kept.set_keep_caps(true).unwrap();
        kept.inheritable = CHOWN;
        kept.raise_ambient(CHOWN).unwrap();
        kept.follow_users([0, 0, 0], [1000; 3]);
        assert_eq!(
            (kept.permitted, kept.effective, kept.ambient),
            (Capabilities::all(), NONE, NONE)
        );
        kept.execute(1000, 1000);
        assert_eq!(kept.permitted, NONE);
        assert!(
            !kept.securebits.contains(Securebits::SECBIT_KEEP_CAPS),
            "for one program"
        );
    }

    #[test]
    fn without_the_fixup_users_do_not_matter() {
        let mut p = root();
        p.set_securebits(Securebits::SECBIT_NO_SETUID_FIXUP.bits().into())
            .unwrap();
        p.follow_users([0, 0, 0], [1000; 3]);
        p.follow_file_user(0, 1000);
        assert_eq!(p.effective, Capabilities::all());
    }

    #[test]
    fn the_user_of_files_takes_what_concerns_files() {
        let mut p = root();
        p.follow_file_user(0, 1000);
        assert_eq!(p.require(Capabilities::CAP_DAC_OVERRIDE), Err(Errno::EPERM));
        assert_eq!(p.require(KILL), Ok(()));
        p.permitted -= CHOWN;
        p.follow_file_user(1000, 0);
        assert_eq!(p.effective, Capabilities::all() - CHOWN);
    }

    #[test]
    fn ambient_ones_stay_over_execve_of_any_user() {
        let mut p = root();
        assert_eq!(p.raise_ambient(CHOWN), Err(Errno::EPERM), "not inheritable");
        p.set_keep_caps(true).unwrap();
        p.follow_users([0, 0, 0], [1000; 3]);
        p.set(CHOWN, CHOWN | KILL, CHOWN | KILL).unwrap();
        p.raise_ambient(CHOWN | KILL).unwrap();
        p.set(CHOWN, CHOWN | KILL, CHOWN).unwrap();
        assert_eq!(p.ambient, CHOWN, "what is not inheritable is not ambient");
        p.execute(1000, 1000);
        assert_eq!((p.permitted, p.effective, p.inheritable), (CHOWN, CHOWN, CHOWN));
        p.securebits = Securebits::SECBIT_NO_CAP_AMBIENT_RAISE;
        assert_eq!(p.raise_ambient(CHOWN), Err(Errno::EPERM));
    }

    #[test]
    fn no_new_privs_gives_root_back_nothing() {
        let mut p = root();
        p.set(NONE, KILL, NONE).unwrap();
        p.no_new_privs = true;
        p.execute(0, 0);
        assert_eq!((p.permitted, p.effective), (KILL, KILL));
    }

    #[test]
    fn root_is_nobody_special_where_securebits_say_so() {
        let mut p = root();
        p.set_securebits(Securebits::SECBIT_NOROOT.bits().into()).unwrap();
        p.execute(0, 0);
        assert_eq!((p.permitted, p.effective), (NONE, NONE));
    }

    #[test]
    fn locked_securebits_stay() {
        let mut p = root();
        let locked = Securebits::SECBIT_KEEP_CAPS_LOCKED;
        p.set_securebits(locked.bits().into()).unwrap();
        assert_eq!(p.set_securebits(0), Err(Errno::EPERM));
        let changed = locked | Securebits::SECBIT_KEEP_CAPS;
        assert_eq!(p.set_securebits(changed.bits().into()), Err(Errno::EPERM));
        assert_eq!(p.set_keep_caps(true), Err(Errno::EPERM));
        assert_eq!(p.set_securebits(1 << 40 | 1 << 5), Err(Errno::EPERM));
        p.set_securebits((locked | Securebits::SECBIT_NOROOT).bits().into())
            .unwrap();
        p.effective = NONE;
        assert_eq!(
            p.set_securebits(p.securebits.bits().into()),
            Err(Errno::EPERM),
            "CAP_SETPCAP"
        );
    }
}
