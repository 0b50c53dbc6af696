"""The graph of the night: what it declares against what the jobs really do, and what follows from it."""

import ast
from pathlib import Path

import pytest

from pipeline.orchestration.diagram import BEGIN, END, mermaid
from pipeline.orchestration.graph import Part, Step, before, stages, through
from pipeline.orchestration.steps import DESCRIBE, NIGHT, STEPS, TRAINING_STEPS, names, step_named
from pipeline.tables import registry
from pipeline.tables.registry import TABLES
from pipeline.tables.schema import Table

PROJECT = Path(__file__).parents[4]
ARCHITECTURE = PROJECT / "docs" / "architecture.md"
PARTS = [part for step in STEPS for part in step.parts]
# Programs whose reading is all in their own file, so that it can be read off.
PLAIN = {
    "ingest",
    "clean",
    "sessionize",
    "catalogue",
    "accumulate",
    "encode",
    "reviews",
    "topics",
    "profile",
    "examples",
}
# Modules through which programs read or write a table.
FOR_SEVERAL = {"spark_jobs.engine.persons", "spark_jobs.landing.ledger"}


def test_every_table_is_written_by_one_step() -> None:
    written = [table for step in STEPS for table in step.writes]
    assert sorted(written) == sorted(TABLES)


def test_what_is_read_is_a_table() -> None:
    assert {table for part in PARTS for table in part.reads} <= set(TABLES)


def test_a_step_is_declared_after_the_writers_of_what_it_reads() -> None:
    place = {step.name: number for number, step in enumerate(NIGHT)}
    writer = {table: step.name for step in NIGHT for table in step.writes}
    for step in NIGHT:
        for table in step.reads:
            assert place[writer[table]] <= place[step.name], (step.name, table)
        assert all(place[name] < place[step.name] for name in step.after)


def test_a_part_that_reads_the_tables_of_its_own_step_comes_after_their_writer() -> None:
    for step in STEPS:
        place = {part.name: number for number, part in enumerate(step.parts)}
        writer = {table: part.name for part in step.parts for table in part.writes}
        for part in step.parts:
            assert all(place[writer[table]] <= place[part.name] for table in part.reads if table in writer)


@pytest.mark.parametrize("part", [part for part in PARTS if part.name in PLAIN], ids=lambda part: part.name)
def test_declared_tables_are_those_that_the_program_names(part: Part) -> None:
    named = tables_named_in(part.program)
    assert named == {*part.reads, *part.writes}


def test_a_step_of_several_parts_imports_their_programs() -> None:
    for step in STEPS:
        if len(step.parts) > 1:
            imported = imports_of(step.program)
            assert {module_of(part.program) for part in step.parts} <= imported, step.name


def test_programs_exist() -> None:
    assert all(file_of(one.program).exists() for one in (*STEPS, *PARTS))


def test_each_stage_needs_only_the_stages_before() -> None:
    for steps in (NIGHT, [step for step in NIGHT if not step.training]):
        seen: set[str] = set()
        for stage in stages(steps):
            assert all({one.name for one in before(step, steps)} <= seen for step in stage)
            seen |= {step.name for step in stage}
        assert seen == {step.name for step in steps}


def test_a_wait_that_follows_from_another_is_left_out() -> None:
    a, b, c = (
        Step(name, "x", ".", writes=(name,), reads=reads) for name, reads in (("a", ()), ("b", "a"), ("c", "ab"))
    )
    assert before(c, [a, b, c]) == (b,)


def test_a_wait_does_not_rely_on_a_training_step() -> None:
    """Most nights skip training: who waits for it alone would wait for nothing."""
    a = Step("a", "x", ".", writes=("a",))
    b = Step("b", "x", ".", writes=("b",), reads=("a",), training=True)
    c = Step("c", "x", ".", reads=("a", "b"))
    assert before(c, [a, b, c]) == (a, b)


def test_every_name_of_a_step_or_part_ends_a_run_there() -> None:
    assert names()[-1] == "report" and {"ingest", "encode", "land"} <= set(names())
    for name in names():
        last = through(NIGHT, name)[-1]
        assert name in (last.name, last.parts[-1].name)
        assert step_named(name).name == name
    cut = through(NIGHT, "encode")[-1]
    assert (cut.name, cut.until, cut.writes) == (DESCRIBE.name, "encode", ("item_embeddings",))
    with pytest.raises(KeyError):
        through(NIGHT, "nothing")


def test_training_steps_follow_each_other() -> None:
    assert [step.name for step in TRAINING_STEPS] == ["examples", "train", "evaluate", "promote"]


def test_the_diagram_has_a_box_for_every_step_and_an_arrow_for_every_wait() -> None:
    drawn = mermaid().splitlines()
    assert drawn[0] == "```mermaid" and drawn[-1] == "```"
    for step in NIGHT:
        assert sum(line.strip().startswith(f"{step.name}[") for line in drawn) == 1
        for one in before(step, NIGHT):
            assert f"    {one.name} --> {step.name}" in drawn


@pytest.mark.skipif(not ARCHITECTURE.exists(), reason="docs/architecture.md is not written yet")
def test_the_diagram_of_the_docs_is_the_graph() -> None:
    """`python -m pipeline.orchestration.diagram` prints what belongs there."""
    text = ARCHITECTURE.read_text()
    assert BEGIN in text and END in text
    assert text.split(BEGIN)[1].split(END)[0].strip() == mermaid()


def file_of(program: str) -> Path:
    return PROJECT / (program if program.endswith(".py") else program.replace(".", "/") + ".py")


def module_of(program: str) -> str:
    return program.removesuffix(".py").replace("/", ".")


def imports_of(program: str) -> set[str]:
    tree = ast.parse(file_of(program).read_text())
    return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}


def tables_named_in(program: str) -> set[str]:
    """The tables whose constants a program imports, or the modules that read and write some for several programs."""
    tables = {name: value.name for name, value in constants().items()}
    imports = [node for node in ast.walk(ast.parse(file_of(program).read_text())) if isinstance(node, ast.ImportFrom)]
    direct = [node for node in imports if (node.module or "").startswith("pipeline.tables.")]
    names = {alias.name for node in direct for alias in node.names}
    through = [node.module for node in imports if node.module in FOR_SEVERAL]
    found = {tables[name] for name in names if name in tables}
    return found.union(*(tables_named_in(f"{module.replace('.', '/')}.py") for module in through if module))


def constants() -> dict[str, Table]:
    from pipeline.tables import interests

    return {
        name: value
        for module in (registry, interests)
        for name, value in vars(module).items()
        if isinstance(value, Table)
    }
