"""Options that several commands share."""

from __future__ import annotations

import click


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta["debug"] = value


debug_option = click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_remember,
    help="On an error, print where in the code it happened.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
