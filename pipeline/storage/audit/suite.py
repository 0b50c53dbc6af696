"""The Great Expectations side of the audit: run a table's suite, keep the result, build the page.

Everything runs in this process, against DuckDB, and nothing is reported to anybody.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when GX is imported

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.core import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
    RunIdentifier,
)
from great_expectations.data_context import AbstractDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)

from pipeline.runtime.settings import Settings
from pipeline.storage.audit import data_docs
from pipeline.storage.audit.duckdb_dialect import SCHEME
from pipeline.storage.audit.expectations import Rule
from pipeline.storage.audit.staged_rows import VIEW, StagedRows
from pipeline.storage.audit.views import IndexView, PageView

SITE = "audits"
SECTIONS = ("expectations", "validations", "profiling")
# Counts for every expectation, but no values: they could be raw ids that must not be kept.
RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}


def open_context(settings: Settings) -> AbstractDataContext:
    """A context whose results, suites and site are files of the home, and the rest in memory."""
    defaults = InMemoryStoreBackendDefaults()
    for store, folder in (
        (defaults.validation_results_store_name, data_docs.results_folder(settings)),
        (defaults.expectations_store_name, data_docs.suites_folder(settings)),
    ):
        defaults.stores[store]["store_backend"] = _files(folder)
    defaults.data_docs_sites = {
        SITE: {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": _files(data_docs.site_folder(settings)),
            "site_section_builders": {section: {"view": _view(PageView)} for section in SECTIONS},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "view": _view(IndexView)},
        }
    }
    config = DataContextConfig(
        store_backend_defaults=defaults,
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(project_config=config, mode="ephemeral")


def build_suite(table: str, rules: list[Rule]) -> gx.ExpectationSuite:
    """The suite of a table; an expectation's `meta.says` leads back to its rule."""
    return gx.ExpectationSuite(name=table, expectations=[_expectation(rule) for rule in rules])


def run_suite(
    context: AbstractDataContext, suite: gx.ExpectationSuite, rows: StagedRows
) -> ExpectationSuiteValidationResult:
    """Validates the staged rows: one scan for all counts, one for the distinct keys."""
    source = context.data_sources.add_or_update_sql("staging", connection_string=f"{SCHEME}:///{rows.database}")
    asset = source.add_table_asset(rows.table.name, table_name=VIEW)
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    return batch.validate(suite, result_format=RESULT_FORMAT)


def keep_result(
    settings: Settings,
    context: AbstractDataContext,
    suite: gx.ExpectationSuite,
    run: str,
    result: ExpectationSuiteValidationResult,
) -> Path:
    """Stores the result, drops old ones, and builds its page and the index; returns the page."""
    suite_key = ExpectationSuiteIdentifier(suite.name)
    batch = f"staging-{suite.name}"
    key = ValidationResultIdentifier(suite_key, RunIdentifier(run_name=run), batch)
    with data_docs.site_lock(settings):
        # Not `suites.add_or_update`, which compares each expectation with each of the last audit.
        context.expectations_store.add_or_update(suite_key, suite)
        context.validation_results_store.store_validation_results(result, key, suite_key)
        data_docs.prune(settings, suite.name)
        made: list[Any] = [key, suite_key]
        context.build_data_docs(resource_identifiers=made)
        url = context.get_docs_sites_urls(resource_identifier=key, site_names=[SITE])
        page = Path(unquote(urlparse(url[0]["site_url"]).path))
        outcome = "passed" if result.success else "failed"
        data_docs.link_page(settings, suite.name, run, page, outcome)
        data_docs.silence(page, data_docs.data_docs_index(settings))
        data_docs.write_overview(settings)
    return data_docs.data_docs_page(settings, suite.name, run)


def failures(
    result: ExpectationSuiteValidationResult, rules: list[Rule]
) -> list[tuple[Rule, ExpectationValidationResult]]:
    """The rules that do not hold, in the order of the suite."""
    failed = {_says(found): found for found in result.results if not found.success}
    return [(rule, failed[rule.says]) for rule in rules if rule.says in failed]


def evaluation_error(found: ExpectationValidationResult) -> str:
    """Why an expectation could not be evaluated; empty when it could."""
    details = found.exception_info or {}
    nested = [entry for entry in details.values() if isinstance(entry, dict)]
    messages = [entry.get("exception_message") for entry in (details, *nested)]
    return next((str(message).splitlines()[0] for message in messages if message), "")


def _says(found: ExpectationValidationResult) -> str:
    assert found.expectation_config is not None and found.expectation_config.meta is not None
    return found.expectation_config.meta["says"]


def _expectation(rule: Rule) -> gxe.Expectation:
    described = {"description": rule.says} if rule.computed else {}
    return getattr(gxe, rule.expectation)(**rule.arguments, **described, meta={"says": rule.says})


def _view(kind: type) -> dict[str, str]:
    return {"module_name": kind.__module__, "class_name": kind.__name__}


def _files(folder: Path) -> dict[str, str]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
