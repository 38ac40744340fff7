"""Scores: what the measuring stages write and the report reads, one folder a score."""
