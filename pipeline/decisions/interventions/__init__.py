"""Interventions: early warnings, who is named in them, and why."""
