"""The typed errors of Tidemark. A message names what, expected, found, and what to do."""


class TidemarkError(Exception):
    """Any failure that a person can act on; the process ends with exit code 1 and this message."""


class UsageError(TidemarkError):
    """Wrong command-line usage; exit code 2."""


class SettingsError(TidemarkError):
    """A `TIDEMARK_*` variable is missing, unknown or not valid."""


class SourceError(TidemarkError):
    """A source TOML is wrong, or a landed file breaks what its source promises."""


class LandingError(TidemarkError):
    """A day's landed files are missing, damaged, or changed while they were read."""


class NotPublishedError(TidemarkError):
    """A partition that is needed has not been published."""


class StaleError(TidemarkError):
    """A published partition is not what it would be if it were made now; nothing may be built on it."""


class StagingError(TidemarkError):
    """A staged partition is missing or incomplete."""


class AuditError(TidemarkError):
    """A staged partition broke an expectation; nothing of it is published."""


class FencedError(TidemarkError):
    """A newer attempt has already published the partition; this one must not."""


class ModelError(TidemarkError):
    """A model, its training data or its registry entry is missing or does not fit."""


class FeedbackError(TidemarkError):
    """Logged feedback that no policy may be judged on; the running policy stays in place."""


class CampaignError(TidemarkError):
    """A campaign TOML or `interventions.toml` is wrong; what is published stays in place."""


class ExperimentError(TidemarkError):
    """An experiment is declared wrongly, or its data cannot be judged."""


class UpliftError(TidemarkError):
    """Data that tell no effect of a treatment: not randomised, too few, or known too late."""


class OnlineError(TidemarkError):
    """The online store is out of reach, written by another, or holds no night to read."""


class ErasureError(TidemarkError):
    """A person who is to be erased is unknown, or something below the home still tells of them."""


class OrchestrationError(TidemarkError):
    """Airflow could not be started, reached, or its run failed; or a program that was run did.

    `exit_code`: that of the program; 0 where none failed.
    """

    exit_code = 0


class ContractError(TidemarkError):
    """A table's declared columns are not what its version was released as."""


class LeakError(TidemarkError):
    """Features were asked for that know what happened after their day."""
