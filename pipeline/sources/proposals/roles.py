"""Which field is which canonical column: by name, by what its values look like, and with the evidence for it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as default

import polars as pl

from pipeline.sources.proposals.layout import ITEM_NAMES, Field, Layout
from pipeline.sources.proposals.times import Times, times_of

# The words of public logs for each event type, in lower case and without punctuation.
WORDS = {
    "impression": "imp impression impressions shown display viewitemlist productlistviewed listview",
    "view": "view views pv pageview productview productviewed viewitem viewproduct click clicks detail "
    "itemview viewed viewcontent browse productdetail visit",
    "search": "search query sitesearch productssearched viewsearchresults searched",
    "cart": "cart carts addtocart add2cart basketadd addtobasket productadded addcart basket atc",
    "favorite": "fav favorite favourite favorites wishlist addtowishlist wishlistadd save like productaddedtowishlist "
    "collect bookmark",
    "purchase": "buy buys bought purchase purchases order orders ordered transaction ordercompleted "
    "sale paid conversion checkoutcompleted",
    "return": "return returned refund refunded orderrefunded cancel",
    "review": "review reviewed feedback rating rated productreviewed comment",
}
TYPE_OF = {word: kind for kind, words in WORDS.items() for word in words.split()}
NAMES = {
    "user_id": r"user_?id|user|uid|visitor_?id|customer_?(id|no|number)?|customer\.id|client_?id|member_?(id)?|"
    r"account_?(id)?|buyer(_?id)?|reviewer_?id|shopper_?id|person_?id|anonymous_?id|user_pseudo_id|"
    r"kunden?_?(id|nr)?|who|session_?(id)?",
    "item_id": r"item_?(id)?|product_?(id|code)|product|sku|parent_asin|asin|movie_?id|aid|stock_?code|listing_?(id)?|"
    r"article_?(id|number)?|artikel_?(id|nr)?|produkt_?(id|nr)?|goods_?id|"
    r"offer_?id|isbn|variant_?id|track_?id|content_?id|element\.id|value",
    "event_type": r"event_?(type|name)?|action(_?type)?|behaviou?r(_?type)?|activity|type|verb|what|interaction",
    "event_time": r"event_?time(stamp)?|time_?stamp|ts|at|created(_?at)?|occurred_?at|time|zeit|date(time)?|"
    r"\w*(time|date|_at)",
    "quantity": r"quantity|qty|units|pieces|count",
    "price": r"preis|(unit|item|list|sale)?_?price|amount|unitprice",
    "query": r"query|search_?(terms?|query|keyword|phrase)|keywords?|q",
    "text": r"review_?(text|body)|text|comment|feedback|body",
    "rating": r"rating|stars|score|overall",
    "campaign_id": r"campaign(_?id)?",
    "item_title": r"(item|product)_?(title|name)|title|name|description",
    "item_category": r"category(_?(code|name))?|department|product_type|item_category|category_?id",
    "item_brand": r"brand|vendor|manufacturer",
}
ORDER = re.compile(
    r"invoice(_?(no|number|id))?|order_?(id|no|number|ref)|transaction_?id|basket_?id|session_?id|user_session", re.I
)
VISITOR = re.compile(r"visitor_?id|anonymous_?id|user_pseudo_id|client_?id|domain_userid|device_?id|cookie_?id", re.I)
LATER = re.compile(r"updat|modif|etl|load|sent|ingest|receiv|process|previous|first|birth|collector", re.I)


@dataclass(frozen=True)
class Guess:
    """An expression for a canonical column, with the words that say why."""

    column: str
    sql: str
    evidence: str
    field: Field | None = None


@dataclass(frozen=True)
class Roles:
    """What was found. `open` is what could not be decided; a column without a guess has no entry."""

    guesses: dict[str, Guess] = default(default_factory=dict)
    times: Times | None = None
    unmapped: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


def roles_of(layout: Layout) -> Roles:
    """The canonical columns of a layout, as far as they can be told."""
    doubts: list[str] = []
    guesses: dict[str, Guess] = {}
    times = _time(layout.fields)
    left = [it for it in layout.fields if it.filled > 0]
    if times:
        guesses["event_time"] = Guess("event_time", times.sql, _time_words(times), times.field)
        left.remove(times.field)
        doubts += [times.doubt] if times.doubt else []
    kinds = _type_field(left)
    if kinds:
        left.remove(kinds)
    for column in ("item_id", "user_id"):
        found = _identifier(column, left)
        if found:
            left.remove(found)
            guesses[column] = Guess(column, _id_sql(found), f"{_named(found)}; {_distinct(found)}", found)
            if column == "user_id":
                guesses[column] = _or_visitor(guesses[column], found, left)
        else:
            doubts.append(f"no field looks like {column}")
    unmapped: tuple[str, ...] = ()
    for column in NAMES.keys() - {"user_id", "item_id", "event_type", "event_time"}:
        found = _best(column, left)
        guess = found and _optional(column, found)
        if found and guess:
            left.remove(found)
            guesses[column] = guess
    guesses["event_type"], unmapped, open_type = _types(kinds, guesses, layout)
    doubts += open_type
    _quantity_of_returns(guesses)
    orders = [it for it in left if ORDER.fullmatch(it.last)]
    if orders:
        pairs = ", ".join(f"'{it.last}', {_id_sql(it)}" for it in orders[:3])
        guesses["attributes"] = Guess("attributes", f"map({pairs})", "what groups the events of an order or session")
    if times is None:
        doubts.append("no field holds times of which more than half can be read")
    return Roles(guesses, times, unmapped, tuple(doubts))


def _time(fields: Iterable[Field]) -> Times | None:
    found = [times for it in fields if it.filled > 0.3 and (times := times_of(it)) is not None]
    return max(found, key=_time_score, default=None)


def _time_score(times: Times) -> float:
    """The share that can be read, more for a name of a time, less for one that says when a row was handled."""
    name = times.field.last
    named = re.fullmatch(NAMES["event_time"], name, re.I)
    numbers = times.words.startswith("epoch") or "yyyyMMdd" in times.words
    days = times.words.startswith("days") or "yyyyMMdd" in times.words
    exact = 0.3 if re.fullmatch(r"event_?time(stamp)?|time_?stamp|ts|created_at", name, re.I) else 0.0
    handled = 1.0 if LATER.search(name) else 0.0
    return times.share + (1.0 if named else 0.0) + exact - handled - (0.4 if numbers and not named else 0) - 0.2 * days


def _time_words(times: Times) -> str:
    read = len(times.instants)
    return f"{_named(times.field)}: {times.words}; {times.share:.2%} of {len(times.field.texts)} can be read" + (
        f", {times.span}" if read else ""
    )


def _type_field(fields: Sequence[Field]) -> Field | None:
    """The field with few values most of which are known words for event types."""
    best, best_score = None, 0.0
    for it in fields:
        texts = it.texts
        if it.filled < 0.3 or texts.n_unique() > 300:
            continue
        counts = texts.value_counts()
        known = [kind is not None for kind in map(event_type, counts.get_column(counts.columns[0]))]
        share = float(counts.filter(pl.Series(known))["count"].sum()) / len(texts)
        named = re.fullmatch(NAMES["event_type"], it.last, re.I) is not None
        score = share + (0.3 if named and share > 0 else 0.0)
        if score > best_score and (share > 0.5 or (named and share > 0.02)):
            best, best_score = it, score
    return best


def event_type(word: str) -> str | None:
    """The canonical type that a word of a log means, where that is known."""
    plain = re.sub(r"[^a-z0-9]", "", word.lower())
    return TYPE_OF.get(plain)


def _types(kinds: Field | None, guesses: dict[str, Guess], layout: Layout) -> tuple[Guess, tuple[str, ...], list[str]]:
    """The mapping of types, the words that it leaves out, and what is open about it."""
    if kinds is not None:
        counts = kinds.texts.value_counts(sort=True)
        words = list(zip(counts.get_column(counts.columns[0]), counts["count"], strict=True))
        known = [(word, kind) for word, _ in words if (kind := event_type(word)) is not None]
        cases = "\n".join(f"  WHEN {_literal(word)} THEN '{kind}'" for word, kind in known)
        shown = ", ".join(f"{word[:40]} {count}" for word, count in words[:12])
        unmapped = tuple(f"{word} ({count})" for word, count in words if event_type(word) is None)
        guess = Guess("event_type", f"\nCASE {kinds.sql}\n{cases}\nEND\n", f"{_named(kinds)}: {shown}", kinds)
        return guess, unmapped, []
    quantity = guesses.get("quantity")
    if quantity and quantity.field is not None:
        texts = quantity.field.texts
        negative = int(texts.str.starts_with("-").sum())
        if negative:
            sql = f"CASE WHEN {quantity.sql} < 0 THEN 'return' ELSE 'purchase' END"
            why = f"no field names a type; a quantity makes it a purchase, {negative} negative ones returns"
            return Guess("event_type", sql, why), (), ["the type was told by the sign of the quantity: check it"]
    if "rating" in guesses:
        kind, why = "review", "a rating"
    elif "quantity" in guesses or any(ORDER.fullmatch(it.last) and "session" not in it.last for it in layout.fields):
        kind, why = "purchase", "a quantity or the number of an order"
    else:
        kind, why = "view", "nothing that would tell more"
    return (
        Guess("event_type", f"'{kind}'", f"no field names a type; there is {why}"),
        (),
        [f"every event was taken for a {kind}"],
    )


def _quantity_of_returns(guesses: dict[str, Guess]) -> None:
    """Pieces are positive also for returns."""
    quantity = guesses.get("quantity")
    if quantity and "THEN 'return' ELSE" in guesses["event_type"].sql:
        guesses["quantity"] = Guess("quantity", f"abs({quantity.sql})", quantity.evidence, quantity.field)


def _identifier(column: str, fields: Sequence[Field]) -> Field | None:
    """By name, the first pattern first; without names the first field of ids, the second for items."""
    named = _best(column, fields)
    if named is not None:
        return named
    if column == "item_id":
        inner = [it for it in fields if ITEM_NAMES.search(it.last)]
        if inner:
            return inner[0]
    unnamed = [it for it in fields if re.fullmatch(r"column_\d+", it.name) and _is_id(it)]
    place = {"user_id": 0, "item_id": 1}[column]
    if column == "user_id":  # the item is taken by now
        return unnamed[0] if unnamed else None
    return unnamed[place] if len(unnamed) > place else None


def _best(column: str, fields: Sequence[Field]) -> Field | None:
    """The field whose name fits best: the order of the pattern decides, then how much of it is filled."""
    patterns = NAMES[column].split("|") if "(" not in NAMES[column] else _alternatives(NAMES[column])
    for pattern in patterns:
        fitting = [it for it in fields if re.fullmatch(pattern, it.last, re.I) or re.fullmatch(pattern, it.name, re.I)]
        if column.endswith("_id"):
            fitting = [it for it in fitting if not it.values.dtype.is_nested()]
        if fitting:
            return max(fitting, key=lambda it: (it.filled, -fields.index(it)))
    return None


def _or_visitor(guess: Guess, found: Field, left: Sequence[Field]) -> Guess:
    """The visitor where the user is not known on every row: someone who has not signed in."""
    visitors = [it for it in left if VISITOR.fullmatch(it.last) and it.filled > found.filled]
    if found.filled > 0.98 or not visitors:
        return guess
    other = max(visitors, key=lambda it: it.filled)
    words = f"{guess.evidence}; elsewhere {_named(other)}, {_distinct(other)}"
    return Guess("user_id", f"coalesce(nullif({guess.sql}, ''), {_id_sql(other)})", words, found)


def _alternatives(pattern: str) -> list[str]:
    """The alternatives of the outermost level."""
    found, depth, start = [], 0, 0
    for place, letter in enumerate(pattern):
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and depth == 0:
            found.append(pattern[start:place])
            start = place + 1
    return [*found, pattern[start:]]


def _is_id(it: Field) -> bool:
    texts = it.texts
    return it.filled > 0.5 and texts.n_unique() > 1 and not texts.str.contains(r"^-?\d+\.\d+$|\s").any()


def _id_sql(it: Field) -> str:
    """A number as plain digits: 16612.0 is the id 16612."""
    kind = it.values.dtype
    if kind.is_integer():
        return f"CAST({it.sql} AS STRING)"
    if kind.is_float():
        return f"CAST(CAST({it.sql} AS BIGINT) AS STRING)"
    if kind == pl.Utf8 and len(it.texts) and it.texts.str.contains(r"^\d+\.0$").all():
        return f"regexp_replace({it.sql}, '[.]0$', '')"
    return it.sql


def _optional(column: str, it: Field) -> Guess | None:
    """A further column; numbers must be numbers."""
    if column not in ("quantity", "price", "rating"):
        return Guess(column, it.sql, f"{_named(it)}; {it.filled:.1%} filled", it)
    texts, sql = it.texts, it.sql
    if texts.str.contains(r"^-?\d{1,3}(\.\d{3})*,\d+$|^-?\d+,\d+$").mean() > 0.5:  # type: ignore[operator]
        sql = f"replace(replace({it.sql}, '.', ''), ',', '.')"
        texts = texts.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    share = int(texts.cast(pl.Float64, strict=False).is_not_null().sum()) / max(len(texts), 1)
    if share < 0.9:
        return None
    return Guess(
        column, f"CAST({sql} AS DOUBLE)", f"{_named(it)}; {it.filled:.1%} filled, {share:.2%} of it numbers", it
    )


def _named(it: Field) -> str:
    return f"`{it.name}`"


def _distinct(it: Field) -> str:
    return f"{it.filled:.1%} filled, {it.texts.n_unique()} distinct in {len(it.values)}"


def _literal(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"
