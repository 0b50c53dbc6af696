"""The page of a result: one file that says the answer first, and hides nothing behind a link."""

import html
import re

import polars as pl
import pytest

from pipeline.decisions.experiments.analysis import analyse
from pipeline.decisions.experiments.page import answer, page
from tests.unit.pipeline.decisions.experiments.test_outcomes import TOML, declared, of_arms


def found(home, effect: float, keep: pl.Expr | None = None):
    users = of_arms(20_000, effect)
    return analyse(declared(home), users if keep is None else users.filter(keep), "2024-03-10")


def test_the_answer_comes_first_and_the_page_stands_alone(home) -> None:
    text = page(found(home, 0.15))
    assert "The treatment is better in buyers. But guardrails are broken: returns." in text
    assert text.index("The treatment is better") < text.index("<table")
    assert text.count("data:image/png;base64,") == 3
    assert not re.search(r"<script|https?://|<link", text)
    assert "10,000 in control, 10,000 in" in text


@pytest.mark.parametrize(
    ("effect", "keep", "said"),
    [
        (0.0, None, "It is still open whether the treatment is better in buyers."),
        (-0.15, None, "The treatment is worse in buyers."),
        (0.0, (pl.col("arm") == 0) | (pl.col("chance") > 0.1), "Do not read the rest"),
        (0.0, pl.lit(False), "Nobody's days are over yet."),
    ],
)
def test_answers(home, effect, keep, said) -> None:
    result = found(home, effect, keep)
    assert answer(result).startswith(said)
    assert said in html.unescape(page(result))


def test_names_are_escaped(home) -> None:
    experiment = declared(home, TOML.replace("control = 0.5", '"<b>old</b>" = 0.5'))
    text = page(analyse(experiment, of_arms(2_000, 0.0), "2024-03-10"))
    assert "Control: &lt;b&gt;old&lt;/b&gt;;" in text
    assert "<b>" not in text.replace("<br>", "")


@pytest.mark.parametrize("few", [1, 4])
def test_an_arm_of_few_users_shows_no_figure_of_theirs(home, few: int) -> None:
    users = of_arms(2_000, 0.0)
    single = users.filter(pl.col("arm") == 1).head(few)
    result = analyse(declared(home), pl.concat([users.filter(pl.col("arm") == 0), single]).sort("done"), "2024-03-10")
    text = html.unescape(page(result))
    assert answer(result) == "Fewer than 5 users of an arm are done: no figure is shown, since it would be theirs."
    assert "1,000 in control, < 5 in" in text
    for metric in result.metrics:
        for figure in (metric.plain.control, metric.plain.treatment, metric.p_value):
            assert f'<td class="number">{figure:.4g}</td>' not in text
    assert text.count('<td class="number">fewer than 5 users</td>') == 7 * len(result.metrics)
    assert "<img" not in text and "chance of such a split" not in text


def test_five_users_an_arm_are_enough(home) -> None:
    users = of_arms(2_000, 0.0)
    five = pl.concat([users.filter(pl.col("arm") == arm).head(5) for arm in (0, 1)]).sort("done")
    text = page(analyse(declared(home), five, "2024-03-10"))
    assert "5 in control, 5 in" in text and "fewer than" not in text
