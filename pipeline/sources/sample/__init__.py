"""A made-up world of shoppers that writes the logs of two platforms (docs/reference/sample.md)."""

from pipeline.sources.sample.generate import generate

__all__ = ["generate"]
