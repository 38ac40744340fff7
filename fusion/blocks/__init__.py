"""Building blocks of fusion methods: layers, networks, filters and losses."""
