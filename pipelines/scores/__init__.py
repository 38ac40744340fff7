"""Scores that the measuring stages write and the report reads, one folder per score."""
