"""Calendar days in the time zones of platforms."""

import polars as pl

from pipeline.runtime.errors import SourceError


def local_day(instant: pl.Expr, zones: dict[str, str]) -> pl.Expr:
    """The calendar day of an instant in the zone of the row's `platform`."""
    days = [
        pl.when(pl.col("platform") == platform).then(instant.dt.convert_time_zone(zone).dt.date())
        for platform, zone in zones.items()
    ]
    return pl.coalesce(days)


def require_zones(events: pl.DataFrame, zones: dict[str, str]) -> None:
    """Raises SourceError for a platform without a zone: its events would belong to no day."""
    unknown = sorted(set(events["platform"].unique()) - set(zones))
    if unknown:
        raise SourceError(
            f"events: expected platforms with a source ({', '.join(zones)}), found "
            f"{', '.join(unknown)}; their source file gives the time zone, bring it back"
        )
