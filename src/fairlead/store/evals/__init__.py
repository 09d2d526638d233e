"""The evaluation store: runs, answers, scores, looks at sealed hold-outs, human labels. It lies apart from the books.

With SQLite it is a file of its own in the data directory, since a server holds the books' while runs go on; with
PostgreSQL a schema of its own in the same database. Several may have it open; a run has one writer.
"""
