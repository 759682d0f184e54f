"""The group of commands: loads the one that is called, turns errors into exit codes."""

from __future__ import annotations

import importlib
from typing import Any

import click

from jamliquor.cli.version import version

_COMMANDS = {
    "author": ("author", "Make blocks with a validator's keys."),
    "bench": ("bench", "Measure how fast this machine is."),
    "chain-spec": ("chain_spec", "Make, show and check chain specifications (JIP-4)."),
    "conformance": ("conformance", "Test a target that speaks the conformance protocol."),
    "demo": ("demo", "Import the chain that comes with the package."),
    "devnet": ("devnet", "Run a network of development validators."),
    "doctor": ("doctor", "Check the installation and this machine."),
    "events": ("events", "Read, check and replay the log of what a node did."),
    "export": ("export", "Write a directory's blocks as a chain archive."),
    "fuzz": ("fuzz", "Serve the conformance protocol on a Unix socket."),
    "import": ("import_", "Import recorded blocks and compare the state after each."),
    "inspect": ("inspect", "Look into the directory of a node."),
    "keys": ("keys", "Make and keep a validator's keys (JIP-5)."),
    "migrate": ("migrate", "Bring a directory to this version's format."),
    "proof": ("proof", "Prove what a state holds, and check such proofs."),
    "prune": ("prune", "Finalise a block by hand, drop old blocks."),
    "pvm": ("pvm", "Assemble, disassemble, examine and run programs."),
    "repair": ("repair", "Check a node's directory, repair damage."),
    "snapshot": ("snapshot", "Write, check and restore snapshots of a state."),
    "validate": ("validate", "Judge a block by a witness, without its state."),
    "witness": ("witness", "Make the witness of a block: all that judging it needs."),
}
"""Module and one line of help of each command: listing them loads none."""


class Commands(click.Group):
    """Commands that load when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, loaded now."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"jamliquor.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with a hint when the name is close to a command's."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            known = ", ".join(self.list_commands(ctx))
            ctx.fail(f"no such command: {args[0]} (there are: {known})")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for ``--help``, without loading the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors become one line on stderr and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except (Exception, KeyboardInterrupt) as error:
            from jamliquor.cli.exits import exit_code, origin, sentence  # noqa: PLC0415

            if ctx.meta.get("debug"):
                import traceback  # noqa: PLC0415

                traceback.print_exc()
            first = origin(error)
            click.echo(f"Error: {sentence(first)}", err=True)
            ctx.exit(exit_code(first))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), "-V", "--version", message="jamliquor %(version)s")
def commands() -> None:
    """A JAM protocol node for boards with 128 MB of RAM.

    \b
    Examples:
      jamliquor doctor
      jamliquor import traces/fallback
      jamliquor import --help
    """
