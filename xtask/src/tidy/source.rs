//! Rust source for the rules: code without comments and literals, and the ranges of tests.
//!
//! Knows the lexical grammar of comments and literals. Does not parse syntax.

use std::ops::Range;

/// The code of one file. Offsets are those of the original text.
#[derive(Debug)]
pub(crate) struct RustSource {
    /// The text with comments and the insides of literals replaced by spaces, byte for byte.
    code: String,
    /// The bytes that belong to `#[cfg(test)]` items.
    tests: Vec<Range<usize>>,
}

impl RustSource {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = blank(text);
        let test_folder = path.split('/').any(|part| matches!(part, "tests.rs" | "benches"))
            || path.split('/').skip(2).any(|part| part == "tests");
        let whole = 0..code.len();
        let tests = if test_folder { vec![whole] } else { test_items(&code) };
        Self { code, tests }
    }

    /// Returns the code, with comments and literals blank.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    pub(crate) fn is_test(&self, offset: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&offset))
    }

    pub(crate) fn mark_all_as_test(&mut self) {
        let whole = 0..self.code.len();
        self.tests = vec![whole];
    }

    /// Returns the number of lines outside tests.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let mut offset = 0;
        let mut lines = 0;
        for line in self.code.split_inclusive('\n') {
            if !self.is_test(offset) {
                lines += 1;
            }
            offset += line.len();
        }
        lines
    }

    /// Returns the offsets of `pattern` as whole words, outside tests.
    pub(crate) fn find<'a>(&'a self, pattern: &'a str) -> impl Iterator<Item = usize> + 'a {
        find_words(&self.code, pattern).filter(|&offset| !self.is_test(offset))
    }

    /// Returns the modules that this file declares by `#[cfg(test)] mod name;`, as paths without `.rs`.
    pub(crate) fn test_modules(&self, path: &str) -> Vec<String> {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = file.trim_end_matches(".rs");
        let folder = match stem {
            "lib" | "main" | "mod" => folder.to_owned(),
            _ => format!("{folder}/{stem}"),
        };
        let declaration = |range: &Range<usize>| {
            let item = self.code.get(range.clone())?.trim();
            let name = item.strip_suffix(';')?.rsplit_once("mod ")?.1.trim();
            Some(format!("{folder}/{name}"))
        };
        self.tests.iter().filter_map(declaration).collect()
    }
}

/// Returns the offsets of `pattern` in `text` with no letter, digit or underscore next to it.
pub(crate) fn find_words<'a>(text: &'a str, pattern: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    text.match_indices(pattern).map(|(offset, _)| offset).filter(move |&offset| {
        let before = offset.checked_sub(1).and_then(|index| bytes.get(index));
        let after = bytes.get(offset + pattern.len());
        let starts = is_word(pattern.as_bytes().first());
        let ends = is_word(pattern.as_bytes().last());
        let grows = starts && is_word(before) || ends && is_word(after);
        !grows
    })
}

/// Returns the items behind `#[cfg(test)]`, from the attribute to the closing brace or semicolon.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for pattern in ["#[cfg(test", "#[cfg(all(test", "#[cfg(any(test"] {
        for (start, _) in code.match_indices(pattern) {
            items.push(start..end_of_item(code, start));
        }
    }
    items
}

fn end_of_item(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset + 1;
                }
            }
            b';' if depth == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// Replaces comments and the contents of literals by spaces. Newlines stay, so offsets and lines do not change.
fn blank(text: &str) -> String {
    let mut lexer = Lexer { bytes: text.as_bytes(), at: 0, out: Vec::with_capacity(text.len()) };
    while lexer.at < lexer.bytes.len() {
        lexer.step();
    }
    // Only whole literals and comments are blanked, so the rest is still valid UTF-8.
    String::from_utf8_lossy(&lexer.out).into_owned()
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    out: Vec<u8>,
}

impl Lexer<'_> {
    fn step(&mut self) {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(b"//") {
            let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
            self.blank(length);
        } else if rest.starts_with(b"/*") {
            self.blank(block_comment(rest));
        } else if let Some((opening, length)) = raw_string(rest)
            && !self.follows_word()
        {
            self.keep(opening);
            self.blank(length - opening);
        } else if rest[0] == b'"' {
            let length = quoted(rest, b'"');
            self.keep(1);
            self.blank(length.saturating_sub(2));
            self.keep(usize::from(length > 1));
        } else if let Some(length) = character(rest) {
            self.keep(1);
            self.blank(length - 2);
            self.keep(1);
        } else {
            self.keep(1);
        }
    }

    /// An `r` that ends a name does not open a raw string.
    fn follows_word(&self) -> bool {
        self.at > 0 && (self.bytes[self.at - 1].is_ascii_alphanumeric() || self.bytes[self.at - 1] == b'_')
    }

    fn keep(&mut self, length: usize) {
        let end = (self.at + length).min(self.bytes.len());
        self.out.extend_from_slice(&self.bytes[self.at..end]);
        self.at = end;
    }

    fn blank(&mut self, length: usize) {
        let end = (self.at + length).min(self.bytes.len());
        self.out
            .extend(self.bytes[self.at..end].iter().map(|&byte| if byte == b'\n' { b'\n' } else { b' ' }));
        self.at = end;
    }
}

/// Returns the length of a block comment, nested ones included.
fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while at < rest.len() && depth > 0 {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    at
}

/// Returns the length of the opening of a raw string (`r#"`, `br"`) and its whole length.
fn raw_string(rest: &[u8]) -> Option<(usize, usize)> {
    let prefix = [&b"br"[..], b"cr", b"r"].into_iter().find(|prefix| rest.starts_with(prefix))?.len();
    let hashes = rest[prefix..].iter().take_while(|&&byte| byte == b'#').count();
    let opening = prefix + hashes + 1;
    if rest.get(opening - 1) != Some(&b'"') {
        return None;
    }
    let mut closing = vec![b'"'];
    closing.resize(1 + hashes, b'#');
    let body = &rest[opening..];
    let end = body.windows(closing.len()).position(|window| window == closing).unwrap_or(body.len());
    Some((opening, (opening + end + closing.len()).min(rest.len())))
}

/// Returns the length of a literal that starts and ends with `quote` and escapes by backslash.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Returns the length of a character literal, or `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest[0] != b'\'' {
        return None;
    }
    if rest.get(1) == Some(&b'\\') {
        return Some(quoted(rest, b'\''));
    }
    let text = std::str::from_utf8(rest.get(1..rest.len().min(6))?);
    let first = match text {
        Ok(text) => text.chars().next()?,
        Err(error) => std::str::from_utf8(&rest[1..=error.valid_up_to()]).ok()?.chars().next()?,
    };
    let end = 1 + first.len_utf8();
    (rest.get(end) == Some(&b'\'')).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_become_blank() {
        let text = "let a = \"Instant::now\"; // Instant::now\n/* b /* c */ d */ let q = '\"'; let l: &'a str = r#\"x\"y\"#;";
        let code = blank(text);
        assert_eq!(code.len(), text.len());
        assert!(!code.contains("Instant"));
        assert!(!code.contains('d'), "the nested comment ends with the outer one: {code}");
        assert!(code.contains("let q") && code.contains("&'a str"), "{code}");
        assert!(!code.contains('y'), "{code}");
    }

    #[test]
    fn escaped_quote_does_not_end_a_literal() {
        let code = blank(r#"a("x\"y"); b('\''); c"#);
        assert!(!code.contains('y') && code.contains("b(") && code.ends_with("; c"), "{code}");
    }

    #[test]
    fn test_module_ends_at_its_brace() {
        let source = RustSource::new(
            "crates/x/src/a.rs",
            "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { c() }\n}\nfn d() {}\n",
        );
        assert_eq!(source.find("c").count(), 0);
        assert_eq!(source.find("d").count(), 1);
        assert_eq!(source.lines_without_tests(), 2);
    }

    #[test]
    fn declared_test_module_has_its_path() {
        let source = RustSource::new("crates/x/src/a.rs", "#[cfg(test)]\nmod stories;\n");
        assert_eq!(source.test_modules("crates/x/src/a.rs"), ["crates/x/src/a/stories"]);
        assert_eq!(source.test_modules("crates/x/src/lib.rs"), ["crates/x/src/stories"]);
    }

    #[test]
    fn words_are_found_whole() {
        assert_eq!(find_words("rand brand rand_core rand::x", "rand").count(), 2);
    }
}
