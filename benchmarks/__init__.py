import pipelines  # noqa: F401  sets how threads wait, before torch loads
