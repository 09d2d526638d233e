"""Worked examples, one folder for each kind of task: `fairlead eval init KIND` copies one. No code."""
