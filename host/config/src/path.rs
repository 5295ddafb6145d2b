//! The paths that lead to values, as messages name them: keys joined by dots, and numbers of items in brackets.

/// The longest path that is kept whole, in bytes.
const BYTES_MAX: usize = 240;

/// The path of a key below another path. Of a long one the middle is left out, since every value has a path.
pub(super) fn join(path: &str, key: &str) -> String {
    match path {
        "" => shortened(key.to_owned()),
        _ => shortened(format!("{path}.{key}")),
    }
}

/// The path of an item of a list, from 0.
pub(super) fn join_number(path: &str, number: usize) -> String {
    shortened(format!("{path}[{number}]"))
}

fn shortened(path: String) -> String {
    if path.len() <= BYTES_MAX {
        return path;
    }
    let head = &path[..path.floor_char_boundary(BYTES_MAX / 2)];
    let tail = &path[path.ceil_char_boundary(path.len() - BYTES_MAX / 3)..];
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_keep_both_ends() {
        assert_eq!(join_number(&join(&join("", "a"), "b"), 3), "a.b[3]");
        let long = (0..1000).fold("exporters".to_owned(), |path, _| join(&path, &"ü".repeat(300)));
        let path = join(&long, "endpoint");
        assert!(path.starts_with("exporters.ü") && path.ends_with(".endpoint"), "{path}");
        assert!(path.len() <= BYTES_MAX, "{}", path.len());
    }
}
