"""TarDAL: see `network`."""
