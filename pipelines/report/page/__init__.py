"""The report as a static page: it opens from disk and needs no server."""
