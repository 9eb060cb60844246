import pytest

# Their assertions are the tests' own.
pytest.register_assert_rewrite("tests.model.walk")
