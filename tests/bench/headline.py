"""The headline: short variants of some benches, and the page that keeps their figures.

Every figure comes with the ceiling of the machine that is nearest to what it measures, from the same run. Figures are
CPU seconds where they can be: they change less than seconds when the machine has other work.
"""

import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from tests.bench.bench_ceilings import Ceiling, measure
from tests.bench.processes import PROJECT, again

PAGE = PROJECT / "docs" / "reference" / "performance.md"
CPU = r"[\d.]+ s\s+([\d.]+) s of CPU"


@dataclass(frozen=True)
class Figure:
    """`pattern` finds the number in what the bench prints; `ceiling` is the nearest one's name."""

    what: str
    pattern: str
    unit: str
    ceiling: str


@dataclass(frozen=True)
class Short:
    """A bench with arguments that make it short, its figures, and the command of the whole."""

    command: str
    whole: str
    figures: tuple[Figure, ...]


START, MEMORY, DISK, PRODUCT = "process start", "memory bandwidth", "disk write", "matrix product fp32"
HEADLINE = (
    Short(
        "starts --times 1",
        "starts",
        (
            Figure("Scoring starts and ends, without work", r"training\.score\s+([\d.]+) s", "CPU s", START),
            Figure("A release starts and ends, without work", r"^release\s+([\d.]+) s", "CPU s", START),
        ),
    ),
    Short(
        "sample 100000",
        "sample 100000 1000000 10000000",
        (Figure("Generate a sample of 100,000 rows", r"([\d,]+) rows/s", "rows/s", DISK),),
    ),
    Short(
        "path --rows 200000 --shape gzip",
        "path --rows 1000000 5000000",
        (
            Figure("Land 200,000 rows of one day: ingest and clean", rf"land\s+{CPU}", "CPU s", DISK),
            Figure("Audit and publish them", rf"release\s+{CPU}", "CPU s", MEMORY),
            Figure("Sessions, catalogue and histories of them", rf"derive\s+{CPU}", "CPU s", MEMORY),
            Figure("Both jobs, beside a Polars or DuckDB script", r"([\d.]+) times the", "times", START),
        ),
    ),
    Short(
        "sessions --events 300000 --rounds 1",
        "sessions --events 3000000",
        (Figure("Sessions of 300,000 events", r"kernel\s+\d+ sessions\s+([\d.]+) s", "s", MEMORY),),
    ),
    Short(
        "profile --users 10000 --items 20000 --events 50",
        "profile --users 100000 1000000 --events 100 --items 1000000",
        (Figure("Interests and signals of 10,000 users, 50 events each", r"(\d+) s CPU", "CPU s", MEMORY),),
    ),
    Short(
        "topics --items 10000",
        "topics --items 100000 1000000",
        (Figure("Topics of 10,000 items, first night", rf"10000 items:\s+{CPU}", "CPU s", PRODUCT),),
    ),
    Short(
        "audit 500000",
        "audit 5000000",
        (Figure("Audit and publish 500,000 rows of events", rf"whole release\s+{CPU}", "CPU s", MEMORY),),
    ),
    Short(
        "as_of --users 20000 --labels 20000",
        "as_of",
        (Figure("All features of 20,000 labels, as of their time", r"all columns\s+([\d.]+) CPU s", "CPU s", MEMORY),),
    ),
    Short(
        "online --kinds sqlite --rows 20000 --reads 500",
        "online",
        (
            Figure("Load users into the online store (SQLite)", r"\(([\d,]+)/s;", "users/s", DISK),
            Figure("Read one user from it, median", r"reads of 1: p50 ([\d.]+) ms", "ms", MEMORY),
        ),
    ),
    Short(
        "report 50000",
        "report 100000 1000000",
        (Figure("Draw the report of 50,000 users", r'"cpu_seconds": ([\d.]+)', "CPU s", MEMORY),),
    ),
    Short(
        "policy 50000",
        "policy",
        (Figure("An ad policy of 50,000 users and 50 arms", rf"job\s+{CPU}", "CPU s", MEMORY),),
    ),
    Short(
        "interventions_cost 50000",
        "interventions_cost",
        (Figure("Interventions of 50,000 users", rf"job\s+{CPU}", "CPU s", MEMORY),),
    ),
    Short(
        "ope 1000000",
        "ope",
        (
            Figure("Judge a policy on 1,000,000 impressions", r"evaluate\b.* ([\d.]+) s of CPU", "CPU s", MEMORY),
            Figure("Compare two policies on them", r"compare\b.* ([\d.]+) s of CPU", "CPU s", MEMORY),
        ),
    ),
    Short(
        "uplift cost 20000",
        "uplift cost 1000000",
        (Figure("Judge uplift among 20,000 users", r"judged (\d+) CPU s", "CPU s", PRODUCT),),
    ),
    Short(
        "experiments 200",
        "experiments 2000",
        (Figure("Experiments that find the planned gain (80% promised)", r"asked for 80%\): ([\d.]+)%", "%", "–"),),
    ),
)


def main() -> None:
    began = time.monotonic()
    ceilings = {ceiling.name: ceiling for ceiling in measure()}
    for ceiling in ceilings.values():
        print(f"{ceiling.name:55} {ceiling}", flush=True)
    found: dict[Short, list[str]] = {}
    for short in HEADLINE:
        found[short] = numbers(short, printed(short))
        for figure, number in zip(short.figures, found[short], strict=True):
            print(f"{figure.what:55} {number} {figure.unit}", flush=True)
    seconds = time.monotonic() - began
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(found, ceilings, seconds))
    print(f"{seconds:.0f} s; written to {PAGE.relative_to(PROJECT)}")


def printed(short: Short) -> str:
    name, *arguments = short.command.split()
    done = subprocess.run(again(name, *arguments), cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stderr}\nerror: the bench `{short.command}` ended with exit code {done.returncode}")
    return done.stdout


def numbers(short: Short, output: str) -> list[str]:
    """The figures in what a bench printed. Ends the run where one is missing: the bench prints something else now."""
    hits = [re.search(figure.pattern, output, re.MULTILINE) for figure in short.figures]
    for figure, hit in zip(short.figures, hits, strict=True):
        if hit is None:
            sys.exit(f"error: `{short.command}`: expected {figure.pattern!r} in its output, found\n{output}")
    return [hit[1] for hit in hits if hit]


def page(found: dict[Short, list[str]], ceilings: dict[str, Ceiling], seconds: float) -> str:
    lines = [
        "# Performance",
        "",
        "<!-- Written by `make bench`; changes by hand are lost. -->",
        "",
        f"Measured in one run of `make bench` ({seconds:.0f} s) on this machine: {machine()}.",
        "Each figure comes from a short variant of a bench. `make bench NAME=… ARGS=…` runs the whole one, and",
        "`python -m tests.bench --list` lists all benches, including those of quality.",
        "",
        "| what | figure | ceiling | short | whole |",
        "|---|---|---|---|---|",
    ]
    for short, values in found.items():
        for figure, value in zip(short.figures, values, strict=True):
            ceiling = ceilings.get(figure.ceiling)
            near = f"{ceiling.name} {ceiling}" if ceiling else "–"
            lines.append(f"| {figure.what} | {value} {figure.unit} | {near} | `{short.command}` | `{short.whole}` |")
    lines += [
        "",
        "## The machine's own ceilings",
        "",
        "The best of several tries in the same run (`make bench NAME=ceilings`). Each figure above has the ceiling",
        "next to it that is nearest to the work it measures.",
        "",
        "| ceiling | measured |",
        "|---|---|",
        *(f"| {ceiling.name} | {ceiling} |" for ceiling in ceilings.values()),
        "",
    ]
    return "\n".join(lines)


def machine() -> str:
    known = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", known.read_text()) if known.exists() else []
    processor = names[0] if names else platform.machine()
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB of memory, Python {platform.python_version()}, "
        f"torch {torch.__version__.partition('+')[0]}"
    )
