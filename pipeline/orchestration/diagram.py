"""Draw the graph of the night for the docs.

    python -m pipeline.orchestration.diagram

Prints a Mermaid flowchart. docs/architecture.md holds it between the lines BEGIN and END; a test
compares the two.
"""

from collections.abc import Iterator

from pipeline.orchestration.graph import Step, before
from pipeline.orchestration.steps import DECISION_STEPS, NIGHT, SCORE, TRAINING_STEPS

BEGIN = "<!-- night: begin (python -m pipeline.orchestration.diagram) -->"
END = "<!-- night: end -->"


def mermaid() -> str:
    """The flowchart: a box per step with the tables that it writes, an arrow for each wait."""
    return "\n".join(["```mermaid", "flowchart LR", *(f"    {line}" for line in _lines()), "```"])


def _lines() -> Iterator[str]:
    yield from (_box(step) for step in NIGHT if not step.training)
    yield 'subgraph first_champion["only while no model is champion"]'
    yield from (f"    {_box(step)}" for step in TRAINING_STEPS)
    yield "end"
    for step in NIGHT:
        yield from (f"{one.name} --> {step.name}" for one in before(step, NIGHT))
    yield 'subgraph decisions["triggered by user_features"]'
    yield from (f"    {_box(step)}" for step in DECISION_STEPS)
    yield "end"
    yield f"{SCORE.name} -.-> decisions"


def _box(step: Step) -> str:
    parts = " · ".join(part.name for part in step.parts) if len(step.parts) > 1 else ""
    lines = [f"<b>{step.name}</b>", *([f"<i>{parts}</i>"] if parts else []), *step.writes]
    return f'{step.name}["{"<br/>".join(lines)}"]'


def main() -> None:
    print(BEGIN, mermaid(), END, sep="\n")


if __name__ == "__main__":
    main()
