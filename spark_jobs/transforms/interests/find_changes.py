"""Changes of interest, found by watching each user's active days one after the other.

For every day the null model foretells its topics from the days before: a Dirichlet-multinomial
around what all users like, mixed with the topic of the last active day, because visits follow up
on visits. A change to topic j at some day would make every later day one of j with chance MOVED.
The product of the odds of the two is a likelihood ratio; its sum over days of change (weighted by
the time that passed, a year weighing 1) and over topics (weighted by what all users like) is the
evidence (Shiryaev 1963, Roberts 1966). Under the null model it is a non-negative submartingale
whose mean grows by what time weighs, so the chance that it ever reaches 1 / p within a year is at
most p (Doob 1953): looking every night costs nothing. A day of several topics takes the geometric
mean of their odds, whose mean is at most 1 too (Jensen), however the events of a day hang together.

Once a change is found the days from its beginning on are the new past, and watching goes on. The
path over the days is append-only: tomorrow's history finds today's changes again.
"""

from spark_jobs.interests.day_paths import DayPaths
from spark_jobs.interests.population import Population
from spark_jobs.interests.touches import Touches
from spark_jobs.interests.watch import Watch
from spark_jobs.transforms.interests.changes import Changes


def find_changes(touches: Touches, population: Population) -> Changes:
    """The changes of all users, as seen on the last day of `touches`."""
    watch = Watch(DayPaths.of(touches, len(population.topics)), population)
    for day in watch.paths.walk():
        watch.look(*day)
    return watch.changes
