"""Changes of interest, found by watching each user's active days one after the other.

For every day the null model foretells its topics from the days before: a Dirichlet-multinomial
around what all users like, mixed with the topic of the last active day, because visits follow up
on visits. A change to topic j at some day would make every later day one of j with chance MOVED.
The product of the odds of the two is a likelihood ratio; its sum over days of change (weighted by
the time that passed, a year weighing 1) and over topics (weighted by what all users like) is the
evidence (Shiryaev 1963, Roberts 1966). Under the null model evidence is a non-negative
submartingale that grows by what time weighs, so it stays below 1 / p for a year with a chance of
at least 1 - p (Ville 1939): looking every night costs nothing. A day of several topics takes the
geometric mean of their odds, which by Jensen's inequality is never more than a day of one topic
gives, however much the events of the day hang together.

Once a change is found the days from its beginning on are the new past, and watching goes on. The
path over the days is append-only: tomorrow's history finds today's changes again.
"""

from spark_jobs.transforms.changes import Changes
from spark_jobs.transforms.day_paths import DayPaths
from spark_jobs.transforms.population import Population
from spark_jobs.transforms.touches import Touches
from spark_jobs.transforms.watch_days import Watch


def find_changes(touches: Touches, population: Population) -> Changes:
    """The changes of all users, as seen on the last day of `touches`."""
    watch = Watch(DayPaths.of(touches, len(population.topics)), population)
    for day in watch.paths.walk():
        watch.look(*day)
    return watch.changes
