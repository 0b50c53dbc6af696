r"""The names of persons in texts and bytes, as they are and in every way of writing them that files use.

A pseudonym is a name wherever it stands. Any other id is one as a whole word: `u-4711` is not in `u-47110`, and in
`u-4711-2` or `x.u-4711` it is in doubt, because that may be somebody else's id. Letters of e-mail addresses match in
either case. `@` may be written `\u0040`, `\x40`, `%40`, `&#64;`, `&commat;` or `=40`, and so may every other sign.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from html.entities import html5

from pipeline.tables.registry import USER

WORD = "0-9A-Za-z_"
JOINING = "-.+@"  # signs that make one id of two words
ENCODINGS = ("utf-8", "latin-1", "cp1252", "gb18030", "shift_jis", "euc_jp", "euc_kr", "big5", "cp1251", "koi8_r")
LONGEST_SIGN = 16  # bytes of an escaped sign: `\\\\u0040` has nine
SHORTEST_MASK = 3
BOUND = 16  # letters of a text that Iceberg keeps as the bound of a file

NO_WORD = "(?:[01][0-9A-Fa-f]|2[0-9A-Fa-f]|3[A-Fa-f]|40|5[B-Eb-e]|60|7[B-Fb-f])"  # hex of signs that are in no word
AFTER = f"(?:(?<![{WORD}])|(?<=%{NO_WORD})|(?<=\\\\u00{NO_WORD})|(?<=\\\\x{NO_WORD})|(?<=\\\\[nrtbf]))"
NOT_JOINED = f"(?<![{WORD}][{JOINING}])"
BEFORE = f"(?![{WORD}])"
NOT_JOINING = f"(?![{JOINING}][{WORD}])"
NOTHING = "(?!)"


class Names:
    """The words to look for. `certain` are masked where others wrote them; `doubtful` ones are only pointed at."""

    def __init__(self, certain: Iterable[str], doubtful: Iterable[str] = ()) -> None:
        # Pseudonyms last: how long a mask is does not depend on the key.
        order = {token: (re.match(USER, token) is not None, len(token), token) for token in certain}
        self.tokens = tuple(sorted(order, key=order.__getitem__))
        self.doubtful = tuple(sorted(set(doubtful)))
        users = [re.match(USER, token) is not None for token in self.tokens]
        whole = [
            f"({_anyhow(token)})" if user else f"{AFTER}{NOT_JOINED}({_anyhow(token)}){BEFORE}{NOT_JOINING}"
            for token, user in zip(self.tokens, users, strict=True)
        ]
        others = [token for token, user in zip(self.tokens, users, strict=True) if not user]
        joined = [f"{AFTER}{_anyhow(token)}{BEFORE}" for token in (*others, *self.doubtful)]
        self._certain = re.compile("|".join(whole) or NOTHING)
        self._doubtful = re.compile("|".join(joined) or NOTHING)
        self._near = re.compile("|".join(map(_anyhow, (*self.tokens, *self.doubtful))) or NOTHING)
        self._anywhere = re.compile("|".join(map(_anyhow, self.tokens)) or NOTHING)
        words = [*self.tokens, *self.doubtful]
        self._plain = sorted({form for word in words if not is_address(word) for form in _encoded(word)})
        addresses = [form for word in words if is_address(word) for form in (word.lower(), word.upper())]
        self._addresses = sorted({form.lower() for word in addresses for form in _encoded(word)})
        self._escaped = _any_escape({letter for word in words for letter in word})
        self._bounds = re.compile("|".join(_bound(token) for token in self.tokens if len(token) > BOUND) or NOTHING)
        self.longest = LONGEST_SIGN * (max(map(len, words), default=0) + 2)  # bytes of a name and the signs around it

    def maybe(self, text: str | bytes) -> bool:
        """Whether a name may be in the text, if only as a part of a word. Quick, since most texts hold none."""
        return any(True for _ in self._matches(self._near, text))

    def spans(self, text: str | bytes) -> list[tuple[int, int]]:
        """Where a certain name is in a text."""
        return [match.span() for match in self._matches(self._certain, text)]

    def named(self, text: str | bytes, start: int = 0, end: int | None = None) -> bool:
        """Whether a certain name is in a text, between two places of it: what is around them tells where words end."""
        return self._is_found(self._certain, text, start, end)

    def in_doubt(self, text: str | bytes, start: int = 0, end: int | None = None) -> bool:
        """Whether something is in a text that may be a name or not."""
        return self._is_found(self._doubtful, text, start, end)

    def anywhere(self, text: str | bytes, start: int = 0, end: int | None = None) -> bool:
        """Whether the letters of a certain name are in a text, also within longer words."""
        return self._is_found(self._anywhere, text, start, end)

    def bounded(self, text: str | bytes) -> bool:
        """Whether the first letters of a name are in it that Iceberg keeps as the bound of a file."""
        return self._bounds.search(_text(text)) is not None

    @property
    def numbers(self) -> list[int]:
        """Names that may also be in columns of numbers."""
        return [int(word) for word in self.doubtful if word.isascii() and word.isdigit() and int(word) < 1 << 63]

    def _is_found(self, pattern: re.Pattern[str], text: str | bytes, start: int, end: int | None) -> bool:
        last = len(text) if end is None else end
        return any(match.start() >= start and match.end() <= last for match in self._matches(pattern, text))

    def _matches(self, pattern: re.Pattern[str], text: str | bytes) -> Iterator[re.Match[str]]:
        """Matches around the places at which there may be one: the pattern alone reads half a megabyte a second."""
        text = _text(text)
        start = end = 0
        for place in sorted(self._places(text)):
            if place - self.longest > end:
                yield from pattern.finditer(text, start, end)
                start = place - self.longest
            end = place + self.longest
        yield from pattern.finditer(text, max(start, 0), end)

    def _places(self, text: str) -> Iterator[int]:
        """Where a name stands as it is, or a sign of one is written in another way."""
        for word in self._plain:
            yield from _finds(text, word)
        if self._addresses:
            folded = text.lower()
            for word in self._addresses:
                # Letters that get longer in lower case move the places: then the whole text is one.
                yield from _finds(folded, word) if len(folded) == len(text) else range(0, len(text), self.longest)
        for match in self._escaped.finditer(text):
            yield match.start()

    def masked(self, text: str, sign: str = "*") -> str:
        """The text with asterisks for each certain name: as many for one name, however it is written there."""
        kept, start = [], 0
        for match in self._matches(self._certain, text):
            kept += [text[start : match.start()], sign * (SHORTEST_MASK + (match.lastindex or 1) - 1)]
            start = match.end()
        return "".join([*kept, text[start:]])

    def masked_bytes(self, line: bytes, encoding: str = "utf-8", sign: str = "*") -> bytes:
        """The same in a line of an encoding; where it is not quite of that encoding, in its bytes."""
        if encoding != "utf-8":
            with suppress(UnicodeError):
                text = line.decode(encoding)
                if text.encode(encoding) == line:
                    return self.masked(text, sign).encode(encoding)
        return self.masked(line.decode("latin-1"), sign).encode("latin-1") if self.maybe(line) else line


def is_address(word: str) -> bool:
    """Whether a word looks like an e-mail address, whose letters mean the same in either case."""
    before, at, after = word.partition("@")
    return bool(before and at and after)


def _text(text: str | bytes) -> str:
    """Bytes as one sign each, so that one pattern does for both."""
    return text if isinstance(text, str) else bytes(text).decode("latin-1")


def _finds(text: str, word: str) -> Iterator[int]:
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)


def _encoded(word: str) -> set[str]:
    """The word as it is, and its bytes in encodings, one sign each."""
    found = {word}
    for encoding in () if word.isascii() else ENCODINGS:
        with suppress(UnicodeEncodeError):
            found.add(word.encode(encoding).decode("latin-1"))
    return found


def _any_escape(letters: set[str]) -> re.Pattern[str]:
    """A pattern that any escaped form of the letters begins with; it starts with a sign, so that it is quick."""
    either = {form for it in letters for form in (it, it.lower(), it.upper()) if len(form) == 1}
    codes = {f"{ord(it):x}" for it in either}
    octets = {f"{octet:02x}" for it in either for octet in it.encode()} | {code for code in codes if len(code) == 2}
    wide = {it.encode("utf-16-be").hex()[:4] for it in either}
    names = {name for it in either for name in _entities().get(it, ())}
    signs = "".join(re.escape(it) for it in sorted(either) if it.isascii() and not it.isalnum())
    forms = [
        rf"\\{{0,3}}(?:u(?:{_one_of(wide)})|U0*(?:{_one_of(codes)})|x(?:{_one_of(octets)})"
        + (f"|[{signs}])" if signs else ")"),
        f"(?:25)*(?:{_one_of(octets)})",
        f"(?:amp;)*(?:#0*(?:{'|'.join(sorted(str(ord(it)) for it in either))})|#[xX]0*(?:{_one_of(codes)})"
        + (f"|{'|'.join(sorted(names))})" if names else ")"),
    ]
    doubled = '"' if '"' in letters else ""
    return re.compile(rf"[\\%&={doubled}](?:{'|'.join(forms)})") if letters else re.compile(NOTHING)


def _one_of(digits: set[str]) -> str:
    return "|".join(_hex(it) for it in sorted(digits))


def _anyhow(word: str) -> str:
    """A pattern of the word in every way of writing each of its signs."""
    fold = is_address(word)
    return "".join(_sign(letter, fold) for letter in word)


@cache
def _sign(letter: str, fold: bool) -> str:
    letters = {letter, letter.lower(), letter.upper()} if fold else {letter}
    forms = [form for it in sorted(letters) if len(it) == 1 for form in (*_plain_forms(it), *_escapes(it))]
    return f"(?:{'|'.join(dict.fromkeys(forms))})"


def _plain_forms(letter: str) -> list[str]:
    if letter.isascii():
        quoted = re.escape(letter)
        if letter == '"':
            return [r'(?:\\{0,4}"){1,2}']
        return [quoted] if letter.isalnum() or letter == "_" else [rf"\\{{0,4}}{quoted}"]
    found = [re.escape(letter)]
    for encoding in ENCODINGS:
        try:
            found.append(re.escape(letter.encode(encoding).decode("latin-1")))
        except UnicodeEncodeError:
            continue
    return found


@cache
def _escapes(letter: str) -> tuple[str, ...]:
    """How JSON, programs, addresses, HTML and mail write a sign that they do not write as it is."""
    code = ord(letter)
    wide = letter.encode("utf-16-be").hex()
    found = [
        "".join(rf"\\{{1,4}}u{_hex(wide[at : at + 4])}" for at in range(0, len(wide), 4)),
        rf"\\{{1,4}}U{_hex(f'{code:08x}')}",
        rf"&(?:amp;)*#0*{code};?",
        rf"&(?:amp;)*#[xX]0*{_hex(f'{code:x}')};?",
        *(rf"&(?:amp;)*{name}" for name in _entities().get(letter, ())),
    ]
    for encoding in ("utf-8",) if letter.isascii() else ("utf-8", "latin-1"):
        try:
            octets = [f"{octet:02x}" for octet in letter.encode(encoding)]
        except UnicodeEncodeError:
            continue
        found += ["".join(rf"{mark}{_hex(it)}" for it in octets) for mark in ("%(?:25)*", "=", r"\\{1,4}x")]
    return tuple(found)


@cache
def _entities() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, text in html5.items():
        if name.endswith(";"):
            found.setdefault(text, []).append(name)
    return found


def _hex(digits: str) -> str:
    return "".join(f"[{it.lower()}{it.upper()}]" if it.isalpha() else it for it in digits)


def _bound(token: str) -> str:
    """The least or the greatest value of a file, cut: of the greatest the last letter is the next one."""
    start, last = token[: BOUND - 1], token[BOUND - 1]
    return f"{re.escape(start)}[{re.escape(last)}{re.escape(chr(ord(last) + 1))}]"
