//! The LibOS's support of each system call, as `docs/syscalls.md` has it, which is generated from the LibOS.

/// The page, as of this build.
const PAGE: &str = include_str!("../../../../docs/syscalls.md");
/// What the page says of calls that Linux itself refuses with the same error.
const GONE: &str = "x86-64 Linux no longer has it";

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) number: u32,
    pub(super) name: &'static str,
    /// `full`, `partial`, or the name of an error.
    pub(super) support: &'static str,
    pub(super) note: &'static str,
}

impl Row {
    /// Whether a program that makes the call is worse off than on Linux, and does not expect it.
    pub(super) fn is_missed(&self) -> bool {
        !matches!(self.support, "full" | "partial") && self.note != GONE && !self.note.contains("(quiet: ")
    }
}

/// All rows.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    PAGE.lines().filter_map(row)
}

fn row(line: &'static str) -> Option<Row> {
    let cells = line.strip_prefix("| ")?.strip_suffix('|')?;
    let mut cells = cells.splitn(4, " | ");
    Some(Row {
        number: cells.next()?.parse().ok()?,
        name: cells.next()?,
        support: cells.next()?,
        note: cells.next()?.trim(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_parses_whole() {
        let counted = |is: fn(&Row) -> bool| rows().filter(is).count();
        let full = counted(|row| row.support == "full");
        let partial = counted(|row| row.support == "partial");
        let unsupported = counted(|row| row.support.starts_with('E'));
        // The page counts for itself.
        let sentence = format!("{full} are full, {partial} partial, {unsupported} unsupported.");
        assert!(PAGE.lines().any(|line| line == sentence), "{sentence}");
        assert_eq!(rows().count(), full + partial + unsupported);
        assert!(rows().map(|row| row.number).is_sorted());
        let row = |name| rows().find(|row| row.name == name).unwrap();
        assert_eq!(
            (row("userfaultfd").number, row("userfaultfd").support),
            (323, "ENOSYS")
        );
        assert!(row("userfaultfd").is_missed());
        assert!(!row("read").is_missed() && !row("rseq").is_missed() && !row("uselib").is_missed());
    }
}
