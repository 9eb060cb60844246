"""Which `except` cannot match what a nursery raises: samples that must be found, and such that must not."""

from pathlib import Path

import pytest

from contrib.nurseries import Project, main

#: Every "# found" is a line that has to be named, and no other may be.
SAMPLES = {
    "a nursery in the try": """
async def f():
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(g)
    except ValueError:  # found
        pass
""",
    "by its bare name, with others, beside a handler that matches": """
async def f():
    try:
        async with lock, open_nursery() as nursery:
            pass
    except (ValueError, OSError) as error:  # found
        pass
    except Exception:
        pass
""",
    "on a stack": """
async def f():
    try:
        async with AsyncExitStack() as stack:
            nursery = await stack.enter_async_context(trio.open_nursery())
    except errors.XendError:  # found
        pass
""",
    "in a function that is awaited": """
async def inner():
    async with trio.open_nursery():
        pass

async def middle():
    await inner()

async def f():
    try:
        await middle()
    except ValueError:  # found
        pass
""",
    "in a context manager": """
@asynccontextmanager
async def watching():
    async with trio.open_nursery() as nursery:
        yield

async def f():
    try:
        async with watching() as watch:
            pass
    except ValueError:  # found
        pass
""",
    "in a method of the same class, or of one that is written down": """
class A:
    async def run(self):
        async with trio.open_nursery():
            pass

    async def f(self):
        try:
            await self.run()
        except ValueError:  # found
            pass

class B:
    async def run(self):
        pass

    async def f(self):
        try:
            await self.run()
        except ValueError:
            pass

async def annotated(a: A, b: B):
    try:
        await a.run()
    except ValueError:  # found
        pass
    try:
        await b.run()
    except ValueError:
        pass

async def assigned():
    a = A()
    try:
        await a.run()
    except ValueError:  # found
        pass
""",
    "handed on to be run": """
async def main():
    async with trio.open_nursery():
        pass

def f():
    try:
        trio.run(main, 1)
    except OSError:  # found
        pass
    try:
        drive(pump, lambda: main())
    except OSError:  # found
        pass
""",
    "below a sync function": """
async def main():
    async with trio.open_nursery():
        pass

def run():
    trio.run(main)

def f():
    try:
        run()
    except OSError:  # found
        pass
""",
    "in another try's finally": """
async def f():
    try:
        try:
            pass
        except Exception:
            async with trio.open_nursery():
                pass
    except OSError:  # found
        pass
""",
    "suppressed, or translated": """
@contextmanager
def explained(doing):
    try:
        yield
    except OSError as error:
        raise XendError() from error

@contextmanager
def logged(doing):
    try:
        yield
    finally:
        log(doing)

async def f():
    with suppress(OSError):  # found
        async with trio.open_nursery():
            pass
    with explained("it"):  # found
        async with trio.open_nursery():
            pass
    with logged("it"), suppress(Exception):
        async with trio.open_nursery():
            pass
    with explained("it"):
        await g()
""",
    "except*": """
async def f():
    try:
        async with trio.open_nursery():
            pass
    except* ValueError:
        pass
""",
    "all that there is": """
async def f():
    try:
        async with trio.open_nursery():
            pass
    except Exception:
        pass
    try:
        async with trio.open_nursery():
            pass
    except BaseExceptionGroup as group:
        pass
    try:
        async with trio.open_nursery():
            pass
    except:
        raise
""",
    "how a program is ended": """
def f():
    try:
        trio.run(main)
    except KeyboardInterrupt:
        pass

async def main():
    async with trio.open_nursery():
        pass
""",
    "unwrapped in one place": """
async def f():
    try:
        with alone(ValueError):
            async with trio.open_nursery():
                pass
    except ValueError:
        pass

async def g():
    try:
        await f()
    except ValueError:
        pass
""",
    "within a nursery, which is another matter": """
async def f():
    async with trio.open_nursery() as nursery:
        try:
            await g()
        except ValueError:
            pass
""",
    "of a task that is only begun": """
async def task():
    async with trio.open_nursery():
        pass

async def f(nursery):
    try:
        nursery.start_soon(task)
        await nursery.start(task)
    except ValueError:
        pass
""",
    "in a function that nobody calls there": """
async def f():
    try:
        async def inner():
            async with trio.open_nursery():
                pass
        inner()
    except ValueError:
        pass
""",
    "where not all that a name may stand for hold one": """
class A:
    async def run(self):
        async with trio.open_nursery():
            pass

class B:
    async def run(self):
        pass

async def f(what):
    try:
        await what.run()
    except ValueError:
        pass
""",
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_cannot_match_is_found_and_nothing_else(tmp_path: Path, sample: str) -> None:
    path = tmp_path / "sample.py"
    path.write_text(SAMPLES[sample])
    wanted = [number for number, line in enumerate(SAMPLES[sample].splitlines(), 1) if "# found" in line]
    assert sorted(line for _, line, _ in Project([path]).faults()) == wanted


def test_across_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tasks.py").write_text(
        "async def work():\n    async with trio.open_nursery():\n        pass\n"
    )
    user = tmp_path / "user.py"
    user.write_text(
        "from tasks import work\nasync def f():\n    try:\n        await work()\n    except OSError: pass\n"
    )
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith(f"{user}:5: except OSError: a nursery raises groups")
    assert main([str(tmp_path / "tasks.py")]) == 0
