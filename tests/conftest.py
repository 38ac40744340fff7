import multiprocessing

import pytest


@pytest.fixture(scope="session")
def start_process():
    """A function that calls another one in a process in which the slow imports are done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fusion.train", "fusion.methods.pomai"])

    def start(target, *args):
        process = context.Process(target=target, args=args)
        process.start()
        return process

    return start
