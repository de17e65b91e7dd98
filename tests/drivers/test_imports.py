"""What an import brings: a loop of one's own choice, and no media for those who only signal."""

import subprocess
import sys
import textwrap

import pytest

from telnyx_drivers._exceptions import without_extra
from telnyx_drivers.gateway import Gateway
from tests.drivers.fakes import SilentEngine
from tests.drivers.servers import Servers

MEDIA = ("ifaddr", "OpenSSL", "pylibsrtp", "av", "numpy")


def python(code: str) -> str:
    """Run a program in which the media extra and, say, the other loop are not installed."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize(
    ("module", "missing"),
    [
        ("asyncio", (*MEDIA, "trio", "trio_websocket", "httpx2", "typer", "rich", "jinja2")),
        ("trio", (*MEDIA, "httpx2", "typer", "rich", "jinja2")),
        ("sync", (*MEDIA, "trio", "trio_websocket", "httpx2", "typer", "rich", "jinja2")),
    ],
)
def test_a_client_can_be_made_and_signals_without_any_extra_but_its_loop(module: str, missing: tuple[str, ...]) -> None:
    """The media extra is asked for when a call needs it, by a typed error that says how to get it."""
    output = python(f"""
        import sys
        for name in {missing!r}:
            sys.modules[name] = None
        from telnyx_drivers.{module} import TelnyxRTC
        from telnyx_drivers.asyncio import MediaUnavailable
        client = TelnyxRTC(login_token="t")
        print(client.state.value)

        async def main():
            driver = getattr(client, "_source", client)._driver
            try:
                driver.engine()
            except MediaUnavailable as error:
                print(error)

        if {module!r} == "trio":
            import trio
            trio.run(main)
        else:
            import asyncio
            asyncio.run(main())
    """)
    assert output.splitlines()[0] == "idle"
    assert "pip install 'telnyx-rtc[media]'" in output


@pytest.mark.net
@pytest.mark.parametrize("module", ["asyncio", "trio", "sync"])
def test_signalling_works_without_the_media_extra_and_a_call_says_what_to_install(module: str) -> None:
    """A whole session with a real server: registered, rung up, and refused media by a typed error."""
    servers = Servers()
    try:
        gateway = servers.enter(Gateway(users={"alice": "secret"}, engine=SilentEngine))
        output = python(f"""
            import sys
            for name in {MEDIA!r}:
                sys.modules[name] = None
            from telnyx_drivers.{module} import TelnyxRTC
            from telnyx_drivers.asyncio import MediaUnavailable
            options = dict(login="alice", password="secret", env={gateway.url!r})

            async def main():
                async with TelnyxRTC(**options) as client:
                    print(client.state.value, await client.is_registered())
                    try:
                        await client.new_call("echo")
                    except MediaUnavailable as error:
                        print(error)

            if {module!r} == "sync":
                with TelnyxRTC(**options) as client:
                    print(client.state.value, client.is_registered())
                    try:
                        client.new_call("echo")
                    except MediaUnavailable as error:
                        print(error)
            elif {module!r} == "trio":
                import trio
                trio.run(main)
            else:
                import asyncio
                asyncio.run(main())
        """)
    finally:
        servers.close()
    assert output.splitlines()[0] == "ready True"
    assert "pip install 'telnyx-rtc[media]'" in output.splitlines()[1]


@pytest.mark.parametrize(
    ("module", "missing", "extra"), [("trio", ("trio", "trio_websocket"), "trio"), ("gateway", MEDIA, "media")]
)
def test_what_needs_an_extra_to_be_imported_says_which(module: str, missing: tuple[str, ...], extra: str) -> None:
    output = python(f"""
        import sys
        for name in {missing!r}:
            sys.modules[name] = None
        try:
            import telnyx_drivers.{module}
        except ModuleNotFoundError as error:
            print(error)
    """)
    assert output.endswith(f"is missing: pip install 'telnyx-rtc[{extra}]'\n")


def test_metrics_of_a_client_need_no_media() -> None:
    python(f"""
        import sys
        for name in {MEDIA!r}:
            sys.modules[name] = None
        from telnyx_drivers.telemetry import observe
    """)


LOADED = """
    import sys, importlib
    importlib.import_module({module!r})
    print(*(name for name in sys.modules))
"""


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("telnyx_drivers.asyncio", ("trio", "trio_websocket", "wsproto", "telnyx_drivers.trio", *MEDIA, "httpx2")),
        ("telnyx_drivers.trio", ("websockets", "telnyx_drivers.asyncio", *MEDIA, "httpx2")),
        ("telnyx_drivers.sync", ("trio", "trio_websocket", "wsproto", "telnyx_drivers.trio", *MEDIA, "httpx2")),
    ],
)
def test_importing_one_loop_loads_neither_the_other_nor_an_engine(module: str, others: tuple[str, ...]) -> None:
    loaded = set(python(LOADED.format(module=module)).split())
    assert module in loaded
    assert loaded & set(others) == set()


def test_a_module_of_our_own_that_is_missing_is_no_missing_extra() -> None:
    from telnyx_drivers.asyncio import MediaUnavailable

    with pytest.raises(ModuleNotFoundError, match="oops"):
        MediaUnavailable.without(ModuleNotFoundError("oops", name="telnyx_drivers._webrtc.engine"))
    ours = ModuleNotFoundError("oops", name="telnyx_drivers._trio")
    assert without_extra(ours, "trio") is ours
