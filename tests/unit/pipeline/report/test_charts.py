"""Where marks lie, against positions worked out by hand."""

from pipeline.report import charts
from pipeline.report.charts import Box


def test_a_sparkline_begins_at_zero_and_ends_at_the_right() -> None:
    spark = charts.sparkline([0, 5, 10], width=26, height=16)
    assert spark is not None
    assert spark.line == "3.0,13.0 13.0,8.0 23.0,3.0"
    assert (spark.x, spark.y) == (23.0, 3.0)


def test_one_value_is_no_curve_and_zeros_lie_at_the_bottom() -> None:
    assert charts.sparkline([4], 26, 16) is None
    flat = charts.sparkline([0, 0], 26, 16)
    assert flat is not None and flat.line == "3.0,13.0 23.0,13.0"


def test_columns_are_stacked_from_the_bottom() -> None:
    found = charts.stacks([(6, 2), (0, 4)], ("a", "b"), ("first", "second"), 100, 80)
    assert found == [
        Box(5.0, 20.0, 40.0, 60.0, "a", "first"),
        Box(5.0, 0.0, 40.0, 20.0, "b", "first"),
        Box(55.0, 40.0, 40.0, 40.0, "b", "second"),
    ]
    assert charts.stacks([(0, 0)], ("a", "b"), ("empty",), 100, 80) == []


def test_a_histogram_fills_its_width_and_its_outline_follows() -> None:
    shares = [0.25, 0.5]
    assert charts.histogram(shares, 0.5, 100, 40) == [Box(0, 20, 50, 20), Box(50, 0, 50, 40)]
    assert charts.outline(shares, 0.5, 100, 40) == "0.0,20.0 50.0,20.0 50.0,0.0 100.0,0.0"


def test_a_mark_lies_between_its_bounds() -> None:
    (mark,) = charts.marks([(0.5, 0.4, 0.6, 0.3)], (0.0, 1.0), 200, 100)
    assert (mark.x, mark.y, mark.low, mark.high, mark.level) == (100, 50, 60, 40, 70)
    (alone,) = charts.marks([(0.5, 0.5, 0.5, None)], charts.ticks([0.5]), 200, 100)
    assert alone.level is None and 0 < alone.y < 100
