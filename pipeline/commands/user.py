"""`python -m pipeline user ID [--ds D]`: what the newest feature table says about one user.

ID is a `user_id`, or `<platform>:<raw id>` as a platform knows the user.
"""

import argparse
import re

import polars as pl

from pipeline.errors import NotPublishedError
from pipeline.reading import published, scan
from pipeline.settings import Settings
from pipeline.tables import USER
from pipeline.user_key import load_user_key, pseudonym

SHOWN_ITEMS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="user_id, or <platform>:<raw id>")
    parser.add_argument("--ds", help="day; the newest published one when left out")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    days = published("user_features", settings)
    if not days:
        raise NotPublishedError("user_features: nothing has been published yet; run a night first")
    ds = arguments.ds or max(days)
    user = _user_id(arguments.id, settings)
    rows = scan("user_features", ds, settings).filter(f"user_id = '{user}'").to_arrow().to_pylist()
    if not rows:
        raise NotPublishedError(
            f"user_features ds={ds}: no row of user {user}; expected one user active in the last "
            f"{settings.active_days} days"
        )
    _print_user(rows[0], _titles(settings, ds))
    return 0


def _user_id(text: str, settings: Settings) -> str:
    return text if re.match(USER, text) else pseudonym(load_user_key(settings.home), text)


def _titles(settings: Settings, ds: str) -> dict[str, str]:
    if ds not in published("items", settings):
        return {}
    items = pl.from_arrow(scan("items", ds, settings).select("item_id", "title").to_arrow())
    return dict(items.iter_rows())  # type: ignore[union-attr]


def _print_user(row: dict, titles: dict[str, str]) -> None:
    for name, value in row.items():
        if name == "embedding":
            print(f"{name:18} {len(value)} numbers")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            print(f"{name:18} best {SHOWN_ITEMS} of {len(value)}")
            for item in value[:SHOWN_ITEMS]:
                print(f"  {item['score']:9.4f}  {item['item_id']}  {titles.get(item['item_id'])}")
        else:
            print(f"{name:18} {value:.4f}" if isinstance(value, float) else f"{name:18} {value}")
