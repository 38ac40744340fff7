"""What fusion methods are built from: layers, networks, filters, transforms and losses."""
