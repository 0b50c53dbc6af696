"""Tests of the adaptation of the text encoder."""
