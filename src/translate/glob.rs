//! Patterns for attribute keys, as `resource_constant_labels` has them.

/// Whether a text matches a pattern in which `*` stands for any text and `?` for one character.
pub(super) fn matches(pattern: &str, text: &[u8]) -> bool {
    let pattern = pattern.as_bytes();
    let (mut at, mut read) = (0, 0);
    // Where to go on with one more byte for the latest star.
    let mut retry: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, read));
            }
            Some(b'?') => {
                at += 1;
                read += 1;
                read += text[read..].iter().take_while(|b| **b & 0xc0 == 0x80).count();
            }
            Some(b) if *b == text[read] => {
                at += 1;
                read += 1;
            }
            _ => match retry {
                Some((after_star, start)) => {
                    (at, read) = (after_star, start + 1);
                    retry = Some((at, read));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("host.*", "host.name", true),
            ("host.*", "host", false),
            ("*", "", true),
            ("?", "é", true),
            ("?", "", false),
            ("a*b*c", "axxbxxbc", true),
            ("a*b*c", "axxbxx", false),
            ("k8s.pod.name", "k8s.pod.name", true),
            ("k8s.pod.nam?", "k8s.pod.names", false),
            ("*.id", "a.id.id", true),
        ] {
            assert_eq!(matches(pattern, text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
