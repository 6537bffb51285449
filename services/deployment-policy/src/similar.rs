//! "Did you mean": the known name that is most like one that is not known.

/// Letters that may be wrong, missing or too many.
const MISTAKES: usize = 3;
/// Letters of a name that is compared at all.
const LONGEST: usize = 40;

/// Names that are compared.
const MOST: usize = 200;

/// The most similar of `known`, if one is similar enough to be meant.
pub(crate) fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    // What is too long or too short is not compared letter by letter.
    let is_near = |known: &&str| known.len() <= LONGEST && known.len().abs_diff(name.len()) <= MISTAKES;
    let known = known.into_iter().filter(is_near).take(MOST);
    let distances = known.map(|known| (strsim::osa_distance(name, known), known));
    let (distance, closest) = distances.min()?;
    (distance <= MISTAKES && distance <= closest.len() / 2).then_some(closest)
}

/// `; did you mean "…"?`, or else the known names if they are few, or nothing.
pub(crate) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    /// Names that a person reads.
    const FEW: usize = 12;
    if let Some(meant) = similar(name, known.clone()) {
        return format!("; did you mean {meant:?}?");
    }
    let all: Vec<_> = known.into_iter().take(FEW.saturating_add(1)).collect();
    match all.as_slice() {
        [] => "; there are none".to_owned(),
        all if all.len() <= FEW => format!("; there are {}", all.join(", ")),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant() {
        let known = ["services", "secrets", "db.password"];
        assert_eq!(similar("servises", known), Some("services"));
        assert_eq!(similar("db.pasword", known), Some("db.password"));
        assert_eq!(similar("colour", known), None);
        assert_eq!(similar(&"s".repeat(100_000), known), None);
        assert_eq!(hint("servises", known), "; did you mean \"services\"?");
        assert_eq!(hint("x", known), "; there are services, secrets, db.password");
        assert_eq!(hint("x", []), "; there are none");
    }
}
