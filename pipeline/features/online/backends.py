"""Which kind of store a URI names. The libraries of the others are not imported."""

from pathlib import Path

from pipeline.features.online.backend import Backend
from pipeline.runtime.errors import SettingsError
from pipeline.runtime.settings import Settings

SQLITE = "sqlite:///"


def open_backend(settings: Settings) -> Backend:
    """The backend of `TIDEMARK_ONLINE_URI`. Raises SettingsError for a URI of another kind."""
    uri = settings.online_uri or f"{SQLITE}{settings.home}/online/features.db"
    if uri.startswith(SQLITE):
        from pipeline.features.online.sqlite_backend import SqliteBackend

        return SqliteBackend(Path(uri.removeprefix(SQLITE)))
    if uri.startswith(("redis://", "rediss://", "unix://")):
        from pipeline.features.online.redis_backend import RedisBackend

        return RedisBackend(uri)
    if uri.startswith("postgresql://"):
        from pipeline.features.online.postgres_backend import PostgresBackend

        return PostgresBackend(uri)
    raise SettingsError(
        f"TIDEMARK_ONLINE_URI: expected sqlite:///FILE, redis://… or postgresql://…, found "
        f"{uri.partition(':')[0]}:…; correct it"
    )
