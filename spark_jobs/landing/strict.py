"""Spark SQL that says when it fails, for each row.

A source's expression is analysed in Spark's lenient mode, in which what cannot be read becomes NULL without a word, and
'1.5' beside a number stays a text. Then every part of it that could hide a failure (casts, times, arithmetic) is made
to raise instead, and the whole is tried: so a failure of one row, also of a function that always raises, is known as
such, and a NULL that the author meant (a CASE without a branch) stays one. Spark has the parts (`TryEval`, the ANSI
mode of each expression), but no way to ask for them in SQL.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.sources.source import LANDED

CATALYST = "org.apache.spark.sql.catalyst.expressions"
VALUE = "value"

TREATED = ("RuntimeReplaceable", "AttributeReference", "CreateMap", "Cast")  # classes that are looked at by name
ABSENT = ("ElementAt", "GetArrayItem", "Elt")  # an element that is not there is nothing, and no failure
MODES = ("evalMode", "evalContext", "failOnError")  # arguments that say whether an expression raises

Substitute = Callable[[Column], Column]


@dataclass(frozen=True)
class Kind:
    """Of a class of expressions: which of TREATED it is, if any, and the places of its MODES."""

    name: str
    modes: dict[int, str]


class Attempts:
    """Expressions over `rows`, tried row by row."""

    def __init__(self, rows: DataFrame) -> None:
        jvm = cast(Any, rows.sparkSession._jvm)
        catalyst = jvm.org.apache.spark.sql.catalyst.expressions
        self._rows = rows
        self._gateway = cast(Any, rows.sparkSession.sparkContext._gateway)
        self._bridge = jvm.org.apache.spark.sql.classic.ExpressionUtils
        # Looked up once: every name on the way to a class is a question to the JVM.
        self._object, self._to_seq = jvm.java.lang.Object, jvm.PythonUtils.toSeq
        self._is_instance = jvm.py4j.reflection.TypeUtil.isInstanceOf
        self._try_eval, self._named_struct = catalyst.TryEval, catalyst.CreateNamedStruct
        self._not_null, self._ansi = catalyst.objects.AssertNotNull, catalyst.EvalMode.ANSI()
        self._kinds: dict[str, Kind] = {}
        self._analysed_before: dict[int, tuple[Column, Any]] = {}

    def analyse(self, expressions: Sequence[Column]) -> None:
        """Analyses the expressions together, which takes little longer than one. Raises AnalysisException."""
        plan = (
            self._rows.select(*[it.alias(VALUE) for it in expressions])._jdf.queryExecution().analyzed().expressions()
        )
        if plan.size() == len(expressions):  # but for a generator or a window, which has a plan of its own
            nodes = {id(it): (it, plan.apply(number).child()) for number, it in enumerate(expressions)}
            self._analysed_before.update(nodes)

    def tried(self, expression: Column, texts: Substitute | None = None, plain: bool = False) -> Column:
        """A struct with the value of the expression, NULL for the rows on which it fails.

        `texts` is what each column of texts is replaced by before it is looked at. An expression that fails is tried
        again with blank texts as NULL, since nothing is no wrong number, and with 1.0 as 1. `plain`: floating numbers
        become texts as digits, without exponent.
        """
        node = self._analysed(expression)
        if self._is_text_as_it_is(node):
            return F.struct(expression.alias(VALUE))
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

    def _is_text_as_it_is(self, node: Any) -> bool:
        """Whether an expression is a column of texts and no more: that never fails, and is most of what sources say."""
        while self._kind(node).name == "Cast" and _type(node) == _type(node.child()):
            node = node.child()
        return self._kind(node).name == "AttributeReference" and _type(node) == "string"

    def _analysed(self, expression: Column) -> Any:
        if id(expression) not in self._analysed_before:
            plan = self._rows.select(expression.alias(VALUE))._jdf.queryExecution().analyzed()
            self._analysed_before[id(expression)] = expression, plan.expressions().head().child()
        return self._analysed_before[id(expression)][1]

    def _try(self, node: Any) -> Column:
        named = self._to_seq([self._bridge.expression(F.lit(VALUE)._jc), node])
        return Column(self._bridge.column(self._try_eval(self._named_struct(named))))

    def _strict(self, node: Any, texts: Substitute | None, plain: bool) -> Any:
        kind = self._kind(node)
        if kind.name == "RuntimeReplaceable":
            return self._strict(node.replacement(), texts, plain)
        if kind.name == "AttributeReference":
            text = texts and _type(node) == "string"
            return self._changed(node, texts) if texts and text else node
        children = node.children()
        old = [children.apply(number) for number in range(children.size())]
        new = [self._strict(child, texts, plain) for child in old]
        if kind.name == "CreateMap":  # a NULL key would leave the builder of later rows' maps unusable
            new[0::2] = [self._not_null(key, self._to_seq([])) for key in new[0::2]]
        if any(after is not before for before, after in zip(old, new, strict=True)):
            node = node.withNewChildren(self._to_seq(new))
        if plain and kind.name == "Cast" and _type(node) == "string" and _type(old[0]) in ("double", "float"):
            return self._changed(new[0], plain_digits)
        return self._raising(node, kind)

    def _raising(self, node: Any, kind: "Kind") -> Any:
        """The expression in the mode in which it raises."""
        modes = {at: mode for at in kind.modes if (mode := self._raising_mode(kind.modes[at], node.productElement(at)))}
        if not modes:
            return node
        size = node.productArity()
        arguments = self._gateway.new_array(self._object, size)
        for number in range(size):
            arguments[number] = modes[number] if number in modes else node.productElement(number)
        return node.makeCopy(arguments)

    def _raising_mode(self, name: str, argument: Any) -> Any:
        """What an argument that says how failures are met must be; None where it is so already."""
        if name == "evalMode":
            return self._ansi if argument.toString() == "LEGACY" else None
        if name == "evalContext":
            is_lenient = argument.evalMode().toString() == "LEGACY"
            return argument.copy(self._ansi, argument.allowDecimalPrecisionLoss()) if is_lenient else None
        return True if argument is False else None

    def _kind(self, node: Any) -> "Kind":
        found = node.getClass().getName()
        if found not in self._kinds:
            name = next((it for it in TREATED if self._is_instance(f"{CATALYST}.{it}", node)), "")
            is_absent = any(self._is_instance(f"{CATALYST}.{it}", node) for it in ABSENT)
            arguments = 0 if is_absent else node.productArity()
            names = [node.productElementName(number) for number in range(arguments)]
            self._kinds[found] = Kind(name, {at: it for at, it in enumerate(names) if it in MODES})
        return self._kinds[found]

    def _changed(self, node: Any, change: Substitute) -> Any:
        return self._bridge.expression(change(Column(self._bridge.column(node)))._jc)


def _type(node: Any) -> str:
    return str(node.dataType().typeName())


def plain_digits(number: Column) -> Column:
    """A floating number as text: a whole one as digits, without point and exponent."""
    whole = (number == F.floor(number)) & (F.abs(number) < 1e18)
    return F.when(whole, number.cast("decimal(38,0)").cast("string")).otherwise(number.cast("string"))


def _second_look(text: Column) -> Column:
    """NULL for a blank; a whole number without the `.0` that no cast to a whole number reads."""
    return F.when(F.trim(text) != "", F.regexp_replace(text, r"^(\s*[+-]?[0-9]+)[.]0+(\s*)$", "$1$2"))


def _then(first: Substitute | None, second: Substitute) -> Substitute:
    return second if first is None else lambda text: second(first(text))
