"""`fairlead completion`: what a shell needs to complete our commands."""

import click
from click.shell_completion import get_completion_class

from fairlead.cli.terminal import note, say

RC = {
    "bash": ("~/.bashrc", 'eval "$(fairlead completion bash)"'),
    "zsh": ("~/.zshrc", 'eval "$(fairlead completion zsh)"'),
    "fish": ("~/.config/fish/config.fish", "fairlead completion fish | source"),
}


@click.command()
@click.argument("shell", type=click.Choice(tuple(RC)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell; the line for its rc file is told on stderr."""
    kind = get_completion_class(shell)
    assert kind is not None  # click knows all three
    say(kind(ctx.find_root().command, {}, "fairlead", "_FAIRLEAD_COMPLETE").source())
    path, line = RC[shell]
    note(f"# To have it in every shell, put this line into {path}:\n#   {line}")
