"""Official data sets by name: what is known of them, fetching, and verification."""

from pathlib import Path

RAW = Path("data/raw")
"""Where fetched data sets are kept, unless you name another folder."""
