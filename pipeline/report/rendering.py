"""The templates of the report, with everything that they may call. Escapes whatever they print."""

from functools import cache

from jinja2 import Environment, Template

from pipeline.report import charts, maps, words
from pipeline.runtime import pages

FILTERS = (
    words.thousands,
    words.people,
    words.percent,
    words.points,
    words.long_day,
    words.short_day,
    words.duration,
    words.shortened,
    words.sentence,
)
DRAWINGS = (
    charts.sparkline,
    charts.stacks,
    charts.histogram,
    charts.outline,
    charts.ticks,
    charts.marks,
    maps.heat_map,
    maps.streams,
    words.Change,
    words.share,
    words.counted,
    words.tellable,
)


def template(name: str) -> Template:
    """A template of `pipeline/report/templates/`."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = pages.environment("pipeline.report")
    environment.filters |= {function.__name__: function for function in FILTERS}
    environment.globals |= {drawing.__name__: drawing for drawing in DRAWINGS}
    return environment
