"""Audit what a run has staged, before anybody can read it.

    python -m pipeline.storage.audit.command --table events --run R
    python -m pipeline.storage.audit.command --table events --table quarantine --table accounting --run R

Reads exactly the staged files. When all holds, it writes the receipt that publishing asks for;
otherwise it ends with the expectation, what was found, and the Data Docs page.
"""

from pipeline.runtime import program
from pipeline.runtime.settings import load_settings
from pipeline.storage.audit import arguments
from pipeline.storage.audit.audit_table import audit


def main() -> None:
    tables, run = arguments.parse(__doc__)
    settings = load_settings()
    for table in tables:
        receipt = audit(settings, table, run)
        rows = sum(int(str(day["rows"])) for day in receipt.days.values())
        print(f"{table.name}: {len(receipt.days)} days, {rows} rows pass, {receipt.seconds:.1f} s")


if __name__ == "__main__":
    program.run(main)
