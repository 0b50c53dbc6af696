"""Spark SQL that says when it fails, for each row.

A source's expression is analysed in Spark's lenient mode, in which what cannot be read becomes NULL without a word, and
'1.5' beside a number stays a text. Then every part of it that could hide a failure (casts, times, arithmetic) is made
to raise instead, and the whole is tried: so a failure of one row, also of a function that always raises, is known as
such, and a NULL that the author meant (a CASE without a branch) stays one. Spark has the parts (`TryEval`, the ANSI
mode of each expression), but no way to ask for them in SQL.
"""

from collections.abc import Callable
from typing import Any, cast

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.sources.source import LANDED

CATALYST = "org.apache.spark.sql.catalyst.expressions"
VALUE = "value"

Substitute = Callable[[Column], Column]


class Attempts:
    """Expressions over `rows`, tried row by row."""

    def __init__(self, rows: DataFrame) -> None:
        self._rows = rows
        self._jvm = cast(Any, rows.sparkSession._jvm)
        self._gateway = cast(Any, rows.sparkSession.sparkContext._gateway)
        self._catalyst = self._jvm.org.apache.spark.sql.catalyst.expressions
        self._bridge = self._jvm.org.apache.spark.sql.classic.ExpressionUtils

    def tried(self, expression: Column, texts: Substitute | None = None, plain: bool = False) -> Column:
        """A struct with the value of the expression, NULL for the rows on which it fails.

        `texts` is what each column of texts is replaced by before it is looked at. An expression that fails is tried
        again with blank texts as NULL, since nothing is no wrong number, and with 1.0 as 1. `plain`: floating numbers
        become texts as digits, without exponent.
        """
        node = self._analysed(expression)
        first = self._try(self._strict(node, texts, plain))
        again = self._try(self._strict(node, _then(texts, _second_look), plain))
        # Within a branch nothing is evaluated ahead of it, as what several expressions share would be.
        return F.when(F.col(f"`{LANDED}`.line").isNotNull(), F.coalesce(first, again))

    def lenient(self, expression: Column) -> Column:
        """A struct with the value, NULL for the rows on which the expression raises even in lenient mode."""
        return F.when(F.col(f"`{LANDED}`.line").isNotNull(), self._try(self._analysed(expression)))

    def columns_of(self, expression: Column) -> list[str]:
        """The columns of `rows` that the expression looks at."""
        found = self._analysed(expression).references().toSeq()
        return sorted({found.apply(number).name() for number in range(found.size())})

    def _analysed(self, expression: Column) -> Any:
        plan = self._rows.select(expression.alias(VALUE))._jdf.queryExecution().analyzed()
        return plan.expressions().head().child()

    def _try(self, node: Any) -> Column:
        named = self._jvm.PythonUtils.toSeq([self._bridge.expression(F.lit(VALUE)._jc), node])
        return Column(self._bridge.column(self._catalyst.TryEval(self._catalyst.CreateNamedStruct(named))))

    def _strict(self, node: Any, texts: Substitute | None, plain: bool) -> Any:
        if self._is(node, "RuntimeReplaceable"):
            return self._strict(node.replacement(), texts, plain)
        if self._is(node, "AttributeReference"):
            text = node.dataType().typeName() == "string"
            return self._changed(node, texts) if texts and text else node
        children = node.children()
        new = [self._strict(children.apply(number), texts, plain) for number in range(children.size())]
        if self._is(node, "CreateMap"):  # a NULL key would leave the builder of later rows' maps unusable
            none = self._jvm.PythonUtils.toSeq([])
            new[0::2] = [self._catalyst.objects.AssertNotNull(key, none) for key in new[0::2]]
        if new:
            node = node.withNewChildren(self._jvm.PythonUtils.toSeq(new))
        if plain and self._is(node, "Cast") and node.dataType().typeName() == "string":
            kind = children.apply(0).dataType().typeName()
            if kind in ("double", "float"):
                return self._changed(new[0], plain_digits)
        return self._raising(node)

    def _raising(self, node: Any) -> Any:
        """The expression in the mode in which it raises."""
        ansi = self._catalyst.EvalMode.ANSI()
        size, changed = node.productArity(), False
        arguments = self._gateway.new_array(self._jvm.java.lang.Object, size)
        for number in range(size):
            argument, name = node.productElement(number), node.productElementName(number)
            if name == "evalMode" and argument.toString() == "LEGACY":
                argument, changed = ansi, True
            elif name == "evalContext" and argument.evalMode().toString() == "LEGACY":
                argument, changed = argument.copy(ansi, argument.allowDecimalPrecisionLoss()), True
            elif name == "failOnError" and argument is False:
                argument, changed = True, True
            arguments[number] = argument
        return node.makeCopy(arguments) if changed else node

    def _changed(self, node: Any, change: Substitute) -> Any:
        return self._bridge.expression(change(Column(self._bridge.column(node)))._jc)

    def _is(self, node: Any, name: str) -> bool:
        return bool(self._jvm.py4j.reflection.TypeUtil.isInstanceOf(f"{CATALYST}.{name}", node))


def plain_digits(number: Column) -> Column:
    """A floating number as text: a whole one as digits, without point and exponent."""
    whole = (number == F.floor(number)) & (F.abs(number) < 1e18)
    return F.when(whole, number.cast("decimal(38,0)").cast("string")).otherwise(number.cast("string"))


def _second_look(text: Column) -> Column:
    """NULL for a blank; a whole number without the `.0` that no cast to a whole number reads."""
    return F.when(F.trim(text) != "", F.regexp_replace(text, r"^(\s*[+-]?[0-9]+)[.]0+(\s*)$", "$1$2"))


def _then(first: Substitute | None, second: Substitute) -> Substitute:
    return second if first is None else lambda text: second(first(text))
