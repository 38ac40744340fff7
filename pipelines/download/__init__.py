"""Official data sets by name: what is known of them, fetching, and verification."""
