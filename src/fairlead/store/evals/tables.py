"""The tables as they are now. How they came to be is in `versions/`; a test holds the two together.

Ids are 32 hexadecimal digits, times UTC microseconds, money nano-dollars (null: unknown), JSON is text. A case is known
by its id, the hash of its content and the version of its gold; a row of `item` is a case as one version of a suite has
it.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, false

HEAD = "0004"  # the revision of these tables; revisions sort as texts

metadata = MetaData()

suite = Table(
    "suite",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),  # when it was first run
    Column("zone", Text, nullable=False),
    Column("declared", Text, nullable=False),  # JSON: task, primary metric, guardrails, scorers, licence, ...
    Index("suite_name", "name", "at_us"),
)

item = Table(
    "item",
    metadata,
    Column("suite", Text, primary_key=True),  # its hash
    Column("id", Text, primary_key=True),
    Column("content_hash", Text, nullable=False),
    Column("gold_version", Text, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("tags", Text, nullable=False),  # JSON array of texts
    Column("weight", Float, nullable=False),
    Column("holdout", Boolean, nullable=False),
    Column("asked", Text, nullable=False),  # for people; "": its licence keeps it out of reports
    Column("wanted", Text, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", Text, primary_key=True),
    Column("suite", Text, nullable=False),  # its hash
    Column("name", Text, nullable=False),  # of the suite
    Column("split", Text, nullable=False),  # dev, holdout, all
    Column("at_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("status", Text, nullable=False),  # open, done, stopped
    Column("why", Text, nullable=False),  # it was stopped
    Column("planned", Integer, nullable=False),  # questions
    Column("plan", Text, nullable=False),  # JSON: all that it takes to repeat it
    Column("writer", Text, nullable=False),  # who last wrote it
    Column("beat", BigInteger, nullable=False),  # it counts up while that one lives
    Column("kept", Boolean, nullable=False, server_default=false()),  # however old it gets
    Index("run_name", "name", "at_us"),
)

answer = Table(
    "answer",
    metadata,
    Column("run", Text, primary_key=True),
    Column("candidate", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("turn", Integer, primary_key=True, autoincrement=False),  # 0: the whole case
    Column("at_us", BigInteger, nullable=False),
    Column("status", Text, nullable=False),  # ok, invalid, refused, timeout, failed, missing
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("reasoning", Text, nullable=False),
    Column("tool_calls", Text, nullable=False),  # JSON array
    Column("messages", Text, nullable=False),  # JSON array: a conversation as it went; "": it was none
    Column("finish", Text, nullable=False),
    Column("model", Text, nullable=False),  # what the provider calls itself
    Column("fingerprint", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("cost_nusd", BigInteger),
    Column("estimated", Boolean, nullable=False),
    Column("took_us", BigInteger, nullable=False),
    Column("first_word_us", BigInteger),
    Column("call", Text, nullable=False),  # its id in the books
    Column("attempts", Integer, nullable=False),  # how often it was asked here
    Column("cache_key", String(32), nullable=False),
    Column("cached", Text, nullable=False),  # the run that it was taken from; "": it was asked
    Index("answer_cache", "cache_key"),
)

score = Table(
    "score",
    metadata,
    Column("run", Text, primary_key=True),
    Column("candidate", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("turn", Integer, primary_key=True, autoincrement=False),
    Column("metric", Text, primary_key=True),
    Column("value", Float),  # null: missing
    Column("why", Text, nullable=False),  # it is missing
    Column("reasons", Text, nullable=False),  # JSON object
    Column("version", Text, nullable=False),  # of the scorer, or of the judge and its rubric
)

spent = Table(
    "spent",
    metadata,
    Column("run", Text, primary_key=True),
    Column("sitting", Text, primary_key=True),  # of one process
    Column("what", Text, primary_key=True),  # answer, judge, user, scorer
    Column("questions", BigInteger, nullable=False),
    Column("cost_nusd", BigInteger, nullable=False),  # as far as it is known
    Column("unpriced", BigInteger, nullable=False),  # questions whose cost nobody knows
)

look = Table(
    "look",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),  # of the suite
    Column("suite", Text, nullable=False),  # its hash
    Column("at_us", BigInteger, nullable=False),
    Column("run", Text, nullable=False),
    Column("what", Text, nullable=False),  # what was looked at: run, compare, gate, ...
    Index("look_name", "name", "at_us"),
)

label = Table(
    "label",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),  # of the suite
    Column("metric", Text, nullable=False),
    Column("rubric", Text, nullable=False),  # the version that it was given under
    Column("run", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("repeat", Integer, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("answer_hash", Text, nullable=False),  # of what was looked at
    Column("value", Float),  # null: it was passed over
    Column("at_us", BigInteger, nullable=False),
    Column("took_us", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("sample", Text, nullable=False),  # of which drawing it is
    Column("details", Text, nullable=False),  # JSON object
    Index("label_name", "name", "metric", "at_us"),
)

preference = Table(
    "preference",
    metadata,
    Column("id", Text, primary_key=True),
    Column("pairing", Text, nullable=False),  # of two candidates
    Column("name", Text, nullable=False),  # of the suite
    Column("run", Text, nullable=False),
    Column("candidate", Text, nullable=False),  # whom the value speaks for
    Column("other_run", Text, nullable=False),
    Column("other", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("repeat", Integer, nullable=False),
    Column("pair_hash", Text, nullable=False),  # of what was asked and the two answers
    Column("judge", Text, nullable=False),  # version of who was asked what
    Column("place", Text, nullable=False),  # first, second; "": nobody had to be asked
    Column("both", Boolean, nullable=False),  # orders are asked
    Column("again", Integer, nullable=False),
    Column("value", Float),  # null: no verdict
    Column("why", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("details", Text, nullable=False),  # JSON object
    Index("preference_pairing", "pairing", "at_us"),
    Index("preference_run", "run"),
    Index("preference_other", "other_run"),
)
