"""Import what an audit uses, for programs that run many."""

from pipeline.storage.audit.lean_import import lean

with lean():
    from pipeline.storage.audit import suite  # noqa: F401
