"""How the store's tables came to be: one file for each revision in `versions/`, run by Alembic.

It is loaded only then. There is no alembic.ini and no env.py: `upgrade` hands Alembic the connection, so that it works
from an installed package. A new revision's number sorts after those before it, and `schema.HEAD` names the last.
"""

from pathlib import Path

from sqlalchemy import Connection

HERE = Path(__file__).parent


def upgrade(connection: Connection, to: str, folder: Path = HERE) -> None:
    """Runs what is missing up to the revision `to` of those in `folder/versions`, inside the connection's
    transaction."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(folder))

    def steps(found: tuple[str, ...], _context: object) -> object:
        return scripts._upgrade_revs(to, found)  # type: ignore[arg-type]  # what alembic.command.upgrade calls

    with EnvironmentContext(Config(), scripts, fn=steps, destination_rev=to) as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()
