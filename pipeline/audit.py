"""Audit what a run has staged, before anybody can read it.

    python -m pipeline.audit --table events --run R
    python -m pipeline.audit --table events --table quarantine --table accounting --run R

Reads exactly the staged files. When all holds, it writes the receipt that publishing asks for;
otherwise it ends with the expectation, what was found, and the Data Docs page.
"""

from pipeline import ending, staged_run
from pipeline.auditing.audit_table import audit
from pipeline.settings import load_settings


def main() -> None:
    tables, run = staged_run.parse(__doc__)
    settings = load_settings()
    for table in tables:
        receipt = audit(settings, table, run)
        rows = sum(int(str(day["rows"])) for day in receipt.days.values())
        print(f"{table.name}: {len(receipt.days)} days, {rows} rows pass, {receipt.seconds:.1f} s")


if __name__ == "__main__":
    ending.run(main)
