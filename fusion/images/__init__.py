"""Image files and pairs of them."""
