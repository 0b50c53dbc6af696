"""Write the rows of a refresh into the night that serves online, and note what it took.

    python -m pipeline online patch --hour 2026-04-01T10 --run R

Reads `user_features_intraday` of the hour's day; writes its rows of the hour into the version of the store that serves,
all rows where the refresh before wrote into another version. Then writes the staged partition of `intraday_refreshes`:
once that is published, the files count as taken.
"""

from datetime import UTC, datetime

from pipeline.features.online import open_backend
from pipeline.features.online.patch import patch_night
from pipeline.intraday.hour import day_of, parse_hour
from pipeline.intraday.refreshes import scored_by, stage, step_seconds
from pipeline.intraday.taken import Row, check_own, finished, staged_row
from pipeline.runtime.settings import Settings
from pipeline.tables.intraday import USER_FEATURES_INTRADAY


def patch_hour(settings: Settings, asked: str, run: str) -> None:
    """Patches the hour that is asked for and prints what serves. Raises UsageError for no such hour."""
    hour = parse_hour(asked, settings.business_tz)
    row = patch(settings, hour, run)
    where = f"version {row['store_version']}" if row["store_version"] else "no night of before"
    print(f"online store: refresh {hour}, {row['users']} users, {where}")


def patch(settings: Settings, hour: str, run: str) -> Row:
    """Writes the rows, then stages what the refresh says for itself; returns that.

    Raises FencedError when a newer refresh has published its rows since.
    """
    ds = day_of(hour)
    check_own(settings, USER_FEATURES_INTRADAY, ds, run)
    before = finished(settings, ds, run)
    patched = str(before[-1]["store_version"]) if before else ""
    night = patch_night(settings, open_backend(settings), hour, patched)
    row = {
        **staged_row(settings, run),
        "readable_at": datetime.now(UTC),
        "model_version": scored_by(settings, run),
        "store_version": night.version if night else None,
    }
    row["seconds"] = step_seconds(settings, row)
    stage(settings, row, before)
    return row
