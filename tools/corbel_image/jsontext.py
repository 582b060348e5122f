# SPDX-License-Identifier: BSD-2-Clause
"""A strict JSON reader that keeps keys given twice; says what services/init/jsontext.c says."""

import re

DEPTH_MAX = 16
VALUES_MAX = 65536
NUMBER_MAX = 32

NUMBER = re.compile(rb"-?(?:0(?![0-9])|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
PLAIN = re.compile(rb'[^"\\\x00-\x1f\x80-\xff]+')
SPACE = re.compile(rb"[ \t\n\r]*")
ESCAPE = re.compile(rb"\\u([0-9a-fA-F]{4})")
SIMPLE_ESCAPES = dict(zip((b'"', b"\\", b"/", b"b", b"f", b"n", b"r", b"t"), '"\\/\b\f\n\r\t'))
WORDS = ((b"true", True), (b"false", False), (b"null", None))


class Object:
    """A JSON object: its (key, value) pairs as they stand in the text."""

    def __init__(self):
        self.pairs = []

    def get(self, name):
        """The first value of that key, or ABSENT."""
        for key, value in self.pairs:
            if key == name:
                return value
        return ABSENT


class Absent:
    """What Object.get returns for a key that is not there, since null is a value."""


ABSENT = Absent()


class Fault(Exception):
    """The text is not JSON, or more than we read: a sentence, and the offset in the text."""

    def __init__(self, sentence, at):
        super().__init__(sentence)
        self.sentence = sentence
        self.at = at


class Scan:
    """One reading of one text, given as bytes."""

    def __init__(self, text):
        self.text = text
        self.at = 0
        self.depth = 0
        self.value_count = 0

    def fault(self, sentence):
        raise Fault(sentence, self.at)

    def take(self, byte):
        if self.text[self.at : self.at + 1] != byte:
            return False
        self.at += 1
        return True

    def skip_space(self):
        self.at = SPACE.match(self.text, self.at).end()

    def utf8_character(self):
        for length in (2, 3, 4):
            try:
                character = self.text[self.at : self.at + length].decode("utf-8")
            except UnicodeDecodeError:
                continue
            if len(character) == 1:
                self.at += length
                return character
        return self.fault("not UTF-8; the file must be UTF-8 text")

    def escape(self):
        match = ESCAPE.match(self.text, self.at)
        if not match:
            simple = SIMPLE_ESCAPES.get(self.text[self.at + 1 : self.at + 2])
            if simple is None:
                self.fault(
                    "unknown escape in a string; "
                    '\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX are known'
                )
            self.at += 2
            return simple
        code = int(match[1], 16)
        if code == 0:
            self.fault("NUL in a string; leave it out")
        if 0xD800 <= code <= 0xDFFF:
            second = ESCAPE.match(self.text, self.at + 6)
            low = int(second[1], 16) if second else 0
            if code > 0xDBFF or not 0xDC00 <= low <= 0xDFFF:
                self.fault(
                    "half of a surrogate pair in a string; "
                    "write both halves, or the character itself"
                )
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            self.at += 6
        self.at += 6
        return chr(code)

    def string(self):
        self.at += 1
        parts = []
        while self.at < len(self.text) and self.text[self.at] != ord('"'):
            plain = PLAIN.match(self.text, self.at)
            if plain:
                parts.append(plain[0].decode("ascii"))
                self.at = plain.end()
            elif self.text[self.at] == ord("\\"):
                parts.append(self.escape())
            elif self.text[self.at] < 0x20:
                self.fault("control character in a string; write it as an escape such as \\n")
            else:
                parts.append(self.utf8_character())
        if not self.take(b'"'):
            self.fault("the string does not end; a closing quote belongs here")
        return "".join(parts)

    def number(self):
        match = NUMBER.match(self.text, self.at)
        if not match or self.is_cut_short(match):
            self.fault("malformed number; whole digits such as 10 belong here")
        if len(match[0]) > NUMBER_MAX:
            self.fault("a number of more than 32 characters; write it shorter")
        self.at = match.end()
        return float(match[0])

    def is_cut_short(self, match):
        """Whether a fraction or an exponent begins where the match of NUMBER had to end."""
        follows = self.text[match.end() : match.end() + 1]
        if b"e" in match[0] or b"E" in match[0]:
            return False
        return follows in ((b"e", b"E") if b"." in match[0] else (b".", b"e", b"E"))

    def word(self):
        for word, value in WORDS:
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        return self.fault(
            "not a value; a string, number, object, array, true, false or null belongs here"
        )

    def member(self):
        self.skip_space()
        if self.text[self.at : self.at + 1] != b'"':
            self.fault("not a key; a string in quotes belongs here")
        key = self.string()
        self.skip_space()
        if not self.take(b":"):
            self.fault('no colon after a key; ":" belongs here')
        return (key, self.value())

    def container(self):
        if self.depth == DEPTH_MAX:
            self.fault("nested too deep; at most 16 objects and arrays may lie in one another")
        self.depth += 1
        is_object = self.take(b"{")
        if not is_object:
            self.at += 1
        end = b"}" if is_object else b"]"
        result = Object() if is_object else []
        self.skip_space()
        if not self.take(end):
            while True:
                if is_object:
                    result.pairs.append(self.member())
                else:
                    result.append(self.value())
                self.skip_space()
                if not self.take(b","):
                    break
            if not self.take(end):
                if is_object:
                    self.fault('the object does not go on; "," or "}" belongs here')
                self.fault('the array does not go on; "," or "]" belongs here')
        self.depth -= 1
        return result

    def value(self):
        self.skip_space()
        if self.value_count == VALUES_MAX:
            self.fault("too many values; a file may hold 65536")
        self.value_count += 1
        first = self.text[self.at : self.at + 1]
        if first in (b"{", b"["):
            return self.container()
        if first == b'"':
            return self.string()
        if first and first in b"-0123456789":
            return self.number()
        return self.word()


def parse(text):
    """Returns the value of text (bytes): Object, list, str, float, bool or None. Raises Fault."""
    scan = Scan(text)
    if text.startswith(b"\xef\xbb\xbf"):
        scan.fault("a byte order mark; save the file as UTF-8 without one")
    value = scan.value()
    scan.skip_space()
    if scan.at != len(text):
        scan.fault("more text after the end; only white space may follow")
    return value
