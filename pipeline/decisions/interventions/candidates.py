"""Who is meant by each kind of intervention, as DuckDB's SQL over the tables of the night.

The views are those of `pipeline/decisions/interventions/views.py`; `$after` and `$until` are the days to which the days
of a kind reach back or ahead. A query gives one row per user: `score`, the item where one is meant, and what was seen.
Accounts unlike a person's stay out, as they do of segments.
"""

from pipeline.decisions.segments.segments import UNUSUAL

USUAL = f"NOT ({UNUSUAL.condition})"

FADING_REGULAR = f"""
SELECT user_id, fading AS score, usual_gap_days, recency_days AS days_silent, fading
FROM features
WHERE is_regular AND fading >= $least_fading AND recency_days <= $most_silent_days AND {USUAL}
"""

# The newest purchase that has not come back: it is still on its way, or just unpacked.
RETURN_RISK = f"""
WITH bought AS (
    SELECT user_id, item_id, max(event_time) AS at, max(ds) AS bought_ds FROM events
    WHERE event_type = 'purchase' AND ds > $after
    GROUP BY ALL
), returned AS (
    SELECT user_id, item_id, max(event_time) AS at FROM events
    WHERE event_type = 'return' AND ds > $after GROUP BY ALL
), kept AS (
    SELECT user_id, max_by((item_id, bought_ds), (bought.at, item_id)) AS newest
    FROM bought LEFT JOIN returned USING (user_id, item_id)
    WHERE returned.at IS NULL OR returned.at < bought.at GROUP BY user_id
)
SELECT user_id, newest[1] AS item_id, p_return_28d AS score, p_return_28d, newest[2] AS bought_ds
FROM kept JOIN features USING (user_id)
WHERE p_return_28d >= $least_chance AND {USUAL}
"""

# A drop is real when tonight's price is below the lowest of the nights before (a price that was raised first, or that
# an event brought in late, makes none) and was not paid for several pieces at once. Prices of one item are of one
# platform, so of one currency.
PRICE_DROP = f"""
WITH before AS (
    SELECT item_id, min(price) AS price_before FROM prices
    WHERE ds > $after AND ds < $ds AND price > 0
    GROUP BY item_id
), dropped AS (
    SELECT item_id, price AS price_now, price_before FROM prices JOIN before USING (item_id)
    WHERE ds = $ds AND price > 0 AND price <= price_before * (1 - $least_drop)
), by_quantity AS (
    SELECT item_id FROM events JOIN dropped USING (item_id)
    WHERE ds = $ds AND events.price = price_now
    GROUP BY item_id HAVING min(coalesce(quantity, 1)) > 1
), told AS (
    SELECT * FROM dropped ANTI JOIN by_quantity USING (item_id)
), acts AS (
    SELECT events.* FROM events SEMI JOIN told USING (item_id)
    WHERE ds > $after
), looks AS (
    SELECT user_id, item_id, max(event_time) AS at,
        max_by((event_type, ds, CASE WHEN coalesce(quantity, 1) <= 1 THEN price END),
               (event_time, event_id)) AS last
    FROM acts WHERE event_type IN ('view', 'cart', 'favorite') GROUP BY ALL
), bought AS (
    SELECT user_id, item_id, max(event_time) AS at FROM acts WHERE event_type = 'purchase'
    GROUP BY ALL
), seen AS (
    SELECT looks.user_id, item_id, looks.last[1] AS looked_as, looks.last[2] AS looked_ds,
        coalesce(looks.last[3], prices.price) AS price_seen, price_before, price_now,
        1 - price_now / least(price_seen, price_before) AS score
    FROM looks JOIN told USING (item_id)
    LEFT JOIN bought USING (user_id, item_id)
    LEFT JOIN prices ON prices.item_id = looks.item_id AND prices.ds = looks.last[2]
    WHERE (bought.at IS NULL OR bought.at < looks.at)
        AND price_seen > 0 AND price_now <= price_seen * (1 - $least_drop)
)
SELECT seen.* FROM seen JOIN features USING (user_id) WHERE {USUAL}
QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY score DESC, item_id) = 1
"""

DUE_AGAIN = f"""
WITH due AS (
    SELECT user_id, p_purchase_7d, unnest(due_again) AS it FROM features WHERE {USUAL}
)
SELECT user_id, it.item_id AS item_id, p_purchase_7d AS score, it.due_ds AS due_ds,
    it.cycle_days AS cycle_days, p_purchase_7d
FROM due
WHERE it.item_id IS NOT NULL AND p_purchase_7d >= $least_chance
    AND it.due_ds > $ds AND it.due_ds <= $until
QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY it.due_ds, it.item_id) = 1
"""

QUERIES = {
    "fading_regular": FADING_REGULAR,
    "return_risk": RETURN_RISK,
    "price_drop": PRICE_DROP,
    "due_again": DUE_AGAIN,
}
