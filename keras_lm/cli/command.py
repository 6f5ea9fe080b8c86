"""How every sub-command fails: in one line, in the words of the shell."""

import re

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """A sub-command whose errors a person can mend are told without a trace.

    What the package says of an argument, the shell says of the option:
    "`max_new_tokens` must be .. Received: max_new_tokens=900" becomes
    "`--max-new-tokens` must be .. Received: --max-new-tokens=900", and "overwrite=True"
    becomes "--overwrite".

    Example:
        >>> import typer
        >>> app = typer.Typer()
        >>> @app.command(cls=Command)
        ... def read(path: str):
        ...     open(path)
    """

    def invoke(self, ctx):
        """Runs the command; typer calls this.

        Args:
            ctx: `typer.Context`.

        Returns:
            what the command returns.

        Raises:
            typer.Exit: it failed; the error is printed.
        """
        try:
            return super().invoke(ctx)
        except (ImportError, ValueError, OSError) as error:
            told = self._in_shell_words(str(error))
            typer.secho(f"Error: {told}", fg="red", err=True)
            raise typer.Exit(1) from error

    def _in_shell_words(self, message):
        for parameter in self.params:
            option = parameter.opts[0]
            if option.startswith("--"):
                name = parameter.name
                message = re.sub(rf"`{name}`", f"`{option}`", message)
                message = re.sub(rf"\b{name}=True\b", option, message)
                message = re.sub(rf"\b{name}=(?=\S)", f"{option}=", message)
        return message
