"""The parts of the audit: files, content, facts, and the Great Expectations suite."""
