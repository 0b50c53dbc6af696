"""Rows of an intraday refresh, written into the night that serves.

The previous night is not changed: after a rollback to it, the next refresh writes all rows of its day. A night of the
same day or a later one is not changed either: it has superseded these rows.
"""

from dataclasses import replace

from pipeline.features.online.backend import Backend
from pipeline.features.online.load import encoded
from pipeline.features.online.night import Night
from pipeline.features.online.row_codec import from_text
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import scan
from pipeline.tables.intraday import USER_FEATURES_INTRADAY

WAIT_SECONDS = 600  # for a night that is being loaded


def patch_night(settings: Settings, backend: Backend, hour: str, patched: str) -> Night | None:
    """Writes rows of the hour's day into the night that serves; returns that night.

    Those of the hour alone where `patched` is its version, into which the refreshes before have written theirs; else
    all. None, and nothing is done, where no night serves or it is of that day or later. Raises OnlineError.
    """
    ds = hour[:10]
    with backend.writing(WAIT_SECONDS):
        nights = backend.nights()
        night = nights.current
        if night is None or night.ds >= ds:
            return None
        rows = scan(USER_FEATURES_INTRADAY.name, ds, settings)
        if night.version == patched:
            rows = rows.filter(f"hour = '{hour}'")
        backend.upsert(night.version, encoded(rows, from_text(night.schema)))
        night = replace(night, rows=backend.count(night.version), refreshed=hour)
        backend.point(replace(nights, current=night))
    return night
