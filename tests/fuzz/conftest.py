import pytest

from tests.fuzz import corpus, harness


@pytest.fixture(scope="session")
def server():
    return harness.start_server()


@pytest.fixture(scope="session")
def valid(tmp_path_factory):
    """A folder of valid inputs that no test changes."""
    folder = tmp_path_factory.mktemp("corpus") / "inputs"
    folder.mkdir()
    corpus.build(folder)
    return folder
