"""Runs the stages of dvc.yaml side by side: DVC decides what to run, this package when and where.

DVC keeps the graph, the checks, the locks, the cache and dvc.lock. A stage is run by
`dvc --wait-for-lock repro --single-item STAGE` in a process of its own, as soon as the stages that
it depends on are done. Nothing is stored here but logs.
"""
