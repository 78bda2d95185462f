"""handread serve: the page and the API."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

import click

from handread.cli.extras import require
from handread.cli.options import MODEL


@click.command("serve", epilog="Example: handread serve --port 8080 --max-upload 30 --rate 20")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0 takes a free one."
)
@MODEL
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes.")
@click.option("--max-upload", type=float, default=20.0, show_default=True, metavar="MB", help="Largest request.")
@click.option(
    "--rate", type=float, default=0.0, show_default=True, metavar="N",
    help="Requests a second that one client and process may send on average; 0 sets no bound.",
)  # fmt: skip
@click.option("--cors", multiple=True, metavar="ORIGIN", help="A foreign origin whose pages may call the API.")
@click.option("--root-path", default="", metavar="PATH", help="Path below which a proxy shows the server.")
@click.option(
    "--token-file", type=click.Path(path_type=Path), metavar="FILE",
    help="Tokens, one a line: only who sends one may use the API.",
)  # fmt: skip
@click.option(
    "--collect", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Keep the corrections that people send in this folder. Without it none are taken.",
)  # fmt: skip
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
def command(
    host: str,
    port: int,
    model: str,
    workers: int,
    max_upload: float,
    rate: float,
    cors: tuple[str, ...],
    root_path: str,
    token_file: Path | None,
    collect: Path | None,
    open_page: bool,
) -> None:
    """Serve a page to draw on and an API for programs.

    Only this machine reaches the server unless another address is given with --host. It stops at Ctrl-C, after
    answering what it has accepted.
    """
    require("serve", "web", "fastapi", "uvicorn", "python_multipart", "prometheus_client")
    from handread.web.server import listen, serve
    from handread.web.settings import Settings, read_tokens

    settings = Settings(
        model=model,
        host=host,
        port=port,
        workers=workers,
        max_upload_mb=max_upload,
        rate_per_second=rate,
        cors=cors,
        root_path=root_path,
        tokens=read_tokens(token_file) if token_file else (),
        collect=collect,
    )
    with listen(settings) as listener:
        address = f"http://{_as_host(host)}:{listener.getsockname()[1]}{root_path}/"

        def ready() -> None:
            click.echo(f"Handread listens at {address} (stop: Ctrl-C)")
            if not settings.is_private:
                click.echo("Everybody who reaches this machine may use it; --token-file restricts that.", err=True)
            if collect is not None:
                click.echo(f"Corrections are kept in {collect}.", err=True)
            sys.stdout.flush()
            if open_page:
                webbrowser.open(address)

        serve(settings, listener, ready)


def _as_host(host: str) -> str:
    """The host of an address that a browser understands."""
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
