"""Audit what a run has staged, before anybody can read it.

    python -m pipeline.audit --table events --run R
    python -m pipeline.audit --table events --table quarantine --table accounting --run R

Reads exactly the staged files. When all holds, it writes the receipt that publishing asks for;
otherwise it ends with the expectation, what was found, and the Data Docs page.
"""

import argparse

from pipeline import ending
from pipeline.auditing.audit_table import audit
from pipeline.settings import load_settings
from pipeline.tables import table_named


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", action="append", required=True, help="may be repeated")
    parser.add_argument("--run", required=True)
    arguments = parser.parse_args()
    settings = load_settings()
    for table in [table_named(name) for name in arguments.table]:
        receipt = audit(settings, table, arguments.run)
        rows = sum(int(str(day["rows"])) for day in receipt.days.values())
        print(f"{table.name}: {len(receipt.days)} days, {rows} rows pass, {receipt.seconds:.1f} s")


if __name__ == "__main__":
    ending.run(main)
