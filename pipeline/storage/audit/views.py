"""The pages of Great Expectations, their templates compiled once a process.

It makes every view an environment of its own, and each compiles what it renders with: most of the time of a page.
"""

from typing import Any

from great_expectations.render.view import DefaultJinjaIndexPageView, DefaultJinjaPageView
from jinja2.bccache import Bucket, BytecodeCache


class Compiled(BytecodeCache):
    """Bytecode of templates by the name and content that Jinja gives them, kept in memory."""

    def __init__(self) -> None:
        self._found: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._found:
            bucket.bytecode_from_string(self._found[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._found[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


class PageView(DefaultJinjaPageView):
    """A page of a suite or a result."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.env.bytecode_cache = COMPILED


class IndexView(DefaultJinjaIndexPageView):
    """The index of the site."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.env.bytecode_cache = COMPILED
