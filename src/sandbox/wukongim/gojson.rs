//! What Go's `encoding/json` says of a document that is none.

/// The message for `body`, which is known to be broken.
pub(crate) fn syntax_error(body: &[u8]) -> String {
    let mut scan = Scan { body, at: 0 };
    let end = "unexpected end of JSON input".to_owned();
    match scan.value("looking for beginning of value", 0) {
        Err(Some(message)) => message,
        Err(None) => end,
        Ok(()) => {
            scan.space();
            match scan.peek() {
                Some(_) => scan.invalid("after top-level value").unwrap_or(end),
                None => end,
            }
        }
    }
}

struct Scan<'a> {
    body: &'a [u8],
    at: usize,
}

/// `Err(None)` is the end of the input.
type Step = Result<(), Option<String>>;

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn invalid(&self, context: &str) -> Option<String> {
        let c = self.peek()?;
        let shown = match c {
            b'\'' => "\\'".to_owned(),
            b'"' => "\"".to_owned(),
            b'\n' => "\\n".to_owned(),
            b'\t' => "\\t".to_owned(),
            b'\r' => "\\r".to_owned(),
            0x20..=0x7e => char::from(c).to_string(),
            0..=0x1f | 0x7f => format!("\\x{c:02x}"),
            _ => char::from(c).to_string(),
        };
        Some(format!("invalid character '{shown}' {context}"))
    }

    fn fail(&self, context: &str) -> Step {
        Err(self.invalid(context))
    }

    fn value(&mut self, context: &str, depth: usize) -> Step {
        self.space();
        if depth > 100 {
            return Err(Some("exceeded max depth".to_owned()));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fail(context),
        }
    }

    fn object(&mut self, depth: usize) -> Step {
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.fail("looking for beginning of object key string");
            }
            self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return self.fail("after object key");
            }
            self.at += 1;
            self.value("looking for beginning of value", depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("after object key:value pair"),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Step {
        self.at += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value("looking for beginning of value", depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("after array element"),
            }
        }
    }

    fn string(&mut self) -> Step {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u') => self.at += 1,
                        _ => return self.fail("in string escape code"),
                    }
                }
                Some(0..=0x1f) | None => return self.fail("in string literal"),
                Some(_) => self.at += 1,
            }
        }
    }

    fn word(&mut self, word: &str) -> Step {
        for (n, b) in word.bytes().enumerate() {
            if self.peek() != Some(b) {
                let want = char::from(b);
                return self.fail(&format!("in literal {word} (expecting '{want}')"));
            }
            self.at += usize::from(n < word.len());
        }
        Ok(())
    }

    fn number(&mut self) -> Step {
        if self.peek() == Some(b'-') {
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.fail("in numeric literal");
            }
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.fail("after decimal point in numeric literal");
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.fail("in exponent of numeric literal");
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::syntax_error;

    #[test]
    fn broken_documents_are_named_in_the_words_of_go() {
        for (body, said) in [
            ("{bad", "invalid character 'b' looking for beginning of object key string"),
            ("", "unexpected end of JSON input"),
            ("{\"a\":", "unexpected end of JSON input"),
            ("nul", "unexpected end of JSON input"),
            ("nope", "invalid character 'o' in literal null (expecting 'u')"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("<html>", "invalid character '<' looking for beginning of value"),
        ] {
            assert_eq!(syntax_error(body.as_bytes()), said, "of {body:?}");
        }
    }
}
