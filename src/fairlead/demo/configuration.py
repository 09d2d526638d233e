"""The configuration that the demonstration serves, as the text that a user would write and edit."""

import re

FIRST, SECOND = "nano", "mini"
TASKS = ("invoices", "tickets")

TEXT = """\
# What `fairlead demo` serves. Edit it while it runs, then: fairlead config reload -c {file}

data_dir = "data"

[server]
listen = "{listen}"
admin = "off"               # only the Unix socket in data_dir

# Two model servers on this machine: started, watched and restarted by `fairlead serve`.
[engines.nano]
model = "shipped:fairlead-nano"

[engines.mini]
model = "shipped:fairlead-mini"

# The price of our own machines is what we say it is, in US dollars per million tokens.
[targets.nano]
engine = "nano"
params = {{ temperature = 0 }}
price = {{ input = 0.02, output = 0.08 }}

[targets.mini]
engine = "mini"
params = {{ temperature = 0 }}
price = {{ input = 0.06, output = 0.24 }}

# What applications name. `targets` says who answers; with several, the next is asked where one fails.
[routes.invoices]
targets = ["nano"]
zone = "private"
max_output_tokens = 200

[routes.tickets]
targets = ["nano"]
zone = "private"
max_output_tokens = 64
"""


def write(file: str, listen: str) -> str:
    """The text: both routes served by the first target. `listen` is HOST:PORT; `file` where it will lie."""
    return TEXT.format(file=file, listen=listen)


def aim(text: str, *targets: str) -> str:
    """The same text, both routes served by these targets. Everything else stays, also what a user wrote meanwhile."""
    named = ", ".join(f'"{target}"' for target in targets)
    return re.sub(r"^targets = .*$", f"targets = [{named}]", text, flags=re.MULTILINE)
